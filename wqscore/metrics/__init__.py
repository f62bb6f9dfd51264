"""The registry of metrics and the pure functions behind it, one number per matrix each."""
