"""Each transformation against the model: transformers gives the same log-softmax before and after."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.symmetries.tiny import MODELS, build, log_softmax, opened, store
from wqscore.symmetries.changed_tensors import changed_tensors
from wqscore.symmetries.derived import stored_of, transformed
from wqscore.symmetries.finding import find_layout
from wqscore.symmetries.sites import NAMES, Layout
from wqscore.symmetries.transformations import draw, why_not

_POST_NORM = {"norm.gain", "residual.rotation", "residual.scale"}
_NO_SCALE = {"neuron.scale"}
_RMS = {"norm.mean"}
#: The transformations that each model hasn't.
MISSING: dict[str, set[str]] = {
    **dict.fromkeys(("bert", "bert-body", "roberta", "distilbert", "albert"), _POST_NORM | _NO_SCALE),
    "gpt2": _NO_SCALE | {"residual.rotation"},
    "gpt2-untied": _NO_SCALE,
    "gpt2-relu": {"residual.rotation"},
    "opt": {"residual.rotation", "residual.scale"},
    **dict.fromkeys(("neox", "neox-sequential"), _NO_SCALE),
    **dict.fromkeys(
        ("llama", "llama-biased", "mistral", "qwen2", "qwen3", "mixtral", "phi3", "phi3-partial", "qwen3-moe"), _RMS
    ),
    "llama-tied": _RMS | {"residual.rotation"},
}


@pytest.mark.oracle("torch", "transformers")
@pytest.mark.parametrize("name", MODELS)
def test_the_outputs_stay_under_every_transformation_that_applies(
    name: str, tmp_path: Path, monkeypatch: Any
) -> None:
    folder = build(name, tmp_path / "model")
    checkpoint = opened(folder)
    layout = find_layout(checkpoint)
    assert isinstance(layout, Layout)
    stored, before = stored_of(checkpoint, layout), log_softmax(folder, monkeypatch)
    assert {each for each in NAMES if why_not(each, layout, stored)} == MISSING[name]
    for place, each in enumerate(NAMES):
        if each in MISSING[name]:
            continue
        drawn = draw(each, layout, stored, np.random.default_rng(place), 0.6)
        assert changed_tensors(each, layout) == drawn.actions.keys(), each
        changed = transformed(checkpoint, drawn)
        after = log_softmax(store(changed, tmp_path / each), monkeypatch)
        assert np.abs(after - before).max() <= 1e-8, each
        assert layout.sites(each) > 0
        # And something has changed.
        moved = [
            tensor
            for tensor, old in zip(changed.tensors, checkpoint.tensors, strict=True)
            if tensor.shape != old.shape or not np.allclose(tensor.read(), old.read(), rtol=1e-6)
        ]
        assert moved, each


@pytest.mark.oracle("torch", "transformers")
@pytest.mark.parametrize(
    ("name", "each", "wrong"),
    [
        ("llama", "attention.qk", {"attention.rotary"}),
        ("neox", "attention.qk", {"attention.rotary"}),
        ("qwen3", "attention.qk", {"attention.norms"}),
    ],
)
def test_what_the_rules_forbid_changes_the_outputs(
    name: str, each: str, wrong: set[str], tmp_path: Path, monkeypatch: Any
) -> None:
    """The check can fail: without rotary planes or norms of heads, the general element is no symmetry."""
    from dataclasses import replace

    folder = build(name, tmp_path / "model")
    checkpoint = opened(folder)
    layout = find_layout(checkpoint)
    assert isinstance(layout, Layout)
    free: dict[str, Any] = {"rotary": 0, "norms": ()}
    kept = {field: free[field] for field in (part.partition(".")[2] for part in wrong)}
    layout = replace(layout, attentions=tuple(replace(one, **kept) for one in layout.attentions))
    stored = stored_of(checkpoint, layout)
    changed = transformed(checkpoint, draw(each, layout, stored, np.random.default_rng(0)))
    after = log_softmax(store(changed, tmp_path / "changed"), monkeypatch)
    assert np.abs(after - log_softmax(folder, monkeypatch)).max() > 1e-3


@pytest.mark.oracle("torch", "transformers")
@pytest.mark.parametrize(
    ("name", "change", "reason"),
    [
        ("bert", {"model_type": "deberta"}, "models of type deberta are not among"),
        ("bert", {"position_embedding_type": "relative_key"}, "its positions are relative_key"),
        ("bert", {"num_attention_heads": 3}, "its hidden size, 32, is no multiple of its 3 heads"),
        ("llama", {"head_dim": 4}, "is 32 × 32, where its configuration makes it"),
        ("llama", {"partial_rotary_factor": 0.5}, "0.5 of each head is rotated"),
        ("llama", {"num_hidden_layers": 3}, "it has 2 layers where its configuration has 3"),
        ("opt", {"do_layer_norm_before": False}, "do_layer_norm_before is False"),
    ],
)
def test_a_model_that_is_not_laid_out_as_its_type_says_has_none(
    name: str, change: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    folder = build(name, tmp_path / "model")
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    found = find_layout(opened(folder))
    assert reason in getattr(found, "reason", "")
    file.unlink()
    assert "no configuration" in getattr(find_layout(opened(folder)), "reason", "")
