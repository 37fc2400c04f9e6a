"""Converts masks to regions: outlines on the ground, measures with uncertainty, sets and distances, files and a picture."""
