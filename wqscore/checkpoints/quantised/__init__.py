"""Decode quantised weights; one module per format finds the weights in the stored tensors and computes them."""
