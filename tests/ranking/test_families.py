"""Which models share ranks: by declared family, by configuration, and without a configuration."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

import wqscore
from wqscore.checkpoints.opening import open_checkpoint
from wqscore.matrices.architecture import Architecture, architecture_of
from wqscore.ranking.families import resolve_families
from wqscore.refs.reference import ModelRef
from wqscore.scoring.model_score import ModelScore


@pytest.fixture(scope="module")
def score(tmp_path_factory: pytest.TempPathFactory) -> ModelScore:
    folder = tmp_path_factory.mktemp("model")
    rng = np.random.default_rng(0)
    shapes = {
        "embeddings.word_embeddings.weight": (70, 60),
        "layer.0.fc1.weight": (64, 60),
        "layer.1.fc1.weight": (64, 60),
    }
    save_file(
        {name: rng.standard_normal(shape).astype("f4") for name, shape in shapes.items()},
        folder / "model.safetensors",
    )
    return wqscore.score(str(folder), metrics="alpha", bootstrap=0, gof=0)


def model(
    score: ModelScore, label: str, declared: str = "", model_type: str = "", vocabulary: int | None = None
) -> ModelScore:
    return replace(
        score,
        ref=ModelRef(label, "folder"),
        declared_family=declared,
        architecture=Architecture(model_type, vocabulary, 60, 2),
    )


@pytest.mark.parametrize(
    ("models", "families"),
    [
        # Architecture and vocabulary, however it is padded: Pythia's from 70 M to 12 B.
        ([("", "gpt_neox", 50304), ("", "gpt_neox", 50688), ("", "gpt_neox", 50277)], ["gpt_neox-50.7k"] * 3),
        ([("", "qwen2", 151936), ("", "qwen2", 152064)], ["qwen2-152.1k"] * 2),
        ([("", "bert", 30522), ("", "bert", 119547)], ["bert-30.7k", "bert-119.8k"]),
        ([("", "bert", 30522), ("", "mpnet", 30527)], ["bert-30.7k", "mpnet-30.7k"]),
        ([("", "vit", None)], ["vit"]),
        # A fine-tune of a listed model that is in no list belongs with it.
        ([("gpt2", "gpt2", 50257), ("", "gpt2", 50258)], ["gpt2", "gpt2"]),
        # Where two declared families are of one architecture and vocabulary, it can't be told to which.
        ([("llama-1", "llama", 32000), ("llama-2", "llama", 32000), ("", "llama", 32000)],
         ["llama-1", "llama-2", "llama-32.3k"]),
        # Without an architecture, the structure tells; with another vocabulary it does not.
        ([("", "bert", 591), ("", "", 591), ("", "", 30522)], ["bert-1.0k", "bert-1.0k", ""]),
        ([("", "", None), ("", "bert", 591), ("", "", None)], ["like m0", "bert-1.0k", "like m0"]),
        ([("", "", None)], [""]),
    ],
)  # fmt: skip
def test_families(score: ModelScore, models: list[tuple[str, str, int | None]], families: list[str]) -> None:
    assert resolve_families([model(score, f"m{i}", *known) for i, known in enumerate(models)]) == families


def test_structures_that_share_less_than_half_are_not_alike(score: ModelScore) -> None:
    other = replace(model(score, "other"), rows=score.rows[:1])
    assert resolve_families([model(score, "one"), other]) == ["", ""]


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"model_type": "bert", "vocab_size": 30522, "hidden_size": 768}, ("bert", 30522, 768)),
        ({"model_type": "llava", "text_config": {"vocab_size": 32064, "hidden_size": 4096}}, ("llava", 32064, 4096)),
        ({"model_type": ["bert"], "vocab_size": "many", "n_embd": -3}, ("", None, None)),
        ({"model_type": "gpt2", "vocab_size": True, "n_embd": 768}, ("gpt2", None, 768)),
    ],
)
def test_an_architecture_is_read_off_the_configuration(tmp_path: Path, config: dict, expected: tuple) -> None:
    names = (
        "encoder.block.0.layer.0.q.weight",
        "encoder.block.0.layer.1.wo.weight",
        "decoder.block.0.layer.0.q.weight",
    )
    save_file(
        {name: np.zeros((2, 2), "f4") for name in names} | {"norm.3.weight": np.zeros(2, "f4")},
        tmp_path / "model.safetensors",
    )
    (tmp_path / "config.json").write_text(json.dumps(config))
    found = architecture_of(open_checkpoint(ModelRef("m", "folder", path=tmp_path)))
    assert (found.model_type, found.vocabulary, found.hidden_size) == expected
    assert found.depth == 2


def test_fine_tunes_whose_configurations_name_no_architecture_share_ranks_with_their_parent(
    checkpoints: Path,
) -> None:
    names = ("rxnfp-bert_pretrained", "rxnfp-bert_ft", "rxnfp-bert_ft_10k_25s", "rxnmapper-albert")
    ranking = wqscore.rank([str(checkpoints / name) for name in names], metrics="alpha", bootstrap=0, gof=0)
    assert {model.ref.path.name: model.family for model in ranking.models} == {
        **dict.fromkeys(names[:3], "bert-1.0k"),
        "rxnmapper-albert": "albert-1.0k",
    }
    # Each fine-tune against its parent, pair by pair.
    assert [(pair.difference.pairs, pair.difference.lost) for pair in ranking.pairs] == [(73, 0)] * 3
