"""A checkpoint to rows and a summary, with the cache of what was computed before."""
