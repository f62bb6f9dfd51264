"""Transformations of weights that leave a model's function alone, and the balanced form of what they relate."""
