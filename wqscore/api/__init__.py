"""The public functions, and the settings that they share."""
