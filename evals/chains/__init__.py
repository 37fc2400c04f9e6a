"""A trial that measures whether an agent with the three tools answers chained questions about overhead images right.

Start with `python -m evals.chains --help`.
"""
