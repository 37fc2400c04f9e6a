"""Chained questions about overhead images with exact answers: does an agent with the three tools answer them right?

Start with `python -m evals.chains --help`.
"""
