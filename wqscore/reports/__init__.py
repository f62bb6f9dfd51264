"""A score or a ranking in each format, and the report folder."""
