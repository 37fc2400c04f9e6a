"""How the questions are solved with the tools of this tree, a few lines each.

A question that is not solved here in a better way is solved as at commit 8a55278.
"""

from evals.agent_trial import solutions_8a55278
from evals.agent_trial.solutions_8a55278 import Solution

SOLUTIONS: dict[str, Solution] = dict(solutions_8a55278.SOLUTIONS)
