"""How fast the product is, each time as a ratio to a named alternative in the same run; see `python -m evals.speed`."""
