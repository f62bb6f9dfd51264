"""Weights that training stores in parts, from which the model computes them: weight_norm, spectral_norm, masks."""
