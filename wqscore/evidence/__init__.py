"""How often a metric has chosen the better of two models: a record of decisions, and the odds learned from it."""
