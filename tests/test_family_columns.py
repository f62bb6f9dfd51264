"""Two columns: `family`, what a model is ranked with, and `family_id`, from the model alone; `--family` sets both."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file
from typer.testing import CliRunner

import wqscore
from tests.examples import examples
from tests.leaderboards.conftest import NIGHT, build_at, listed, write_model
from wqscore.api.settings import Settings
from wqscore.checkpoints.checkpoint import Checkpoint
from wqscore.checkpoints.dtypes import STORED_DTYPES
from wqscore.checkpoints.tensor import TensorRef
from wqscore.cli import app
from wqscore.errors import UsageError
from wqscore.leaderboards.building import build
from wqscore.matrices.architecture import architecture_of
from wqscore.refs.model_list import ModelList
from wqscore.refs.reference import ModelRef

#: Of each model: its configuration, and the width of its layers.
MODELS: Mapping[str, tuple[dict[str, object], int]] = {
    "bert-1": ({"model_type": "bert", "vocab_size": 1000}, 64),
    "bert-2": ({"model_type": "bert", "vocab_size": 1010}, 64),
    "nameless-1": ({}, 64),
    "nameless-2": ({}, 64),
    "nameless-wide": ({}, 96),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    for seed, (name, (config, width)) in enumerate(MODELS.items()):
        rng = np.random.default_rng(seed)
        (folder / name).mkdir()
        save_file(
            {
                f"layers.{i}.fc.weight": (
                    rng.standard_t(3, (128, width)) @ rng.standard_normal((width, width)) * 0.04
                ).astype("f4")
                for i in range(7)
            },
            folder / name / "model.safetensors",
        )
        (folder / name / "config.json").write_text(json.dumps(config))
    return folder


def columns(text: str) -> dict[str, tuple[str, str]]:
    rows = csv.DictReader(io.StringIO(text))
    return {Path(row["model"]).name: (row["family"], row["family_id"]) for row in rows}


def ranked(folder: Path, *names: str, **settings: str) -> dict[str, tuple[str, str]]:
    refs = [str(folder / name) for name in names]
    return columns(wqscore.rank(refs, bootstrap=0, gof=0, settings=Settings(**settings)).to_csv())  # type: ignore[arg-type]


def test_the_family_id_does_not_depend_on_the_other_models(folder: Path) -> None:
    together = ranked(folder, *MODELS)
    apart = {name: ranked(folder, name)[name] for name in MODELS}
    assert {name: each[1] for name, each in together.items()} == {name: each[1] for name, each in apart.items()}
    assert together["bert-1"][1] == together["bert-2"][1] == "bert-1.0k"
    assert together["nameless-1"][1] == together["nameless-2"][1] != together["nameless-wide"][1]
    assert all(together[name][1].startswith("structure-") for name in MODELS if name.startswith("nameless"))
    # What it is ranked with does depend on them.
    assert together["nameless-1"][0] == "like nameless-1"
    assert apart["nameless-1"][0] == ""


def test_a_given_family_is_both_for_every_model(folder: Path) -> None:
    assert set(ranked(folder, *MODELS, family="mine").values()) == {("mine", "mine")}
    found = wqscore.rank([str(folder / name) for name in MODELS], family="mine", bootstrap=0, gof=0)
    assert sorted(model.rank or 0 for model in found.models) == [1, 2, 3, 4, 5]
    document = json.loads(found.to_json())["models"]
    assert {(model["family"], model["family_id"]) for model in document} == {("mine", "mine")}
    score = wqscore.score(str(folder / "bert-1"), family="mine", bootstrap=0, gof=0)
    assert (score.family, score.family_id) == ("mine", "mine")
    assert json.loads(score.to_json())["family_id"] == "mine"


def test_the_option(folder: Path) -> None:
    refs = [str(folder / name) for name in ("bert-1", "nameless-wide")]
    cheap = ["--no-store", "--bootstrap", "0", "--gof", "0", "--quiet", "--family", "one family"]
    done = CliRunner().invoke(app, ["rank", *refs, *cheap, "--no-report", "--format", "csv"])
    assert done.exit_code == 0, done.output
    assert set(columns(done.stdout).values()) == {("one family", "one family")}
    done = CliRunner().invoke(app, ["score", refs[0], *cheap, "--format", "json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["family_id"] == "one family"


@pytest.mark.parametrize("family", ["", "  ", "two\nlines", "\x1b[31m"])
def test_a_family_without_visible_characters_is_refused(family: str) -> None:
    with pytest.raises(UsageError, match="give a name of visible characters"):
        Settings(family=family)


def test_a_leaderboards_family(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = [write_model(tmp_path / str(seed), seed) for seed in range(2)]
    entries = [listed(folder, f"toy-{i}", family=f"list-{i}") for i, folder in enumerate(folders)]
    out = tmp_path / "site"
    built = build_at(NIGHT, entries, out)
    assert columns((out / "data/models.csv").read_text(encoding="utf-8")) == {
        f"toy-{i}": (f"list-{i}", f"list-{i}") for i in range(2)
    }
    # A night later one of them can't be read: its old row is in the family of all models too.
    (folders[1] / "model.safetensors").write_bytes(b"cut short")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", str(int(NIGHT) + 86_400))
    built = build([ModelList("toys", "Toys", None, tuple(entries))], out, settings=Settings(jobs=1, family="ours"))
    found = columns((out / "data/models.csv").read_text(encoding="utf-8"))
    assert found == {f"toy-{i}": ("ours", "ours") for i in range(2)}
    assert [model.status for model in built.site.models] == ["scored", "stale"]


SHAPES = st.dictionaries(
    st.text("abc.", min_size=1), st.lists(st.integers(1, 9), min_size=1, max_size=3).map(tuple), min_size=1
)


def checkpoint(shapes: Mapping[str, tuple[int, ...]]) -> Checkpoint:
    tensors = [
        TensorRef(name, shape, STORED_DTYPES["F32"], Path("m.safetensors"), 0) for name, shape in shapes.items()
    ]
    return Checkpoint(ModelRef("m", "folder"), None, {}, tuple(tensors))


@settings(max_examples=examples(50))
@given(SHAPES, st.randoms())
def test_the_digest_is_of_names_and_shapes_in_any_order(shapes: dict[str, tuple[int, ...]], random: object) -> None:
    found = architecture_of(checkpoint(shapes)).structure
    order = list(shapes)
    random.shuffle(order)  # type: ignore[attr-defined]
    assert architecture_of(checkpoint({name: shapes[name] for name in order})).structure == found
    assert architecture_of(checkpoint({f"bert.{name}": shapes[name] for name in order})).structure == found
    first = order[0]
    assert architecture_of(checkpoint({**shapes, first: (*shapes[first], 1)})).structure != found
    assert architecture_of(checkpoint({**shapes, "new": (3,)})).structure != found
