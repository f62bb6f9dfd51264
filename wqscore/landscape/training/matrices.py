"""The weight matrices of a live torch model, and their exponents."""

from __future__ import annotations

from math import nan
from typing import Any

import numpy as np
import torch

from wqscore.fits.hill import hill_alpha
from wqscore.landscape.sequential import AFFINE
from wqscore.spectra.spectrum import compute_spectrum


def weight_matrices(model: Any) -> dict[str, Any]:
    """The weights of linear and convolutional layers that need a gradient, by name, in order; a shared one once."""
    found: dict[int, tuple[str, Any]] = {}
    for name, module in model.named_modules():
        if isinstance(module, AFFINE) and module.weight.requires_grad:
            found.setdefault(id(module.weight), (f"{name}.weight" if name else "weight", module.weight))
    return dict(found.values())


def exponent(weight: Any, least: int) -> float:
    """Return a matrix's `alpha_hill`, the slices of a convolution pooled.

    Args:
        weight: shape (rows, columns) or (rows, columns, kernel…).
        least: fewer eigenvalues have none.

    Returns:
        NaN where it is not defined.
    """
    values = weight.detach().float().cpu().numpy()
    slices = np.moveaxis(values.reshape(*values.shape[:2], -1), -1, 0)
    spectrum = compute_spectrum(list(slices), unit_roundoff=_roundoff(weight.dtype))
    if spectrum.state != "finite" or spectrum.eigenvalues.size < least:
        return nan
    return hill_alpha(spectrum.eigenvalues)


def _roundoff(dtype: Any) -> float:
    return float(max(torch.finfo(dtype).eps, torch.finfo(torch.float32).eps)) / 2
