"""What is measured of one trained network: its loss, how sharp and how large it is."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from wqscore.landscape.flat import FlatLoss
from wqscore.landscape.hessian import hessian
from wqscore.landscape.pacgen import pacgen
from wqscore.landscape.sharpness import RADII, curvature, orbit_curvature, sharpness
from wqscore.landscape.task import Task, prepared

#: Columns that belong to the loss landscape.
LANDSCAPE = (
    *("hessian_top", "hessian_trace", "pacgen", "saturated", "rho", "phi", "phi_published", "psi", "psi_published"),
)
_DIRECTIONS, _RATES = 40, 100


def measured(task: Task) -> dict[str, float]:
    """Measure a network, an `nn.Sequential` of nn.Linear and ReLU or LeakyReLU, on its training examples."""
    curved, psi = hessian(task, probes=20), curvature(task.model)[0]
    bound = pacgen(task)
    with prepared(task) as level:
        weights = FlatLoss(task).weights
        return {
            "train_loss": level.loss,
            "norm": float(weights.norm()),
            "hessian_top": curved.top[0],
            "hessian_trace": curved.trace,
            "pacgen": bound.pacgen,
            "saturated": bound.saturated,
            "rho": bound.rho,
            "phi": sharpness(task, directions=_DIRECTIONS).value,
            "phi_published": _published_sharpness(task, level.loss),
            "psi": psi,
            "psi_published": _published_curvature(task.model),
        }


def _published_sharpness(task: Task, start: float) -> float:
    """φ as the published code has it: directions with entries in [0, 1), which are not isotropic."""
    loss = FlatLoss(task)
    weights = loss.weights
    generator = torch.Generator().manual_seed(0)
    rises = []
    for _ in range(_DIRECTIONS):
        drawn = torch.rand(len(weights), generator=generator, dtype=torch.float64)
        unit = (drawn / drawn.norm()).to(weights)
        rises += [float(loss.value(weights + radius * unit)) - start for radius in RADII]
    return float(np.mean(rises))


def _published_curvature(model: nn.Sequential) -> float:
    """ψ with log-rates in [0, 1)."""
    generator = torch.Generator().manual_seed(0)
    widths = [each.out_features for each in model if isinstance(each, nn.Linear)][:-1]
    drawn = [[torch.rand(width, generator=generator, dtype=torch.float64) for width in widths] for _ in range(_RATES)]
    return float(np.mean([orbit_curvature(model, rates) for rates in drawn]))
