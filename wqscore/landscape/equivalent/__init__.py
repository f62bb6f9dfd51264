"""Networks that compute the same: moved by symmetries, embedded in wider ones, and merged into narrower ones."""
