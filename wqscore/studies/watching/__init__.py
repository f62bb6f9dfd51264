"""Watching a training: a live model is scored every N steps in a process of its own."""
