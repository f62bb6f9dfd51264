"""From eigenvalues to a fitted tail."""
