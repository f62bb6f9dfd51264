"""Small scored models, and the pages made from them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from wqscore.checkpoints.opening import open_checkpoint
from wqscore.ranking.ranking import Ranking, rank_models
from wqscore.refs.reference import ModelRef
from wqscore.scoring.model_score import Failure, ModelScore
from wqscore.scoring.score_checkpoint import score_checkpoint

#: Everything that could end an element, an attribute, a comment, a script or a line, or turn text around.
HOSTILE = (
    "<script>alert(1)</script></script><!--\"'`${x}{{ 7*7 }}]]>&lt;\u2028\u202eevil\u200f<img src=x onerror=alert(2)>"
)
LONG = "n" * 300


def bert(seed: int, layers: int = 2) -> dict[str, np.ndarray]:
    """The tensors of a tiny BERT with heavy-tailed weights."""
    rng = np.random.default_rng(seed)

    def heavy(rows: int, columns: int) -> np.ndarray:
        # Mixed columns: entries that go together, as those of trained matrices do and no shuffle's.
        mixing = rng.standard_normal((columns, columns)) / columns**0.5
        return (rng.standard_t(3, (rows, columns)) @ mixing * 0.3).astype(np.float32)

    tensors = {"bert.embeddings.word_embeddings.weight": heavy(200, 64), "bert.pooler.dense.weight": heavy(64, 64)}
    for layer in range(layers):
        prefix = f"bert.encoder.layer.{layer}"
        for part in ("query", "key", "value"):
            tensors[f"{prefix}.attention.self.{part}.weight"] = heavy(64, 64)
            tensors[f"{prefix}.attention.self.{part}.bias"] = np.zeros(64, dtype=np.float32)
        tensors[f"{prefix}.attention.output.dense.weight"] = heavy(64, 64)
        tensors[f"{prefix}.attention.output.LayerNorm.weight"] = np.ones(64, dtype=np.float32)
        tensors[f"{prefix}.intermediate.dense.weight"] = heavy(128, 64)
        tensors[f"{prefix}.output.dense.weight"] = heavy(64, 128)
    return tensors


def score_tensors(folder: Path, name: str, tensors: dict[str, np.ndarray], family: str = "bert") -> ModelScore:
    folder.mkdir(parents=True)
    save_file(tensors, folder / "model.safetensors")
    return score_checkpoint(open_checkpoint(ModelRef(name, "folder", path=folder)), family)


@pytest.fixture(scope="session")
def ranking(tmp_path_factory: pytest.TempPathFactory) -> Ranking:
    """Three ranked models, one of them with every kind of row; one unranked; one failed."""
    folder = tmp_path_factory.mktemp("models")
    odd = bert(2)
    odd["bert.encoder.layer.0.attention.self.query.weight"][3, 5] = np.nan
    odd["bert.encoder.layer.1.attention.self.query.weight"][:] = 0
    odd["bert.encoder.layer.1.attention.self.key.weight"] = np.eye(64, dtype=np.float32)
    odd["cls.predictions.decoder.weight"] = odd["bert.embeddings.word_embeddings.weight"].copy()
    odd["classifier.weight"] = odd["bert.pooler.dense.weight"][:3].copy()
    odd["bert.encoder.layer.0.output.dense.weight"] = np.ones((64, 128), dtype=np.int8)
    bad = {name: value.astype(np.int8) if value.ndim == 2 else value for name, value in bert(3).items()}
    bad["bert.pooler.dense.weight"] = bert(3)["bert.pooler.dense.weight"]
    hub = replace(score_tensors(folder / "1", "org/one", bert(1)), revision="0123456789" * 4)
    scores = [
        score_tensors(folder / "0", "models/zero", bert(0)),
        hub,
        score_tensors(folder / "2", "models/odd", odd),
        score_tensors(folder / "3", "models/quantised", bad),
    ]
    missing = Failure(ModelRef("org/missing", "hub", repo="org/missing"), "org/missing: no such model on the Hub")
    return rank_models(scores, failures=[missing])


@pytest.fixture(scope="session")
def hostile_ranking(tmp_path_factory: pytest.TempPathFactory) -> Ranking:
    """A model whose tensors, family and skips have names made to break out of a page, and two such failures."""
    folder = tmp_path_factory.mktemp("hostile")
    tensors = {f"layers.0.{HOSTILE}.fc1.weight": value for value in [bert(0)["bert.pooler.dense.weight"]]}
    tensors |= {f"layers.1.{LONG}.fc1.weight": bert(1)["bert.pooler.dense.weight"]}
    tensors |= {f"layers.0.{HOSTILE}.bias": np.zeros(64, dtype=np.float32)}
    tensors |= {f"layers.2.{HOSTILE}.fc1.weight": np.ones((64, 64), dtype=np.int8)}
    failures = [
        Failure(ModelRef(HOSTILE, "folder"), f"{HOSTILE}: can't be read"),
        Failure(ModelRef(LONG, "folder"), LONG),
    ]
    scores = [score_tensors(folder / "0", HOSTILE, tensors, HOSTILE), score_tensors(folder / "1", LONG, bert(1))]
    return rank_models(scores, failures=failures)


@pytest.fixture(scope="session")
def html(ranking: Ranking) -> str:
    return ranking.to_html()


@pytest.fixture(scope="session")
def hostile_html(hostile_ranking: Ranking) -> str:
    return hostile_ranking.to_html()
