"""Segments, refines and describes: the only package that uses all the others. Synchronous functions."""

from t2s_agent.pipeline.describe import Description, describe
from t2s_agent.pipeline.engine import Engine
from t2s_agent.pipeline.loading import view_of
from t2s_agent.pipeline.refine import refine, refine_with_picture
from t2s_agent.pipeline.refinement import Refinement
from t2s_agent.pipeline.replay import Replay, replay
from t2s_agent.pipeline.saving import Saved
from t2s_agent.pipeline.segment import segment, segment_with_picture
from t2s_agent.pipeline.steps import no_progress

__all__ = [
    "Description",
    "Engine",
    "Refinement",
    "Replay",
    "Saved",
    "describe",
    "no_progress",
    "refine",
    "refine_with_picture",
    "replay",
    "segment",
    "segment_with_picture",
    "view_of",
]
