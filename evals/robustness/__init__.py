"""How far answers, counts and areas move when only the picture's frame, grid or light does; see `python -m evals.robustness`."""
