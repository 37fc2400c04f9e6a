"""Defines the three tools that agents call, one per file: typed functions of an Engine that return compact answers.

The installed package is `t2s_agent.tools`. The functions import the pipeline when they run, because a server must list its tools
quickly after its start.
"""

from .describe_region import describe_region
from .reason_segment import reason_segment
from .refine_mask import refine_mask

__all__ = ["describe_region", "reason_segment", "refine_mask"]
