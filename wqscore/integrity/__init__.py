"""Check a checkpoint's weights for damage: NaN and infinities, dead and repeated rows, checksums."""
