"""Measures the speed of the product as ratios to named alternatives in the same run: `python -m evals.speed`."""
