"""PACGen: a bound on a network's loss from its Hessian, how that changes, its weights and the number of examples.

Wang, Keskar, Xiong & Socher, "Identifying Generalization Properties in Neural Networks", arXiv 1809.07402 (AISTATS
2020). Neither its text nor its code was at hand: the bound was derived again, and κ, the estimate of ρ and the
constants are not known to be the authors'.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from wqscore.landscape.flat import FlatLoss
from wqscore.landscape.measure import Choices, Estimate, ModelMeasure
from wqscore.landscape.noise_levels import box, noise_levels
from wqscore.landscape.task import Task, prepared

#: Up to so many parameters the Hessian's diagonal is exact; above it is estimated.
EXACT = 5000
#: Products with random signs that estimate the diagonal.
_PROBES = 100
#: Lanczos needs more parameters than these.
_FEW = 20
#: Relative precision of ‖H(w+u) − H(w)‖: ρ is the largest of a few draws, and from below anyway.
_TOLERANCE = 1e-4
#: Draws of the box that ρ is the largest ratio of.
LEAST_DRAWS = 8


@dataclass(frozen=True)
class PacGen:
    """The measure, the bound, and what they rest on.

    Attributes:
        pacgen: Ψ = Σ ln((|w_i|+κ_i)·max{√(max(H_ii, 0)+ρK), 1/κ_i}): the paper's measure, without η.
        pacgen_bound: the bound on the expected loss of the perturbed network, with probability 1 − δ.
        per_parameter: pacgen / m.
        saturated: share of weights whose curvature doesn't count in pacgen: √(max(H_ii, 0)+ρK) ≤ 1/κ_i.
        saturated_bound: share of weights whose σ_i is κ_i.
        kl: of posterior and prior.
        rho: from below: the largest ratio among the draws.
        rho_draws: the ratio of each draw.
        n_negative: how many entries of the diagonal are negative; they count as 0.
        diagonal_error: standard error of the estimated diagonal, root mean square; 0 where it is exact.
        gradient_norm: the bound takes it as 0.
        is_bound: whether the prior was chosen without the data; `False` makes pacgen_bound a mere measure.
        n_params: m.
    """

    pacgen: float
    pacgen_bound: float
    per_parameter: float
    saturated: float
    saturated_bound: float
    kl: float
    rho: float
    rho_draws: tuple[float, ...]
    n_negative: int
    diagonal_error: float
    gradient_norm: float
    is_bound: bool
    n_params: int


def pacgen(
    task: Task,
    gamma: float = 0.1,
    eps: float = 0.1,
    eta: float = 1000.0,
    delta: float = 0.05,
    tau: float | torch.Tensor | None = None,
    rho: float | None = None,
    draws: int = LEAST_DRAWS,
    seed: int = 0,
) -> PacGen:
    """Measure a network by PACGen.

    With γ = ε = 0.1 most weights of a small network are saturated, and the measure is a norm of the weights: look at
    `saturated`. ρ enters as ½·m·ln ρ and is estimated from below: never compare across widths or estimators.

    Args:
        task: the loss; for a bound it must lie in [0, 1].
        gamma: the box κ_i = γ|w_i| + ε as a share of each weight.
        eps: what the box has in addition.
        eta: how much the data count against the prior; chosen before looking at them.
        delta: the bound holds but for this probability.
        tau: half-widths of the prior, one or shape (m,), at least |w_i| + κ_i; the caller's word that they were
            chosen without the data, and that the loss lies in [0, 1]. By default |w| + κ, which depends on the data.
        rho: how fast the Hessian changes; estimated by default.
        draws: points of the box at which the Hessian is compared with the Hessian at the weights; at least 8.
        seed: decides them.

    Raises:
        UsageError: the task's loss is no mean over examples.
        LandscapeError: the loss is not finite.
        ValueError: a prior that doesn't hold the box; or constants out of their range.
    """
    _check(gamma, eps, eta, delta, rho, draws)
    with prepared(task) as level:
        loss = FlatLoss(task)
        weights = loss.weights
        kappa = box(weights, gamma, eps)
        prior = weights.abs() + kappa if tau is None else torch.as_tensor(tau, dtype=weights.dtype).expand_as(weights)
        if bool((prior < weights.abs() + kappa).any()):
            raise ValueError("tau is smaller than |w| + κ somewhere: the prior must hold every weight's box")
        generator = torch.Generator().manual_seed(seed)
        diagonal, error = _diagonal(loss, generator)
        ratios = (rho,) if rho is not None else _ratios(loss, kappa, max(draws, LEAST_DRAWS), generator)
        gradient = float(loss.gradient(weights).norm())
    weights, prior, diagonal = (each.double() for each in (weights, prior, diagonal))
    kappa = box(weights, gamma, eps)  # as `noise_levels` has it, to the last bit
    largest, radius = max(ratios), kappa.norm()
    curvature = (diagonal.clamp_min(0) + largest * radius).sqrt()
    measure = float(((weights.abs() + kappa) * torch.maximum(curvature, 1 / kappa)).log().sum())
    sigma = noise_levels(weights, diagonal, largest, eta, gamma, eps)
    kl = float((prior / sigma).log().sum())
    moved = (diagonal.clamp_min(0) * sigma.square()).sum() / 6 + largest * radius * sigma.square().sum() / 18
    bound = level.loss + float(moved) + (kl + math.log(1 / delta)) / eta + eta / (8 * task.n)
    return PacGen(
        pacgen=measure,
        pacgen_bound=bound,
        per_parameter=measure / len(weights),
        saturated=float((curvature <= 1 / kappa).double().mean()),
        saturated_bound=float((sigma == kappa).double().mean()),
        kl=kl,
        rho=largest,
        rho_draws=tuple(ratios),
        n_negative=int((diagonal < 0).sum()),
        diagonal_error=error,
        gradient_norm=gradient,
        is_bound=tau is not None,
        n_params=len(weights),
    )


def _check(gamma: float, eps: float, eta: float, delta: float, rho: float | None, draws: int) -> None:
    if gamma < 0 or eps <= 0 or eta <= 0:
        raise ValueError(f"gamma {gamma}, eps {eps}, eta {eta}: needs gamma from 0, eps and eta above 0")
    if not 0 < delta < 1:
        raise ValueError(f"delta is {delta}: needs a probability between 0 and 1")
    if (rho is not None and rho < 0) or draws < 1:
        raise ValueError(f"rho {rho}, draws {draws}: needs rho from 0 and at least 1 draw")


def _diagonal(loss: FlatLoss, generator: torch.Generator) -> tuple[torch.Tensor, float]:
    """The Hessian's diagonal, and the root mean square of its standard errors."""
    weights = loss.weights
    if len(weights) <= EXACT:
        return loss.diagonal(weights), 0.0
    products = []
    for _ in range(_PROBES):
        signs = _signs(weights, generator)
        products.append(signs * loss.product(weights, signs))
    drawn = torch.stack(products)
    return drawn.mean(dim=0), float(drawn.var(dim=0).mean().div(_PROBES).sqrt())


