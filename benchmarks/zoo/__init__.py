"""The zoo: networks trained here, with known held-out quality, and what wqscore says of their weights."""
