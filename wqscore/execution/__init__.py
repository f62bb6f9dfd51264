"""How the work is run: threads, progress, and clusters."""
