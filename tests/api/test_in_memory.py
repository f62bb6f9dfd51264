"""Models in memory have the numbers of the files that they are saved to."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

import wqscore
from tests.oracles import Oracle
from wqscore.errors import CheckpointError, UsageError

torch = Oracle("torch")
safetensors_torch = Oracle("safetensors.torch")
transformers = Oracle("transformers")
QUICK: dict[str, Any] = {"bootstrap": 20, "gof": 10}


def rows(score: wqscore.ModelScore) -> list[tuple[object, ...]]:
    """Everything that a row says, as bits where it is a number."""
    return [
        (row.matrix.name, row.matrix.role, row.verdict, row.reason, row.flags, *map(float.hex, row.metrics.values()))
        for row in score.layers
    ]


@pytest.fixture
def arrays() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(4)
    return {f"layers.{i}.{part}.weight": rng.standard_t(3, (70, 60)).astype("f4") for i in range(3) for part in "qk"}


def test_a_dict_of_arrays_is_the_file_it_is_saved_to(arrays: dict[str, np.ndarray], tmp_path: Path) -> None:
    save_file(arrays, tmp_path / "model.safetensors")
    nested: dict[str, Any] = {"layers": {}}
    for name, array in arrays.items():
        _, index, part, _ = name.split(".")
        nested["layers"].setdefault(index, {})[part] = {"weight": array}
    nested["step"] = 7
    saved = wqscore.score(tmp_path / "model.safetensors", **QUICK)
    for model in (arrays, nested, {name: np.asfortranarray(array) for name, array in arrays.items()}):
        assert rows(wqscore.score(model, **QUICK)) == rows(saved)


def test_a_view_of_an_array_is_tied_to_it(arrays: dict[str, np.ndarray]) -> None:
    score = wqscore.score({**arrays, "z.weight": arrays["layers.0.q.weight"][:]}, **QUICK)
    assert [skip.reason for skip in score.skipped] == ["tied to layers.0.q.weight"]


def test_rank_takes_names_and_models(arrays: dict[str, np.ndarray], tmp_path: Path) -> None:
    save_file(arrays, tmp_path / "model.safetensors")
    ranking = wqscore.rank({"now": arrays, "before": str(tmp_path)}, bootstrap=0, gof=0)
    assert {model.score.ref.label for model in ranking.models} == {"now", "before"}
    again = wqscore.rank([arrays, dict(arrays)], bootstrap=0, gof=0)
    assert {model.score.ref.label for model in again.models} == {"weights", "weights (2)"}
    assert [model.score.ref.label for model in wqscore.rank(str(tmp_path), bootstrap=0, gof=0).models] == [
        str(tmp_path)
    ]


def test_describe_and_check_take_them_too(arrays: dict[str, np.ndarray]) -> None:
    assert wqscore.describe(arrays).checkpoint.parameters == 6 * 70 * 60
    assert wqscore.check({**arrays, "a.weight": np.full((60, 60), np.nan, "f4")}).errors


def test_the_store_finds_them_by_their_values(arrays: dict[str, np.ndarray], tmp_path: Path) -> None:
    first = wqscore.score(arrays, store=tmp_path / "store", **QUICK)
    copy = {name: array.copy() for name, array in arrays.items()}
    assert rows(wqscore.score(copy, store=tmp_path / "store", **QUICK)) == rows(first)
    copy["layers.0.q.weight"][0, 0] += 1
    assert rows(wqscore.score(copy, store=tmp_path / "store", **QUICK)) != rows(first)


@pytest.mark.parametrize("model", [3, b"bert-base", np.ones((60, 60)), None, dict])
def test_what_is_no_model_is_a_type_error(model: object) -> None:
    with pytest.raises(TypeError, match="is no model: pass a path, a Hub id, a torch module, a state dict"):
        wqscore.score(model)


@pytest.mark.parametrize("models", [3, b"bert-base", None])
def test_what_is_no_list_of_models_is_a_type_error(models: object) -> None:
    with pytest.raises(TypeError, match="rank takes a list of models, or a dict of names and models"):
        wqscore.rank(models)


def test_a_config_needs_a_model_in_memory(arrays: dict[str, np.ndarray]) -> None:
    with pytest.raises(UsageError, match="config and name are for models in memory"):
        wqscore.score("./somewhere", config={})
    with pytest.raises(TypeError, match="config is a dict or a configuration of transformers, not str"):
        wqscore.score(arrays, config="bert")
    with pytest.raises(CheckpointError, match="there is no array in it"):
        wqscore.score({"step": 3})


@pytest.mark.oracle("torch")
def test_arrays_of_every_kind(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    values = torch.from_numpy(rng.standard_t(3, (70, 60)).astype("f4"))
    kinds = {
        "a.weight": values.to(torch.bfloat16),
        "b.weight": values.to(torch.float16),
        "c.weight": values.double(),
        "d.weight": values.T,
        "e.weight": values[:, ::2],
    }
    safetensors_torch.save_file({name: kind.contiguous() for name, kind in kinds.items()}, tmp_path / "m.safetensors")
    assert rows(wqscore.score(kinds, **QUICK)) == rows(wqscore.score(tmp_path / "m.safetensors", **QUICK))
    unread = {"f.weight": torch.empty(70, 60, device="meta"), "g.weight": values.to_sparse()}
    reasons = {skip.name: skip.reason for skip in wqscore.score({**kinds, **unread}, **QUICK).skipped}
    assert reasons == {
        "f.weight": "on the meta device, so without values",
        "g.weight": "stored as sparse_coo: make it dense",
    }


def _tiny(kind: str) -> Any:
    torch.manual_seed(0)
    if kind == "LSTM":
        return torch.nn.LSTM(64, 64, num_layers=2)
    sizes = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 128}
    configs = {
        "Bert": lambda: transformers.BertConfig(vocab_size=300, **sizes),
        "GPT2": lambda: transformers.GPT2Config(vocab_size=300, n_embd=64, n_layer=2, n_head=2),
        "Llama": lambda: transformers.LlamaConfig(vocab_size=300, **sizes),
        "ResNet": lambda: transformers.ResNetConfig(embedding_size=64, hidden_sizes=[64, 128], depths=[1, 1]),
    }
    return transformers.AutoModel.from_config(configs[kind]())


@pytest.mark.oracle("torch", "transformers")
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("kind", ["Bert", "GPT2", "Llama", "ResNet", "LSTM"])
def test_a_module_is_the_folder_it_is_saved_to(kind: str, dtype: str, tmp_path: Path) -> None:
    module = _tiny(kind).to(getattr(torch, dtype))
    if kind == "LSTM":
        safetensors_torch.save_file(module.state_dict(), tmp_path / "model.safetensors")
    else:
        module.save_pretrained(tmp_path)
    quick: dict[str, Any] = {"bootstrap": 0, "gof": 0}
    saved = wqscore.score(tmp_path, **quick)
    config = getattr(module, "config", None)
    assert saved.layers
    assert rows(wqscore.score(module, **quick)) == rows(saved)
    assert rows(wqscore.score(module.state_dict(), config=config, **quick)) == rows(saved)
    assert wqscore.score(module, **quick).ref.label == type(module).__name__


def test_a_stack_of_doubles_is_cut_as_from_a_file() -> None:
    stack = np.random.default_rng(0).standard_normal((3, 96, 64))
    score = wqscore.score({"layers.0.mlp.experts.up_proj.weight": stack}, bootstrap=0, gof=0)
    assert [row.matrix.name for row in score.layers] == [
        f"layers.0.mlp.experts.up_proj.weight[{i}]" for i in range(3)
    ]
    for row, matrix in zip(score.layers, stack, strict=True):
        singular = np.linalg.svd(matrix, compute_uv=False)
        np.testing.assert_allclose(row.spectrum.eigenvalues, np.sort(singular**2), rtol=1e-9)


@pytest.mark.oracle("torch")
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_scoring_a_module_takes_the_largest_tensor_at_most(dtype: str) -> None:
    """Arrays that are there at once, beside the model itself: the largest tensor's float64 and a fifth of it."""
    rng = np.random.default_rng(0)
    module = torch.nn.Sequential(torch.nn.Embedding(20_000, 96), torch.nn.Linear(96, 96), torch.nn.Linear(96, 200))
    mixing = rng.standard_normal((96, 96))
    with torch.no_grad():
        for values in module.parameters():
            if values.ndim == 2:
                heavy = rng.standard_t(3, tuple(values.shape)) @ mixing
                values.copy_(torch.from_numpy(heavy.astype("f4")))
    module = module.to(getattr(torch, dtype))
    quick: dict[str, Any] = {"bootstrap": 0, "gof": 0, "jobs": 1}
    wqscore.score({"a.weight": rng.standard_t(3, (80, 60))}, **quick)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        score = wqscore.score(module, **quick)
        peak = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    assert len(score.layers) == 3
    assert peak < 1.2 * 8 * 20_000 * 96
