"""The three tools that agents call, one a file: typed functions over a Engine that give compact answers.

Installed, this package is `t2s_agent.tools`. The pipeline is imported inside of the functions, because a server has to answer
what its tools are long before anybody calls one.
"""

from .describe_region import describe_region
from .reason_segment import reason_segment
from .refine_mask import refine_mask

__all__ = ["describe_region", "reason_segment", "refine_mask"]
