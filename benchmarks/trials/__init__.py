"""Runs that are killed, run out of something, or write to a full disk: `python -m benchmarks.trials`."""
