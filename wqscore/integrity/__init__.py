"""Whether a checkpoint's weights are what they should be: damage, dead and repeated rows, checksums."""
