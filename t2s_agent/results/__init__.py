"""What was done, so that it can be looked at, corrected, chained and done again."""
