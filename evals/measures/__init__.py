"""Measures the error of lengths and areas on synthetic shapes of known size: `python -m evals.measures perimeter`."""
