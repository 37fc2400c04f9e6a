"""Measures how answers, counts and areas change if only the image's frame, grid or brightness changes: `python -m evals.robustness`."""
