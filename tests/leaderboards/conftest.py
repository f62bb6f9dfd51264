"""A site of hostile names, one of many models, and a real browser; nothing goes over a network."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from wqscore.api.settings import Settings
from wqscore.leaderboards.building import Built, build
from wqscore.leaderboards.known import KnownColumn
from wqscore.refs.model_list import ListedModel, ModelList
from wqscore.stores.store import Store
from wqscore.studies.known.score_table import ScoreTable

#: What could end an element, an attribute, a comment or a string, turn text around, or run in a spreadsheet.
HOSTILE = "=1+1|<script>alert(1)</script><!--\"'`${x}{{ 7*7 }}]]>&lt;\u202eevil\u200f<img src=x onerror=alert(2)>"
LONG = "n" * 300
NIGHT = "1795305600"


def write_model(folder: Path, seed: int, names: tuple[str, ...] = (), layers: int = 7) -> Path:
    rng = np.random.default_rng(seed)
    parts = [f"encoder.layer.{i}.intermediate.dense.weight" for i in range(layers)]
    tensors = {
        name: (rng.standard_t(3, (96, 64)) @ rng.standard_normal((64, 64)) * 0.04).astype("f4")
        for name in (*parts, *names)
    }
    folder.mkdir(parents=True)
    save_file(tensors, folder / "model.safetensors")
    return folder


def listed(folder: Path, name: str, **said: object) -> ListedModel:
    return replace(ListedModel(str(folder), (name,), family="toys"), **said)  # type: ignore[arg-type]


def build_at(
    epoch: str,
    models: list[ListedModel],
    out: Path,
    title: str = "Toys",
    known: ScoreTable | None = None,
    store: Store | None = None,
) -> Built:
    before = os.environ.get("SOURCE_DATE_EPOCH")
    os.environ["SOURCE_DATE_EPOCH"] = epoch
    try:
        settings = Settings(jobs=1, store=store)
        return build(
            [ModelList("toys", title, None, tuple(models))],
            out,
            settings=settings,
            known=KnownColumn(known) if known else None,
        )
    finally:
        if before is None:
            del os.environ["SOURCE_DATE_EPOCH"]
        else:
            os.environ["SOURCE_DATE_EPOCH"] = before


@pytest.fixture(scope="session")
def toys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site of five models in two families, one of which failed on the second night, with a model withdrawn."""
    folder = tmp_path_factory.mktemp("toys")
    models = [
        listed(
            write_model(folder / str(seed), seed),
            f"toy-{seed}",
            family="small" if seed < 3 else "odd",
            licence="mit" if seed % 2 else "apache-2.0",
            year=2020 + seed,
        )
        for seed in range(5)
    ]
    build_at(NIGHT, models, folder / "site")
    (folder / "4" / "model.safetensors").write_bytes(b"cut short")
    build_at(str(int(NIGHT) + 86_400), models[1:], folder / "site")
    return folder / "site"


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site whose title, models, families, licences and matrices are named to break out of it."""
    folder = tmp_path_factory.mktemp("hostile")
    names = (f"layers.0.{HOSTILE}.fc1.weight", f"{HOSTILE}.fc2.weight", f"layers.1.{LONG}.fc1.weight")
    models = [
        listed(write_model(folder / "0", 0, names), HOSTILE, family=HOSTILE, licence=HOSTILE),
        listed(write_model(folder / "1", 1), LONG, family=LONG, licence=LONG),
        listed(write_model(folder / "2", 2), "@SUM(1)"),
    ]
    (folder / "2" / "model.safetensors").write_bytes(b"cut")
    build_at(NIGHT, models, folder / "site", title=HOSTILE)
    return folder / "site"
