"""The registry of metrics and the pure functions behind it, most of them one number per matrix."""
