"""How much each weight may be perturbed: the posterior of PACGen's bound, and the noise of `PerturbedOptimizer`."""

from __future__ import annotations

import torch


def box(weights: torch.Tensor, gamma: float, eps: float) -> torch.Tensor:
    """κ_i = γ|w_i| + ε: how far a weight may be moved at most, shape (m,)."""
    return gamma * weights.abs() + eps


def noise_levels(
    weights: torch.Tensor, diagonal: torch.Tensor, rho: float, eta: float, gamma: float = 0.1, eps: float = 0.1
) -> torch.Tensor:
    """The half-widths σ_i of uniform noise that minimise PACGen's bound: min{κ_i, [η(max(H_ii, 0)/3 + ρK/9)]^(-½)}.

    Derived again from Wang, Keskar, Xiong & Socher, arXiv 1809.07402, whose text was not at hand; K = √Σκ_j².

    Args:
        weights: shape (m,).
        diagonal: of the loss's Hessian, shape (m,).
        rho: how fast the Hessian changes in the box: ‖H(w+u) − H(w)‖ ≤ ρ‖u‖.
        eta: how much the data count against the prior.
        gamma: the box as a share of each weight.
        eps: what the box has in addition.
    """
    kappa = box(weights, gamma, eps)
    curvature = eta * (diagonal.clamp_min(0) / 3 + rho * kappa.norm() / 9)
    return torch.minimum(kappa, curvature.rsqrt())
