"""Charts of a score or a ranking, as pictures and as Altair charts."""
