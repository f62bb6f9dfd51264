"""Norms of a model's matrices as a term to add to a loss."""

from __future__ import annotations

from typing import Any, Literal, get_args

import torch

from wqscore.errors import UsageError
from wqscore.landscape.training.matrices import weight_matrices

Kind = Literal["frobenius", "spectral", "alpha_free"]


def norm_penalty(model: Any, kind: Kind = "frobenius") -> Any:
    """Return a differentiable sum over the weights of linear and convolutional layers.

    Args:
        model: a torch module.
        kind: `frobenius`: Σ‖W‖_F². `spectral`: Σ σ₁(W)² (Yoshida & Miyato, "Spectral norm regularization", arXiv
            1705.10941). `alpha_free`: Σ ln σ₁(W)², the scale part of the weighted alpha Σ α·ln λ_max with every α 1,
            so that nothing has to be fitted. A convolution counts as the matrix of outputs × all else, as there.

    Raises:
        UsageError: an unknown kind, or a model without such layers.
    """
    if kind not in get_args(Kind):
        raise UsageError(f"no penalty {kind!r}: choose from {', '.join(get_args(Kind))}")
    matrices = [each.flatten(1) for each in weight_matrices(model).values()]
    if not matrices:
        raise UsageError("the model has no linear or convolutional layer whose weight needs a gradient")
    if kind == "frobenius":
        return torch.stack([each.square().sum() for each in matrices]).sum()
    squared = torch.stack([torch.linalg.matrix_norm(each, 2) for each in matrices]).square()
    return squared.sum() if kind == "spectral" else squared.log().sum()
