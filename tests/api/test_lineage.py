"""A ranking says where models are declared one family and share no weights, and nowhere else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import wqscore
from tests.saved_models import saved
from tests.small_models import bert
from tests.studies.diff.made import adapter
from tests.studies.kin.made import changed
from wqscore.checkpoints.tensor import TensorRef
from wqscore.ranking.ranking import Ranking

pytestmark = pytest.mark.usefixtures("settled")

QUICK: Mapping[str, Any] = {"metrics": "stable_rank", "by": "stable_rank", "bootstrap": 0, "gof": 0, "jobs": 1}
BASE = bert(0, layers=1)
TUNED = changed(BASE, np.random.default_rng(0), 0.1)
LISTED = "google-bert/bert-base-uncased"


def write(folder: Path, weights: Mapping[str, np.ndarray], base: str = "") -> str:
    path = saved(folder, weights)
    config = {"model_type": "bert", "hidden_size": 64, "vocab_size": 200, "num_hidden_layers": 1}
    Path(path, "config.json").write_text(json.dumps({**config, **({"_name_or_path": base} if base else {})}))
    return path


def ranked(tmp_path: Path, base: str = "", store: bool = True, **settings: Any) -> Ranking:
    models = [
        write(tmp_path / "one", BASE, base),
        write(tmp_path / "tuned", TUNED, base),
        write(tmp_path / "other", bert(1, layers=1), base),
    ]
    kept = {"store": tmp_path / "store.sqlite"} if store else {}
    return wqscore.rank(models, **kept, **QUICK, **settings)


def test_a_family_by_name_without_shared_weights_is_told(tmp_path: Path) -> None:
    found = ranked(tmp_path, family="mine")
    (told,) = found.unrelated
    assert (told.family, told.pairs, told.of) == ("mine", 2, 3)
    assert told.a.endswith("one") and told.b.endswith("other")
    words = "declared one family (mine), but the weights of 2 of 3 pairs are unrelated"
    assert words in found.to_markdown()
    assert words in found.to_html()
    assert json.loads(found.to_json())["unrelated"][0]["family"] == "mine"


def test_a_declared_base_without_shared_weights_is_told(tmp_path: Path) -> None:
    (told,) = ranked(tmp_path, LISTED).unrelated
    assert told.family == LISTED


@pytest.mark.parametrize("card", [f"base_model: {LISTED}", f"base_model:\n- {LISTED}\n- org/other"])
def test_a_base_that_the_card_names_is_a_declaration(tmp_path: Path, card: str) -> None:
    models = [write(tmp_path / "one", BASE), write(tmp_path / "other", bert(1, layers=1))]
    for model in models:
        Path(model, "README.md").write_text(f"---\nlicense: mit\n{card}\n---\n# A model\n")
    (told,) = wqscore.rank(models, store=tmp_path / "store.sqlite", **QUICK).unrelated
    assert told.family == LISTED


def test_adapters_of_one_base_are_not_told(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    adapters = [
        adapter(tmp_path / name, "layers.0.fc1", rng.standard_normal((16, 40)), rng.standard_normal((50, 16)), 4)
        for name in ("a", "b")
    ]
    assert not wqscore.rank(adapters, store=tmp_path / "store.sqlite", family="mine", **QUICK).unrelated


@pytest.mark.parametrize("base", ["", "./run/3", "/data/run", "configs/small", "output"])
def test_without_a_declaration_of_descent_nothing_is_told(tmp_path: Path, base: str) -> None:
    found = ranked(tmp_path, base)
    assert found.families == ("bert-h64-v256",) or len(found.families) == 1
    assert not found.unrelated
    assert "unrelated" not in json.loads(found.to_json())


def test_without_a_store_nothing_is_told(tmp_path: Path) -> None:
    assert not ranked(tmp_path, store=False, family="mine").unrelated


def test_related_models_and_other_shapes_are_not_told(tmp_path: Path) -> None:
    models = [
        write(tmp_path / "one", BASE),
        write(tmp_path / "tuned", TUNED),
        write(tmp_path / "cut", {name: value[:-8, :-8].copy() for name, value in BASE.items() if value.ndim == 2}),
    ]
    assert not wqscore.rank(models, store=tmp_path / "s.sqlite", family="mine", **QUICK).unrelated


def test_no_weight_is_read_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ranked(tmp_path)
    models = [str(tmp_path / name) for name in ("one", "tuned", "other")]

    def refuse(self: TensorRef) -> np.ndarray:
        raise AssertionError(self.name)

    monkeypatch.setattr(TensorRef, "read", refuse)
    assert wqscore.rank(models, store=tmp_path / "store.sqlite", family="mine", **QUICK).unrelated


def test_a_leaderboard_tells_it_beside_its_answer(tmp_path: Path) -> None:
    ranked(tmp_path)
    models = [str(tmp_path / name) for name in ("one", "tuned", "other")]
    site = wqscore.leaderboard(models, tmp_path / "site", family="mine", store=tmp_path / "store.sqlite", jobs=1)
    assert "Declared one family (mine), but the weights of 2 of 3 pairs are unrelated" in site.index.read_text()
