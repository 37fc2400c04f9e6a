"""Segment, refine, describe: the only room that knows all the others. Plain functions, without a loop."""

from t2s_agent.pipeline.describe import Description, describe
from t2s_agent.pipeline.refine import Refinement, refine
from t2s_agent.pipeline.replay import Replay, replay
from t2s_agent.pipeline.segment import segment
from t2s_agent.pipeline.workshop import Workshop

__all__ = ["Description", "Refinement", "Replay", "Workshop", "describe", "refine", "replay", "segment"]
