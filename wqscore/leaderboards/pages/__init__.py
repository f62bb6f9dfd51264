"""The pages of a leaderboard: index, families, models, feed and badges."""
