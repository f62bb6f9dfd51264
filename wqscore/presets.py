"""Presets: frozen sets of constants, so that a number can be compared with the one it is meant to equal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from wqscore.errors import UsageError
from wqscore.fits.power_law import CandidateRule
from wqscore.matrices.rules import MatrixRules
from wqscore.metrics import weightwatcher
from wqscore.metrics.metric import MatrixFunction
from wqscore.metrics.registry import METRICS


@dataclass(frozen=True)
class Preset:
    """Every choice that changes a score.

    Attributes:
        name: what `--preset` takes.
        description: one line for people.
        fit_floor: eigenvalues at or below it are not fitted; `None` for the relative floor of `Spectrum.floor`.
        candidates: which eigenvalues may be xmin.
        matrices: how tensors become matrices, and which of them count.
        convolution_scale: factor on the eigenvalues of convolutions.
        exact_small_end: whether near-singular matrices are solved by SVD.
        flipped_sign_in_averages: whether alpha_weighted and log_alpha_norm are averaged where λ_max < 1.
        headline: the statistic over matrices that models are ranked by.
        metrics: metric functions that differ from the registry's.
        columns: columns that have another name in the output.
        larger_side_first: whether the two sides are written as larger and smaller, not as rows and columns.
    """

    name: str
    description: str
    fit_floor: float | None = None
    candidates: CandidateRule = "tail"
    matrices: MatrixRules = field(default_factory=MatrixRules)
    convolution_scale: float = 1.0
    exact_small_end: bool = False
    flipped_sign_in_averages: bool = False
    headline: Literal["median", "mean"] = "median"
    metrics: Mapping[str, MatrixFunction] = field(default_factory=lambda: MappingProxyType({}))
    columns: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    larger_side_first: bool = False

    def function(self, metric: str) -> MatrixFunction:
        """The function that computes a metric under this preset."""
        return self.metrics.get(metric) or METRICS[metric].compute


DEFAULT = Preset("default", "wqscore's own: relative floor, tails of 10 and more, parts of fused matrices, medians")

WW_0_7 = Preset(
    "ww-0.7",
    "WeightWatcher 0.7 as published: floor 1e-5, every point a candidate, fused matrices whole, means over all",
    fit_floor=1e-5,
    candidates="every-point",
    matrices=MatrixRules(split_fused=False, max_side=50_000, min_eigenvalues=8, average_all_roles=True),
    convolution_scale=0.5,
    exact_small_end=True,
    flipped_sign_in_averages=True,
    headline="mean",
    metrics=MappingProxyType(
        {
            "matrix_rank": weightwatcher.matrix_rank,
            "rank_loss": weightwatcher.rank_loss,
            "entropy": weightwatcher.entropy,
        }
    ),
    columns=MappingProxyType({"rows": "N", "columns": "M", "n_tail": "num_pl_spikes"}),
    larger_side_first=True,
)

PRESETS = MappingProxyType({preset.name: preset for preset in (DEFAULT, WW_0_7)})


def find_preset(name: str) -> Preset:
    """Return the preset of that name.

    Raises:
        UsageError: there is none.
    """
    if name not in PRESETS:
        raise UsageError(f"no preset called {name!r}: there are {', '.join(PRESETS)}")
    return PRESETS[name]
