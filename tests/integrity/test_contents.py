"""What `examine` finds in the bits, compared with plain NumPy on the numbers."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wqscore.integrity.contents import SHORTEST, Contents, Lines, digest, examine, fingerprint

DTYPES = [np.dtype("f8"), np.dtype("f4"), np.dtype("f2"), np.dtype(ml_dtypes.bfloat16)]


@st.composite
def planted(draw: st.DrawFn) -> np.ndarray:
    """A random matrix of any dtype and layout, with zero, constant and repeated lines, NaN and infinities."""
    rows, columns = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    # Few different values make lines agree by chance where they are sampled.
    values = rng.integers(0, 3, (rows, columns)) if draw(st.booleans()) else rng.standard_normal((rows, columns))
    matrix = values.astype(draw(st.sampled_from(DTYPES)))
    for _ in range(draw(st.integers(0, 4))):
        view = draw(st.sampled_from([matrix, matrix.T]))
        line, other = (draw(st.integers(0, len(view) - 1)) for _ in range(2))
        view[line] = draw(st.sampled_from([0.0, -0.0, 0.37, -2.0, view[other].copy()]))
    for _ in range(draw(st.integers(0, 3))):
        row, column = draw(st.integers(0, rows - 1)), draw(st.integers(0, columns - 1))
        matrix[row, column] = draw(st.sampled_from([np.nan, -np.nan, np.inf, -np.inf]))
    return np.asfortranarray(matrix) if draw(st.booleans()) else matrix


def plain_lines(matrix: np.ndarray) -> Lines:
    """The definition, a row at a time."""
    found: dict[str, list[int]] = {"zero": [], "constant": [], "repeated": []}
    seen: list[bytes] = []
    for index, row in enumerate(matrix):
        numbers = row.astype(np.float64)
        if len(row) > 1 and (numbers == 0).all():
            found["zero"].append(index)
        elif len(row) < SHORTEST or not np.isfinite(numbers).all():
            continue
        elif np.ptp(numbers) == 0:
            found["constant"].append(index)
        else:
            if row.tobytes() in seen:
                found["repeated"].append(index)
            seen.append(row.tobytes())
    return Lines(**{name: tuple(indices) for name, indices in found.items()})


@settings(max_examples=300, deadline=None)
@given(planted())
def test_it_finds_what_plain_numpy_finds(matrix: np.ndarray) -> None:
    numbers = matrix.astype(np.float64)
    same = bool(np.isfinite(numbers).all() and (numbers == numbers[0, 0]).all())
    expected = Contents(
        size=matrix.size,
        nan=int(np.isnan(numbers).sum()),
        positive=int((numbers == np.inf).sum()),
        negative=int((numbers == -np.inf).sum()),
        value=float(numbers[0, 0]) if same else None,
        rows=Lines() if same else plain_lines(matrix),
        columns=Lines() if same else plain_lines(matrix.T),
    )
    assert examine(matrix) == expected


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", [(1, 400_000), (3, 150_000), (150_000, 3), (700, 600)], ids=str)
def test_blocks_cover_every_entry(dtype: np.dtype, shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    matrix = rng.standard_normal(shape).astype(dtype)
    assert (examine(matrix).nan, examine(matrix).value) == (0, None)
    where = rng.choice(matrix.size, 40, replace=False)
    matrix.reshape(-1)[where] = np.repeat([np.nan, np.inf, -np.inf, -np.nan], 10)
    matrix[-1, -1] = np.nan
    numbers = matrix.astype(np.float32)
    contents = examine(matrix)
    assert contents.nan == np.isnan(numbers).sum() > 0
    assert (contents.positive, contents.negative) == ((numbers == np.inf).sum(), (numbers == -np.inf).sum())
    # One entry in the last block is enough not to be constant.
    matrix[:] = 0.5
    assert examine(matrix).value == 0.5
    matrix[-1, -1] = 0.25
    assert examine(matrix).value is None


def test_the_largest_and_smallest_numbers_are_finite_and_not_zero() -> None:
    for dtype in DTYPES:
        info = ml_dtypes.finfo(dtype)
        extremes = [info.max, info.min, info.smallest_subnormal, -info.smallest_subnormal]
        matrix = np.array(extremes, dtype).repeat(20).reshape(4, 20)
        contents = examine(matrix)
        assert (contents.nan, contents.positive, contents.negative) == (0, 0, 0)
        assert contents.rows == Lines(constant=(0, 1, 2, 3))


def test_rows_of_a_stack_of_opposite_signs_are_not_the_same() -> None:
    """Signs flipped in pairs cancel in the sums that candidates are found by."""
    rng = np.random.default_rng(0)
    row = rng.standard_normal(64)
    signs = rng.choice([-1.0, 1.0], (200, 64))
    matrix = np.concatenate([signs * row, signs[150:] * row])
    assert examine(matrix).rows == Lines(repeated=plain_lines(matrix).repeated)
    assert set(range(200, 250)) <= set(plain_lines(matrix).repeated)


def test_a_read_only_view_with_strides_is_examined_as_it_is() -> None:
    flat = np.arange(1200, dtype=np.float32)
    flat.flags.writeable = False
    view = np.lib.stride_tricks.as_strided(flat, (30, 40), (4, 120), writeable=False)
    expected = examine(np.ascontiguousarray(view))
    assert examine(view) == expected
    same_row = np.lib.stride_tricks.as_strided(flat, (30, 40), (0, 4), writeable=False)
    assert examine(same_row).rows.repeated == tuple(range(1, 30))


@settings(max_examples=60, deadline=None)
@given(planted(), planted())
def test_equal_matrices_have_equal_digests_and_others_do_not(one: np.ndarray, two: np.ndarray) -> None:
    same = one.shape == two.shape and one.dtype == two.dtype and one.tobytes() == two.tobytes()
    assert (digest(one) == digest(two)) == same
    for of in (digest, fingerprint):
        assert of(one) == of(np.ascontiguousarray(one)) == of(np.asfortranarray(one))


def test_matrices_of_one_sample_have_different_digests() -> None:
    one = np.random.default_rng(0).standard_normal((200, 200))
    other = one.copy()
    other[77, 123] += 1
    assert fingerprint(one) == fingerprint(other)
    assert digest(one) != digest(other)
    assert digest(one) != digest(one.reshape(100, 400))
