"""Scenes larger than a model's view: windows that cover them, objects joined across the seams, and their painting and outlines."""
