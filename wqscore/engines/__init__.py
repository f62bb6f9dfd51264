"""Other tools that score a checkpoint, for a second opinion."""
