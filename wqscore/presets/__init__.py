"""Presets: frozen sets of constants, so that a number can be compared with the one it is meant to equal."""
