"""Correlate metrics with published results of the models."""
