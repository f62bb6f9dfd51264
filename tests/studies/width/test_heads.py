"""The numerical ranks of heads' products against NumPy's of the whole products, in every layout."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

import wqscore

HIDDEN, HEADS, SIZE = 24, 4, 6
CONFIG = {"hidden_size": HIDDEN, "num_attention_heads": HEADS, "hidden_act": "gelu"}
Tensors = dict[str, np.ndarray]


def projections(rng: np.random.Generator, groups: int, ranks: tuple[int, int]) -> list[np.ndarray]:
    """q, k, v of (heads · size, hidden) and o of (hidden, heads · size); the first head's q and o are of low rank."""
    q, o = rng.standard_normal((2, HEADS * SIZE, HIDDEN))
    k, v = rng.standard_normal((2, groups * SIZE, HIDDEN))
    for values, rank in ((q, ranks[0]), (o, ranks[1])):
        values[:SIZE] = rng.standard_normal((SIZE, rank)) @ rng.standard_normal((rank, HIDDEN))
    return [q, k, v, o.T]


def ranks_of(q: np.ndarray, k: np.ndarray, v: np.ndarray, o: np.ndarray, groups: int) -> list[int]:
    """NumPy's ranks of the whole products, which are HIDDEN × HIDDEN."""
    found = []
    for head in range(HEADS):
        own = slice(head * SIZE, (head + 1) * SIZE)
        group = head // (HEADS // groups)
        shared = slice(group * SIZE, (group + 1) * SIZE)
        found += [np.linalg.matrix_rank(q[own].T @ k[shared]), np.linalg.matrix_rank(o[:, own] @ v[shared])]
    return [int(each) for each in found]


def separate(q: np.ndarray, k: np.ndarray, v: np.ndarray, o: np.ndarray) -> Tensors:
    return {f"layers.0.self_attn.{part}_proj.weight": each for part, each in zip("qkvo", (q, k, v, o), strict=True)}


def conv1d(q: np.ndarray, k: np.ndarray, v: np.ndarray, o: np.ndarray) -> Tensors:
    return {"h.0.attn.c_attn.weight": np.concatenate([q, k, v]).T, "h.0.attn.c_proj.weight": o.T}


def head_by_head(q: np.ndarray, k: np.ndarray, v: np.ndarray, o: np.ndarray) -> Tensors:
    fused = np.concatenate(
        [np.concatenate(each) for each in zip(*(np.split(x, HEADS) for x in (q, k, v)), strict=True)]
    )
    return {
        "layers.0.attention.query_key_value.weight": fused,
        "layers.0.attention.dense.weight": o,
    }


LAYOUTS: dict[str, tuple[dict[str, Any], Any, int]] = {
    "bert": ({"model_type": "bert", **CONFIG}, separate, HEADS),
    "llama": ({"model_type": "llama", "num_key_value_heads": 2, **CONFIG}, separate, 2),
    "gpt2": ({"model_type": "gpt2", "n_head": HEADS, "n_embd": HIDDEN}, conv1d, HEADS),
    "gpt_neox": ({"model_type": "gpt_neox", **CONFIG}, head_by_head, HEADS),
}


def saved(folder: Path, tensors: Tensors, config: dict[str, Any], dtype: Any = "f4") -> Path:
    folder.mkdir()
    tensors = {name: np.ascontiguousarray(each.astype(dtype)) for name, each in tensors.items()}
    save_file(tensors, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config))
    return folder


@pytest.mark.parametrize("dtype", ["f4", "f2"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_head_of_low_rank_is_found_in_every_layout(tmp_path: Path, layout: str, dtype: str) -> None:
    config, stored, groups = LAYOUTS[layout]
    made = projections(np.random.default_rng(0), groups, (3, 2))
    heads = json.loads(wqscore.width(saved(tmp_path / "a", stored(*made), config, dtype)).to_json())["heads"]
    assert [head["effective"] for head in heads] == ranks_of(*made, groups)
    assert [head["effective"] for head in heads][:2] == [3, 2]
    assert {head["stored"] for head in heads} == {SIZE}
    assert [head["name"].rpartition(".")[2] for head in heads] == ["qk", "vo"] * HEADS
    assert {head["reason"] for head in heads} == {None}


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({}, "the configuration gives no number of heads that its sizes fit"),
        ({"model_type": "bert", "num_attention_heads": 5}, "the configuration gives no number of heads"),
    ],
)
def test_without_a_number_of_heads_an_attention_is_a_row_with_the_reason(
    tmp_path: Path, config: dict[str, Any], reason: str
) -> None:
    made = projections(np.random.default_rng(0), HEADS, (3, 2))
    (head,) = wqscore.width(saved(tmp_path / "a", separate(*made), config)).heads
    assert (head.name, head.stored, head.effective) == ("layers.0.self_attn", None, None)
    assert head.reason.startswith(reason)


def test_a_weight_that_is_not_finite_and_a_missing_projection_are_reasons(tmp_path: Path) -> None:
    made = separate(*projections(np.random.default_rng(0), HEADS, (3, 2)))
    made["layers.0.self_attn.k_proj.weight"][3, 3] = np.nan
    (head,) = wqscore.width(saved(tmp_path / "a", made, {"model_type": "bert", **CONFIG})).heads
    assert head.reason == "a weight is not finite"
    del made["layers.0.self_attn.v_proj.weight"]
    (head,) = wqscore.width(saved(tmp_path / "b", made, {"model_type": "bert", **CONFIG})).heads
    assert head.reason == "a projection of it is missing"
