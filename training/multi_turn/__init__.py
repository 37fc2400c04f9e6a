"""Rollouts of two turns: the policy sees its first masks drawn on the picture and may correct them once.

The environment (`environment.Correcting`) is the served tool: it segments, draws and corrects with the product's own functions.
`trainer.TwoTurnTrainer` plays both turns, by TRL's tools where the chat template has them, else by a second question.
"""
