"""Summaries to ranks, ties, families, and differences between models."""
