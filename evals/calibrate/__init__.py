"""Numbers that hold: how far off a model's measures, totals and counts can be, measured on imagery that it was not trained on."""
