"""Cuts of a transposed matrix."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from wqscore.matrices.parts import contiguous, group_by_group
from wqscore.matrices.transposing import of_transpose


@given(st.integers(1, 4), st.lists(st.integers(1, 5), min_size=1, max_size=4), st.integers(1, 6), st.integers(0, 1))
def test_parts_of_a_transposed_matrix_are_the_parts(groups: int, sizes: list[int], columns: int, axis: int) -> None:
    named = [(f"part{number}", size) for number, size in enumerate(sizes)]
    rows = groups * sum(sizes)
    matrix = np.arange(rows * columns).reshape(rows, columns)
    cuts = [part.cut for part in group_by_group(matrix.shape, groups, named)]
    if groups == 1:
        flipped = matrix.T if axis else matrix
        parts = contiguous(flipped.shape, axis, dict(named))
        cuts += [part.cut for part in parts] if not axis else []
        for part in parts:
            expected = part.cut.of(flipped)
            assert (of_transpose(part.cut).of(flipped.T).reshape(expected.shape) == expected).all()
    for cut in cuts:
        expected = cut.of(matrix).reshape(-1, columns)
        assert (of_transpose(cut).of(np.ascontiguousarray(matrix.T)).reshape(-1, columns) == expected).all()
