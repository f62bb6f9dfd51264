"""The HTML report of a ranking: one file that works offline."""
