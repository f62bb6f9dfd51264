"""References to models: what a user typed or a caller passed, before anything is opened."""
