"""Presets: frozen sets of choices, wqscore's own and those that reproduce the numbers of published code."""
