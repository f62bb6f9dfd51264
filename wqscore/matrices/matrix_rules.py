"""The settings that decide which matrices of a checkpoint are scored and averaged."""

from __future__ import annotations

from dataclasses import dataclass

from wqscore.matrices.roles import OUTSIDE_AVERAGES


@dataclass(frozen=True)
class MatrixRules:
    """How tensors become matrices, and which matrices count in a model's averages.

    Attributes:
        split_fused: whether fused projections are scored part by part.
        pool_slices: whether a convolution is one matrix with the eigenvalues of its slices pooled, or one per slice.
        max_side: matrices with a longer side are skipped; `None` for no limit.
        min_eigenvalues: matrices with fewer eigenvalues are `too-small` and in no average.
        average_all_roles: whether embeddings and heads are in the averages.
    """

    split_fused: bool = True
    pool_slices: bool = True
    max_side: int | None = None
    min_eigenvalues: int = 50
    average_all_roles: bool = False

    def averages(self, role: str) -> bool:
        """Whether matrices of this role are in a model's averages, and so in its coverage."""
        return self.average_all_roles or role not in OUTSIDE_AVERAGES
