"""Pairs of lines: A on one side and A⁻ᵀ on the other leave the products that attention takes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.symmetries.made import BERT, HEADS, LAYERS, SIZE, bert
from wqscore.checkpoints.in_memory import open_in_memory
from wqscore.refs.callers import as_ref
from wqscore.symmetries.acting import applied
from wqscore.symmetries.elements import invertible
from wqscore.symmetries.finding import find_layout
from wqscore.symmetries.pairs import Pair, continuous_pairs
from wqscore.symmetries.sites import Layout

WEIGHTS = bert()
LAYER = "encoder.layer.1.attention."


def _pairs() -> dict[str, tuple[Pair, ...]]:
    layout = find_layout(open_in_memory(as_ref(WEIGHTS, BERT)))
    assert isinstance(layout, Layout)
    return continuous_pairs(layout)


PAIRS = _pairs()


def test_a_bert_has_the_pairs_of_its_heads_alone() -> None:
    assert {name: len(pairs) for name, pairs in PAIRS.items()} == dict.fromkeys(
        ("attention.qk", "attention.vo"), HEADS * LAYERS
    )
    assert {(pair.size, pair.is_diagonal, pair.rotary) for pairs in PAIRS.values() for pair in pairs} == {
        (SIZE, False, 0)
    }


@pytest.mark.parametrize(
    ("name", "one", "other"),
    [("attention.qk", "self.query", "self.key"), ("attention.vo", "self.value", "output.dense")],
)
@settings(max_examples=examples(20))
@given(st.integers(0, HEADS - 1), st.integers(0, 999))
def test_the_product_of_a_head_stays_and_other_heads_too(
    name: str, one: str, other: str, head: int, seed: int
) -> None:
    factor, inverse = invertible(SIZE, 0.5, np.random.default_rng(seed))
    actions = list(PAIRS[name][HEADS + head].acted(factor, inverse))
    rows = slice(head * SIZE, (head + 1) * SIZE)

    def sides(moved: bool) -> tuple[np.ndarray, np.ndarray]:
        first, second = (
            applied(WEIGHTS[key], [each for each in actions if moved and each.lines.tensor == key])
            for key in (f"{LAYER}{one}.weight", f"{LAYER}{other}.weight")
        )
        return first, second if name == "attention.qk" else second.T

    before, after = sides(moved=False), sides(moved=True)
    np.testing.assert_allclose(after[0][rows].T @ after[1][rows], before[0][rows].T @ before[1][rows], atol=1e-10)
    for old, new in zip(before, after, strict=True):
        assert not np.allclose(old[rows], new[rows])
        np.testing.assert_array_equal(np.delete(old, range(*rows.indices(len(old))), 0), np.delete(new, rows, 0))
    bias = applied(
        WEIGHTS[f"{LAYER}{one}.bias"], [each for each in actions if each.lines.tensor == f"{LAYER}{one}.bias"]
    )
    np.testing.assert_allclose(bias[rows], factor @ WEIGHTS[f"{LAYER}{one}.bias"][rows], rtol=1e-12)