def _ratios(loss: FlatLoss, kappa: torch.Tensor, draws: int, generator: torch.Generator) -> tuple[float, ...]:
    """‖H(w+u) − H(w)‖₂/‖u‖ for points u of the box."""
    weights = loss.weights
    found = []
    for _ in range(draws):
        shift = (2 * torch.rand(len(weights), generator=generator, dtype=torch.float64) - 1).to(weights) * kappa
        found.append(_spectral_norm(loss, weights, weights + shift, generator) / float(shift.norm()))
    return tuple(found)


def _spectral_norm(loss: FlatLoss, a: torch.Tensor, b: torch.Tensor, generator: torch.Generator) -> float:
    """‖H(b) − H(a)‖₂, by Lanczos; of few parameters from the whole difference."""
    from scipy.sparse.linalg import LinearOperator, eigsh

    m = len(a)

    def times(vector: np.ndarray) -> np.ndarray:
        given = torch.as_tensor(vector.ravel(), dtype=a.dtype, device=a.device)
        change: np.ndarray = (loss.product(b, given) - loss.product(a, given)).cpu().numpy()
        return change

    if m <= _FEW:
        return float(np.abs(np.linalg.eigvalsh(np.stack([times(row) for row in np.eye(m)]))).max())
    start = torch.randn(m, generator=generator, dtype=torch.float64).numpy()
    if not times(start).any():
        return 0.0
    operator = LinearOperator((m, m), matvec=times, dtype=np.dtype(str(a.dtype).removeprefix("torch.")))
    return float(np.abs(eigsh(operator, k=1, which="LM", v0=start, tol=_TOLERANCE, return_eigenvectors=False)).max())


def _signs(like: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    return torch.randint(0, 2, (len(like),), generator=generator).to(like) * 2 - 1


def _estimates(task: Task, choices: Choices) -> list[Estimate]:
    found = pacgen(task, seed=choices.seed)
    how = f"rho from below, {len(found.rho_draws)} draws; diagonal {'estimated' if found.diagonal_error else 'exact'}"
    return [
        Estimate("pacgen", found.pacgen, how),
        Estimate("pacgen_bound", found.pacgen_bound, f"{how}; no bound: its prior depends on the data"),
        Estimate("saturated", found.saturated, "share of weights whose curvature doesn't count"),
    ]


MEASURE = ModelMeasure("pacgen", ("pacgen", "pacgen_bound", "saturated"), _estimates)
