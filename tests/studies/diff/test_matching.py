"""Which matrices are matched by name: never two for one, never one for two, and never by place."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wqscore.checkpoints.dtypes import STORED_DTYPES
from wqscore.checkpoints.tensor import TensorRef
from wqscore.matrices.weight_matrix import Cut, WeightMatrix
from wqscore.studies.diff.matching import by_name, remaining

NAMES = st.lists(
    st.lists(st.sampled_from(["a", "b", "bert", "module", "fc"]), min_size=1, max_size=3).map(".".join),
    unique=True,
    max_size=8,
)


def matrices(names: Sequence[str], rows: int = 8) -> list[WeightMatrix]:
    tensors = [TensorRef(name, (rows, 8), STORED_DTYPES["F32"], Path("f"), 0) for name in names]
    return [WeightMatrix(tensor.name, tensor, Cut(tensor.shape), "other", rows, 8) for tensor in tensors]


def found(base: Sequence[str], other: Sequence[str]) -> list[tuple[str, str, str]]:
    return [(pair.base.name, pair.other.name, pair.by) for pair in by_name(matrices(base), matrices(other))]


@settings(max_examples=examples(200))
@given(NAMES, NAMES)
def test_no_matrix_is_in_two_pairs_and_equal_names_are_paired(base: list[str], other: list[str]) -> None:
    pairs = found(base, other)
    assert len({one for one, _, _ in pairs}) == len({two for _, two, _ in pairs}) == len(pairs)
    assert {one for one, two, by in pairs if by == "name"} == set(base) & set(other)
    assert all(one == two for one, two, by in pairs if by == "name")


@settings(max_examples=examples(100))
@given(NAMES, NAMES, st.randoms())
def test_the_order_decides_nothing(base: list[str], other: list[str], random) -> None:
    shuffled = random.sample(other, len(other))
    assert sorted(found(base, other)) == sorted(found(base, shuffled))


def test_a_name_that_fits_two_fits_none() -> None:
    assert found(["fc.weight"], ["a.fc.weight", "b.fc.weight"]) == []
    assert found(["encoder.0.weight"], ["decoder.0.weight"]) == []


def test_a_component_is_dropped_on_one_side_and_known_prefixes_on_both() -> None:
    assert found(["x.encoder.weight"], ["encoder.weight"]) == [("x.encoder.weight", "encoder.weight", "prefix")]
    assert found(["encoder.weight"], ["x.encoder.weight"]) == [("encoder.weight", "x.encoder.weight", "prefix")]
    assert found(["bert.a.weight"], ["module.roberta.a.weight"]) == [
        ("bert.a.weight", "module.roberta.a.weight", "prefix")
    ]


def test_another_shape_is_no_pair() -> None:
    base, other = matrices(["fc.weight"]), matrices(["fc.weight"], rows=9)
    assert by_name(base, other) == []
    assert remaining(base, other, []) == (base, other)
