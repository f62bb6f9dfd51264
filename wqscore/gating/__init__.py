"""Gates: check a model against rules, so that a pipeline can stop when one fails."""
