"""A property that is computed once, by several threads at a time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from wqscore.cached_property import cached_property


class Matrix:
    """What computes its number together with another, or not at all."""

    def __init__(self, together: Barrier) -> None:
        self.together = together
        self.calls = 0

    @cached_property
    def number(self) -> int:
        """Three, once another thread computes it too."""
        self.calls += 1
        self.together.wait()
        return 3


def test_it_is_computed_once() -> None:
    matrix = Matrix(Barrier(1))
    assert (matrix.number, matrix.number, matrix.calls) == (3, 3, 1)
    assert Matrix.number.__doc__ == "Three, once another thread computes it too."


def test_two_instances_compute_at_the_same_time() -> None:
    together = Barrier(2, timeout=10)
    with ThreadPoolExecutor(2) as threads:
        assert list(threads.map(lambda matrix: matrix.number, [Matrix(together), Matrix(together)])) == [3, 3]
