"""What targets share: an input's parts written as files, and the matrices of its tensors planned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from wqscore.checkpoints.tensor import Tensor
from wqscore.matrices.matrix_rules import MatrixRules
from wqscore.matrices.model_config import ModelConfig
from wqscore.matrices.plan import plan_matrices
from wqscore.matrices.weight_matrix import WeightMatrix

#: Between the JSON and the second part of an input that has two.
SEPARATOR = b"\n=====\n"
_RULES = (MatrixRules(), MatrixRules(split_fused=False, pool_slices=False))
#: A planned matrix is read where it is small, as scoring it would.
LARGEST_READ = 2**16
MOST_READ = 16


def written(folder: Path, name: str, data: bytes) -> Path:
    """Write an input, or a part of it, under a name."""
    file = folder / name
    file.write_bytes(data)
    return file


def plan(tensors: Sequence[Tensor], config: Mapping[str, Any]) -> None:
    """Plan the matrices by both kinds of rules, and read a few small ones."""
    for rules in _RULES:
        outcomes = plan_matrices(tensors, ModelConfig(config), rules)
        matrices = [outcome for outcome in outcomes if isinstance(outcome, WeightMatrix)]
        small = [matrix for matrix in matrices if matrix.tensor.parameters <= LARGEST_READ]
        for matrix in small[:MOST_READ]:
            matrix.values(matrix.tensor.read())
