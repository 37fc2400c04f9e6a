"""How fast this build is, side by side with an older checkout in the same run."""
