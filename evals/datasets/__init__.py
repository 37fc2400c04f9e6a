"""Datasets with truth: each gives `Sample`s, in a fixed order, read from disk one by one."""
