"""Layer-wise plans from a metric: sparsity, learning rate, weight decay, LoRA ranks, and what to unfreeze."""

from wqscore.studies.allocate.allocate import allocate

__all__ = ["allocate"]
