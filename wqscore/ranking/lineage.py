"""What weights say of models that are declared to descend from one another."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Unrelated:
    """Models that are declared one family, and whose weights are unrelated.

    Attributes:
        family: what they are declared: a family's name, or the model that they are said to come from.
        a: the first of a pair, for example.
        b: the second.
        cosine: the median cosine of the two.
        n_matrices: over how many matrices.
        pairs: how many pairs are unrelated.
        of: how many pairs could be compared.
    """

    family: str
    a: str
    b: str
    cosine: float
    n_matrices: int
    pairs: int
    of: int

    @property
    def text(self) -> str:
        """A line about it."""
        count = "" if self.of == 1 else f" of {self.pairs} of {self.of} pairs"
        return (
            f"declared one family ({self.family}), but the weights{count} are unrelated: {self.a} and {self.b} have "
            f"cosine {self.cosine:z.2f} over {self.n_matrices} matrices (wqscore kin)"
        )
