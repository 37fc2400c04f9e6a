"""How far off lengths and areas are, on drawn shapes of known size: `python -m evals.measures perimeter`."""
