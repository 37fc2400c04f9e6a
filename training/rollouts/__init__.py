"""Rollouts whose prompts are equal compute their picture and their prompt once: `generation.generate` and `scoring.log_probs`."""
