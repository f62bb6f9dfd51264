"""What dropout does to a loss on average, as a penalty."""

from __future__ import annotations

import torch
from torch import nn

from wqscore.landscape.sequential import hidden_and_logits

#: The expectation over classes is summed up to here, and estimated from one class an example beyond.
MOST_CLASSES = 64


def dropout_penalty(model: nn.Module, inputs: torch.Tensor, p: float, seed: int = 0) -> torch.Tensor:
    """The second-order effect of dropout on hidden outputs on the cross-entropy; to add to a loss.

    ½·p/(1−p) times the mean over examples of E_ŷ Σ_i (h_i·∂ℓ_ŷ/∂h_i)², ŷ drawn from the model's own softmax. For the
    layer below the logits it is that effect exactly; for earlier ones it leaves out the activations' curvature. What
    is left of noise of this variance falls with p²; of masks, whose third moment is about −p, with p.

    Source: Wei, Kakade & Ma, "The Implicit and Explicit Regularization Effects of Dropout", arXiv 2002.12915, §4.

    Args:
        model: an `nn.Sequential`; hidden outputs are those of its layers but the last, after the activation.
        inputs: shape (examples, …).
        p: the share of units that dropout would leave out, from 0 to below 1.
        seed: decides the classes that are drawn, where there are more than 64.

    Returns:
        A differentiable scalar.

    Raises:
        UsageError: the model is no `nn.Sequential`.
        ValueError: p is no share.
    """
    if not 0 <= p < 1:
        raise ValueError(f"p is {p}: needs a share from 0 to below 1")
    hidden, logits = hidden_and_logits(model, inputs)
    if not hidden:
        return logits.new_zeros(())
    logarithms = torch.log_softmax(logits, dim=1)
    if logits.shape[1] <= MOST_CLASSES:
        squares = [_squares(logarithms[:, each], hidden) for each in range(logits.shape[1])]
        expected = (torch.stack(squares, dim=1) * logarithms.exp()).sum(dim=1)
    else:
        drawn = torch.multinomial(logarithms.detach().exp().cpu(), 1, generator=torch.Generator().manual_seed(seed))
        expected = _squares(logarithms.gather(1, drawn.to(logits.device))[:, 0], hidden)
    return 0.5 * p / (1 - p) * expected.mean()


def _squares(logarithm: torch.Tensor, hidden: list[torch.Tensor]) -> torch.Tensor:
    """Σ_i (h_i·∂ℓ/∂h_i)² of each example, over all hidden layers."""
    gradients = torch.autograd.grad(logarithm.sum(), hidden, create_graph=True)
    per_layer = [(output * gradient).flatten(1) for output, gradient in zip(hidden, gradients, strict=True)]
    return torch.cat(per_layer, dim=1).square().sum(dim=1)
