"""The score depends on the model, not on how it was stored: the same weights in every container and layout."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from math import isclose
from pathlib import Path

import numpy as np
import pytest

import wqscore
from tests.oracles import Oracle
from wqscore.scoring.layer_score import LayerScore

torch = Oracle("torch")
safetensors_torch = Oracle("safetensors.torch")

pytestmark = pytest.mark.oracle("torch")

HIDDEN, HEADS, LAYERS, VOCABULARY = 128, 4, 2, 300
State = dict[str, "torch.Tensor"]


def heavy(rows: int, columns: int, seed: int) -> torch.Tensor:
    return torch.from_numpy((np.random.default_rng(seed).standard_t(3, (rows, columns)) * 0.1).astype(np.float32))


def model(names: dict[str, tuple[str, ...]]) -> State:
    """A two-layer network; `names` gives, for each projection of a layer, its stored name and shape kind."""
    state: State = {"embed_tokens.weight": heavy(VOCABULARY, HIDDEN, 99), "norm.weight": torch.ones(HIDDEN)}
    for layer in range(LAYERS):
        for position, part in enumerate(("q", "k", "v", "o")):
            state[f"layers.{layer}.self_attn.{names[part][0]}.weight"] = heavy(HIDDEN, HIDDEN, 10 * layer + position)
        state[f"layers.{layer}.mlp.up_proj.weight"] = heavy(4 * HIDDEN, HIDDEN, 10 * layer + 5)
        state[f"layers.{layer}.mlp.down_proj.weight"] = heavy(HIDDEN, 4 * HIDDEN, 10 * layer + 6)
        state[f"layers.{layer}.norm.weight"] = torch.ones(HIDDEN)
    return state


@functools.cache
def separate() -> State:
    return model({part: (f"{part}_proj",) for part in "qkvo"})


def as_safetensors(state: State, folder: Path) -> None:
    safetensors_torch.save_file(state, folder / "model.safetensors", metadata={"format": "pt"})


def as_zip(state: State, folder: Path) -> None:
    torch.save(state, folder / "pytorch_model.bin")


def as_old_format(state: State, folder: Path) -> None:
    torch.save(state, folder / "pytorch_model.bin", _use_new_zipfile_serialization=False)


def sharded(state: State, folder: Path, suffix: str) -> None:
    from huggingface_hub import save_torch_state_dict

    save_torch_state_dict(
        state, folder, max_shard_size="300KB", safe_serialization=suffix == "safetensors", is_main_process=True
    )
    assert len(list(folder.glob(f"*.{suffix}"))) > 3


def column_major(state: State, folder: Path) -> None:
    """Every matrix a transposed view of its storage, as in checkpoints that came from TensorFlow."""
    torch.save(
        {name: t.t().contiguous().t() if t.dim() == 2 else t for name, t in state.items()},
        folder / "pytorch_model.bin",
    )


def in_one_storage(state: State, folder: Path) -> None:
    """All tensors are views of one storage, at their own offsets."""
    flat = torch.cat([t.reshape(-1) for t in state.values()])
    views, start = {}, 0
    for name, tensor in state.items():
        views[name] = flat[start : start + tensor.numel()].view(tensor.shape)
        start += tensor.numel()
    torch.save(views, folder / "pytorch_model.bin", _use_new_zipfile_serialization=False)


CONTAINERS: dict[str, Callable[[State, Path], None]] = {
    "zip": as_zip,
    "old-format": as_old_format,
    "sharded-safetensors": lambda state, folder: sharded(state, folder, "safetensors"),
    "sharded-bin": lambda state, folder: sharded(state, folder, "bin"),
    "column-major": column_major,
    "one-storage": in_one_storage,
}


def scored(folder: Path, config: dict[str, object] | None = None) -> dict[str, LayerScore]:
    (folder / "config.json").write_text(json.dumps(config or {}))
    return {row.matrix.name: row for row in wqscore.score(str(folder)).layers}


def same_bits(ours: LayerScore, theirs: LayerScore) -> bool:
    return (
        ours.spectrum.eigenvalues.tobytes() == theirs.spectrum.eigenvalues.tobytes()
        and ours.metrics == theirs.metrics
        and (ours.verdict, ours.matrix.role) == (theirs.verdict, theirs.matrix.role)
    )


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> dict[str, LayerScore]:
    folder = tmp_path_factory.mktemp("reference")
    as_safetensors(separate(), folder)
    return scored(folder)


@pytest.mark.parametrize("container", CONTAINERS)
def test_containers_give_the_same_bits(tmp_path: Path, reference: dict[str, LayerScore], container: str) -> None:
    CONTAINERS[container](separate(), tmp_path)
    rows = scored(tmp_path)
    assert rows.keys() == reference.keys()
    assert len(rows) == 1 + LAYERS * 6
    for name, row in rows.items():
        assert same_bits(row, reference[name]), name


def fused_state(fuse: Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor], name: str) -> State:
    state = {key: value for key, value in separate().items() if not any(f".{p}_proj." in key for p in "qkv")}
    for layer in range(LAYERS):
        parts = [separate()[f"layers.{layer}.self_attn.{p}_proj.weight"] for p in "qkv"]
        state[f"layers.{layer}.self_attn.{name}.weight"] = fuse(*parts).contiguous()
    return state


def interleaved(*parts: torch.Tensor) -> torch.Tensor:
    """GPT-NeoX and BLOOM: head by head, each its q, k and v rows."""
    by_head = [part.reshape(HEADS, 1, HIDDEN // HEADS, HIDDEN) for part in parts]
    return torch.cat(by_head, dim=1).reshape(3 * HIDDEN, HIDDEN)


FUSED = {
    "phi3": ("qkv_proj", lambda q, k, v: torch.cat([q, k, v])),
    "gpt_neox": ("query_key_value", interleaved),
    "bloom": ("query_key_value", interleaved),
    "qwen": ("c_attn", lambda q, k, v: torch.cat([q, k, v])),
    "gpt2": ("c_attn", lambda q, k, v: torch.cat([q, k, v]).t()),
}


@pytest.mark.parametrize("model_type", FUSED)
def test_fused_projections_score_as_separate_ones(
    tmp_path: Path, reference: dict[str, LayerScore], model_type: str
) -> None:
    name, fuse = FUSED[model_type]
    as_safetensors(fused_state(fuse, name), tmp_path)
    rows = scored(tmp_path, {"model_type": model_type, "num_attention_heads": HEADS, "hidden_size": HIDDEN})
    assert len(rows) == len(reference)
    for key, row in rows.items():
        stored, _, part = key.partition("[")
        separate = reference[stored.replace(f".{name}.", f".{part[0]}_proj.") if part else stored]
        if model_type == "gpt2" and part:  # stored transposed, so square matrices are summed in another order
            np.testing.assert_allclose(
                row.spectrum.eigenvalues,
                separate.spectrum.eigenvalues,
                rtol=1e-10,
                atol=1e-13 * separate.spectrum.largest,
            )
            assert all(isclose(row.metrics[m], separate.metrics[m], rel_tol=1e-10) for m in row.metrics)
        else:
            assert same_bits(row, separate), key


def test_fused_gate_and_up_score_as_separate_ones(tmp_path: Path) -> None:
    gate, up = heavy(200, HIDDEN, 1), heavy(200, HIDDEN, 2)
    for folder, state in (
        ("separate", {"layers.0.mlp.gate_proj.weight": gate, "layers.0.mlp.up_proj.weight": up}),
        ("fused", {"layers.0.mlp.gate_up_proj.weight": torch.cat([gate, up])}),
    ):
        (tmp_path / folder).mkdir()
        as_safetensors(state, tmp_path / folder)
    separate, fused = scored(tmp_path / "separate"), scored(tmp_path / "fused")
    stem = "layers.0.mlp.gate_up_proj.weight"
    assert same_bits(fused[f"{stem}[gate]"], separate["layers.0.mlp.gate_proj.weight"])
    assert same_bits(fused[f"{stem}[up]"], separate["layers.0.mlp.up_proj.weight"])


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_rounding_moves_a_real_model_no_further_than_it_must(tmp_path: Path, checkpoints: Path, dtype: str) -> None:
    source = checkpoints / "all-MiniLM-L6-v2"
    original = safetensors_torch.load_file(source / "model.safetensors")
    rounded = {name: t.to(getattr(torch, dtype)) if t.is_floating_point() else t for name, t in original.items()}
    as_safetensors(rounded, tmp_path)
    before = {row.matrix.name: row for row in wqscore.score(str(source)).layers}
    after = scored(tmp_path, json.loads((source / "config.json").read_text()))
    assert after.keys() == before.keys()
    for name, row in after.items():
        # Weyl: no singular value moves by more than the spectral norm of the change.
        change = (rounded[name].double() - original[name].double()).numpy()
        moved = np.sqrt(row.spectrum.eigenvalues) - np.sqrt(before[name].spectrum.eigenvalues)
        assert np.abs(moved).max() <= np.linalg.norm(change, 2) * (1 + 1e-6), name
        if row.fit and before[name].fit and row.fit.n_tail == before[name].fit.n_tail:
            # The same tail: alpha is 1 + 1/mean(ln λ/xmin), so it moves with the logarithms' largest change.
            tail = slice(-row.fit.n_tail, None)
            logs = np.log(row.spectrum.eigenvalues[tail] / before[name].spectrum.eigenvalues[tail])
            bound = 2 * np.abs(logs).max() * (max(row.fit.alpha, before[name].fit.alpha) - 1) ** 2
            assert abs(row.fit.alpha - before[name].fit.alpha) <= bound, name


def test_tied_weights_count_once_however_they_are_tied(tmp_path: Path) -> None:
    embedding = heavy(VOCABULARY, HIDDEN, 1)
    layer = heavy(HIDDEN, HIDDEN, 2)
    body = {"model.embed_tokens.weight": embedding, "model.layers.0.mlp.up_proj.weight": layer}
    other = heavy(VOCABULARY, HIDDEN, 3)
    cases: dict[str, tuple[State, Callable[[State, Path], None], dict[str, object]]] = {
        "absent": (body, as_safetensors, {}),
        "copied": ({**body, "lm_head.weight": embedding.clone()}, as_safetensors, {}),
        "shared": ({**body, "lm_head.weight": embedding}, as_zip, {}),
        "shared, old": ({**body, "lm_head.weight": embedding}, as_old_format, {}),
        "by config": ({**body, "lm_head.weight": other}, as_safetensors, {"tie_word_embeddings": True}),
    }
    names = {}
    for case, (state, save, config) in cases.items():
        folder = tmp_path / case
        folder.mkdir()
        save(state, folder)
        names[case] = sorted(scored(folder, config))
    assert set(map(tuple, names.values())) == {tuple(sorted(body))}
    untied = tmp_path / "untied"
    untied.mkdir()
    as_safetensors({**body, "lm_head.weight": other}, untied)
    assert "lm_head.weight" in scored(untied, {"tie_word_embeddings": False})
