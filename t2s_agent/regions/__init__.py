"""Masks to regions: outlines on the ground, measures with their uncertainty, sets and distances, files and a picture."""
