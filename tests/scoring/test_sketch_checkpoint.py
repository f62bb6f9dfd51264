"""Sketching a checkpoint: what the store has is used, what it lacks is made, what can't be right is not believed."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

import wqscore
from tests.saved_models import saved
from tests.small_models import bert
from wqscore.checkpoints.opening import open_checkpoint
from wqscore.fits.sampling import USUAL
from wqscore.presets.registry import DEFAULT
from wqscore.refs.callers import as_ref
from wqscore.scoring.cache import ScoreCache
from wqscore.scoring.cache_keys import DIRECTIONS, SKETCH
from wqscore.scoring.score_checkpoint import Work
from wqscore.scoring.sketch_checkpoint import Sketches, sketch_checkpoint
from wqscore.sketches.count_sketch import count_sketch
from wqscore.stores.records import Method
from wqscore.stores.store import Store

pytestmark = pytest.mark.usefixtures("settled")

MODEL = bert(0, layers=1)
MATRICES = sum(value.ndim == 2 for value in MODEL.values())


def sketches(path: str, store: Path | None = None) -> Sketches:
    checkpoint = open_checkpoint(as_ref(path))
    if store is None:
        return sketch_checkpoint(checkpoint, DEFAULT, Work())
    with Store.open(store) as opened:
        return sketch_checkpoint(checkpoint, DEFAULT, Work(cache=ScoreCache(opened, DEFAULT, USUAL)))


def same(one: Sketches, other: Sketches, directions: bool = True) -> None:
    assert [each.matrix.name for each in one.matrices] == [each.matrix.name for each in other.matrices]
    for a, b in zip(one.matrices, other.matrices, strict=True):
        assert a.digest == b.digest
        assert (a.spectrum.eigenvalues == b.spectrum.eigenvalues).all()
        assert a.sketch.sums.tobytes() == b.sketch.sums.tobytes()
        assert (a.sketch.zeros, a.sketch.levels) == (b.sketch.zeros, b.sketch.levels)
        if directions:
            assert a.directions is not None and b.directions is not None
            assert (a.directions == b.directions).all()


def scored(path: str, store: Path) -> None:
    wqscore.score(path, store=store, metrics="stable_rank", bootstrap=0, gof=0, jobs=1)


def execute(store: Path, statement: str) -> None:
    with closing(sqlite3.connect(store)) as connection, connection:
        connection.execute(statement)


def test_a_sketch_is_that_of_the_weights_over_their_norm(tmp_path: Path) -> None:
    for each in sketches(saved(tmp_path / "m", MODEL)).matrices:
        weights = MODEL[each.matrix.name]
        assert np.allclose(each.sketch.sums, count_sketch(weights[None])[0] / np.linalg.norm(weights), atol=1e-6)


def test_with_and_without_a_store_all_is_the_same(tmp_path: Path, counts: dict[str, int]) -> None:
    path, store = saved(tmp_path / "m", MODEL), tmp_path / "store.sqlite"
    alone = sketches(path)
    same(alone, sketches(path, store))
    counts.update(read=0, solved=0)
    again = sketches(path, store)
    same(alone, again)
    assert counts == {"read": 0, "solved": 0}
    assert again.read == 0


def test_scoring_keeps_the_same_sketches(tmp_path: Path, counts: dict[str, int]) -> None:
    path, store = saved(tmp_path / "m", MODEL), tmp_path / "store.sqlite"
    scored(path, store)
    counts.update(read=0, solved=0)
    found = sketches(path, store)
    assert counts == {"read": 0, "solved": 0}
    same(found, sketches(path), directions=False)
    assert all(each.directions is None for each in found.matrices)


def test_a_store_without_sketches_serves_its_spectra(tmp_path: Path, counts: dict[str, int]) -> None:
    """As one of version 0.5.0: each tensor is read once, and none is solved."""
    path, store = saved(tmp_path / "m", MODEL), tmp_path / "store.sqlite"
    scored(path, store)
    execute(store, "DELETE FROM results WHERE method = 'sketch'")
    counts.update(read=0, solved=0)
    found = sketches(path, store)
    assert counts == {"read": MATRICES, "solved": 0}
    same(found, sketches(path))
    counts.update(read=0, solved=0)
    same(found, sketches(path, store))
    assert counts == {"read": 0, "solved": 0}


def test_a_sketch_of_an_older_recipe_is_made_again(
    tmp_path: Path, counts: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, store = saved(tmp_path / "m", MODEL), tmp_path / "store.sqlite"
    sketches(path, store)
    newer = Method(SKETCH.name, SKETCH.parameters, SKETCH.version + 1)
    for name in ("cache", "cached_sketch"):
        monkeypatch.setattr(f"wqscore.scoring.{name}.SKETCH", newer)
    counts.update(read=0, solved=0)
    sketches(path, store)
    assert counts == {"read": MATRICES, "solved": 0}


def test_the_seed_is_part_of_the_key() -> None:
    assert "20260101" in SKETCH.parameters
    assert "20260101" in DIRECTIONS.parameters


@pytest.mark.parametrize("value", ['"x"', "{}", "null", '{"sums":"AAAA","zeros":0,"levels":0}'])
def test_what_is_no_sketch_is_made_again(tmp_path: Path, counts: dict[str, int], value: str) -> None:
    path, store = saved(tmp_path / "m", MODEL), tmp_path / "store.sqlite"
    whole = sketches(path, store)
    with Store.open(store) as opened:
        forged = {key: json.loads(value) for key, _ in opened.all_results() if key.method == SKETCH}
        opened.put(results=forged, recalled={key.spectrum for key in forged})
    counts.update(read=0, solved=0)
    same(whole, sketches(path, store))
    assert counts["read"] == MATRICES


def test_a_renamed_copy_is_known_by_its_values(tmp_path: Path, counts: dict[str, int]) -> None:
    store = tmp_path / "store.sqlite"
    sketches(saved(tmp_path / "a", MODEL), store)
    copy: Mapping[str, np.ndarray] = {name.removeprefix("bert."): value for name, value in MODEL.items()}
    counts.update(read=0, solved=0)
    sketches(saved(tmp_path / "b", copy), store)
    assert counts == {"read": MATRICES, "solved": 0}


def test_tied_copies_count_once_and_zeros_each(tmp_path: Path) -> None:
    tied = {**MODEL, "lm_head.weight": MODEL["bert.embeddings.word_embeddings.weight"].copy()}
    zeros = {f"bert.encoder.layer.{at}.output.dense.weight": np.zeros((64, 128), "f4") for at in (5, 6)}
    assert len(sketches(saved(tmp_path / "a", tied)).matrices) == MATRICES
    assert len(sketches(saved(tmp_path / "b", {**MODEL, **zeros})).matrices) == MATRICES + 2
