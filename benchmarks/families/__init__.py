"""Real families whose order of quality is known, ranked by wqscore's defaults, misses included."""
