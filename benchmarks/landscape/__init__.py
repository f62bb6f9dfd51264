"""Benchmarks of `wqscore.landscape`: training runs, each with a table beside it."""
