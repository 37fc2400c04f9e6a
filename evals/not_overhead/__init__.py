"""Measures the remarks about pictures that are no overhead images: false ones on real imagery, missed ones on made pictures."""
