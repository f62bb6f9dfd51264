"""A penalty on how fast the margin moves with the hidden layers."""

from __future__ import annotations

import torch
from torch import nn

from wqscore.landscape.sequential import hidden_and_logits


def jacobian_penalty(
    model: nn.Module, inputs: torch.Tensor, targets: torch.Tensor, threshold: float = 0.1
) -> torch.Tensor:
    """Squared norm of the margin's gradient by each hidden output, summed over layers; to add to a loss.

    Source: Wei & Ma, "Data-dependent Sample Complexity of Deep Neural Networks via Lipschitz Augmentation",
    arXiv 1905.03684, §6, by example: its code squares the mean over a batch.

    Args:
        model: an `nn.Sequential`; hidden outputs are those of its layers but the last, after the activation.
        inputs: shape (examples, …).
        targets: the right classes, shape (examples,).
        threshold: an example and layer counts where the gradient's norm exceeds it.

    Returns:
        A differentiable scalar: the mean over examples of the sum over hidden layers.

    Raises:
        UsageError: the model is no `nn.Sequential`.
    """
    hidden, logits = hidden_and_logits(model, inputs)
    if not hidden:
        return logits.new_zeros(())
    gradients = torch.autograd.grad(margins(logits, targets).sum(), hidden, create_graph=True)
    squares = torch.stack([gradient.flatten(1).square().sum(dim=1) for gradient in gradients])
    return torch.where(squares > threshold**2, squares, 0).sum(dim=0).mean()


def margins(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """The right class's logit less the largest other one, shape (examples,)."""
    right = logits.gather(1, targets[:, None])
    others = logits.scatter(1, targets[:, None], -torch.inf)
    return right[:, 0] - others.max(dim=1).values
