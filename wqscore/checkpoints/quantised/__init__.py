"""Quantised weights, a file for each format: which weights the stored tensors stand for, and their values."""
