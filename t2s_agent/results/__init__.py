"""Stores results with everything that is needed to view, correct, combine and repeat them."""
