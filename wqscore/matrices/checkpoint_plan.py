"""Plan what is scored of an open checkpoint, with what it knows of its tensors already."""

from __future__ import annotations

from wqscore.checkpoints.checkpoint import Checkpoint
from wqscore.matrices.matrix_rules import MatrixRules
from wqscore.matrices.model_config import ModelConfig
from wqscore.matrices.plan import PlannedTensor, plan_matrices


def plan_checkpoint(checkpoint: Checkpoint, rules: MatrixRules) -> tuple[PlannedTensor, ...]:
    """Plan which matrices of a checkpoint are scored, from its headers alone, as `plan_matrices` does."""
    config = ModelConfig(checkpoint.config)
    return plan_matrices(checkpoint.tensors, config, rules, checkpoint.training_state, checkpoint.counts)
