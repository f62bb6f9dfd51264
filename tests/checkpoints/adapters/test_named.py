"""Low-rank updates found by their names alone, in every spelling, equal torch's own change of the weight."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

import wqscore
from tests.checkpoints.adapters.spellings import SPELLINGS
from tests.examples import examples
from tests.oracles import Oracle
from wqscore.checkpoints.adapters.factor_names import factor_name, other_adapter
from wqscore.checkpoints.decoding import flags_of, is_update
from wqscore.checkpoints.opening import open_checkpoint
from wqscore.checkpoints.tensor import Tensor
from wqscore.errors import CheckpointError
from wqscore.refs.parsing import parse_ref

torch = Oracle("torch")


def opened(path: Path) -> dict[str, Tensor]:
    """The weights of a checkpoint by name; stored parts of them left out."""
    tensors = open_checkpoint(parse_ref(str(path))).tensors
    return {tensor.name: tensor for tensor in tensors if not tensor.part_of}


def written(arrays: dict[str, np.ndarray], folder: Path, name: str = "lora.safetensors") -> Path:
    save_file({key: np.ascontiguousarray(array) for key, array in arrays.items()}, folder / name)
    return folder / name


def factors(rng: np.random.Generator, rank: int, rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    a, b = rng.standard_normal((rank, columns)), rng.standard_normal((rows, rank))
    return a.astype(np.float32), b.astype(np.float32)


def change_by_torch(a: np.ndarray, b: np.ndarray, scale: float) -> np.ndarray:
    """ΔW as torch's own layers apply it: the image of every unit vector, times the scale."""
    down, up = (torch.nn.Linear(*weight.shape[::-1], bias=False).double() for weight in (a, b))
    with torch.no_grad():
        down.weight.copy_(torch.from_numpy(a))
        up.weight.copy_(torch.from_numpy(b))
        image: np.ndarray = (scale * up(down(torch.eye(a.shape[1], dtype=torch.float64)))).T.numpy()
    return image


def close(found: np.ndarray, expected: np.ndarray) -> None:
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6 * np.abs(expected).max())


@pytest.mark.oracle("torch")
@settings(max_examples=examples(200))
@given(
    st.sampled_from(sorted(SPELLINGS)), st.integers(1, 12), st.integers(13, 40), st.integers(13, 40), st.booleans(),
    st.booleans(), st.sampled_from(["lora.safetensors", "model.bin"]), st.integers(0, 2**32),
)  # fmt: skip
def test_every_spelling_is_torchs_change(
    name: str, rank: int, rows: int, columns: int, has_alpha: bool, has_base: bool, file: str, seed: int
) -> None:
    spelling, rng = SPELLINGS[name], np.random.default_rng(seed)
    a, b = factors(rng, rank, rows, columns)
    w = rng.standard_normal((rows, columns)).astype(np.float32) if has_base and spelling.base else None
    alpha = float(rng.uniform(0.5, 32)) if has_alpha and spelling.alpha else None
    stored = spelling.stored(a, b, alpha, w)
    expected = change_by_torch(a, b, 1.0 if alpha is None else float(np.float32(alpha)) / rank)
    with TemporaryDirectory() as folder:
        if file.endswith(".bin"):
            state = {key: torch.from_numpy(np.ascontiguousarray(array)) for key, array in stored.items()}
            torch.save(state, Path(folder, file))
        else:
            written(stored, Path(folder), file)
        ((found, tensor),) = opened(Path(folder, file)).items()
        assert found == f"{spelling.layer}.weight"
        assert tensor.shape == (rows, columns)
        assert flags_of(tensor) == ("scale=1" if alpha is None else "scale=alpha/r",)
        assert is_update(tensor) is (w is None)
        close(tensor.read(), expected if w is None else w + expected)


@pytest.mark.oracle("torch")
@pytest.mark.parametrize("alpha", [None, 4.0])
def test_convolutions(tmp_path: Path, alpha: float | None) -> None:
    """A 3 × 3 convolution to r channels, then a 1 × 1 one, as kohya and loralib-like trainers have them."""
    torch.manual_seed(0)
    down, up = torch.nn.Conv2d(6, 2, 3, bias=False), torch.nn.Conv2d(2, 5, 1, bias=False)
    stored = {"c.lora_down.weight": down.weight.detach().numpy(), "c.lora_up.weight": up.weight.detach().numpy()}
    (tensor,) = opened(
        written(stored | ({} if alpha is None else {"c.alpha": np.array(alpha, np.float32)}), tmp_path)
    ).values()
    own = torch.nn.Conv2d(6, 5, 3, bias=False)
    own.weight = torch.nn.Parameter(torch.from_numpy(tensor.read()))
    image = torch.randn(1, 6, 9, 9)
    expected = up(down(image)) * (1 if alpha is None else alpha / 2)
    torch.testing.assert_close(own(image), expected, rtol=1e-5, atol=1e-6)


def test_roots_of_the_rank_by_a_configuration_beside_the_file(tmp_path: Path) -> None:
    a, b = factors(np.random.default_rng(1), 4, 20, 30)
    file = written(SPELLINGS["torchtune"].stored(a, b), tmp_path, "adapter.safetensors")
    (tmp_path / "adapter_config.json").write_text(json.dumps({"r": 4, "lora_alpha": 6, "use_rslora": True}))
    (tensor,) = opened(file).values()
    close(tensor.read(), 6 / 2 * b.astype(np.float64) @ a)
    assert flags_of(tensor) == ("scale=alpha/sqrt(r)",)


def test_mlx_stores_its_scale(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    a, b = factors(rng, 8, 8, 8)
    written(SPELLINGS["mlx"].stored(a, b), tmp_path, "adapters.safetensors")
    (tensor,) = opened_refused(tmp_path / "adapters.safetensors")
    assert "either orientation" in tensor.refusal
    settings = {"fine_tune_type": "lora", "lora_parameters": {"rank": 8, "scale": 20.0}}
    (tmp_path / "adapter_config.json").write_text(json.dumps(settings))
    for path in (tmp_path, tmp_path / "adapters.safetensors"):
        (tensor,) = opened(path).values()
        close(tensor.read(), 20.0 * b.astype(np.float64) @ a)


def opened_refused(path: Path) -> list[Tensor]:
    return [tensor for name, tensor in opened(path).items() if name.endswith(("A", "a"))]


def test_diffusers_keeps_peft_settings_in_its_file(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    stored: dict[str, np.ndarray] = {}
    expected = {}
    for layer, scale in (("unet.a.to_q", 4.0), ("unet.a.to_k", 3 / 2), ("text_encoder.q_proj", 1.0)):
        a, b = factors(rng, 2 if layer.endswith("k") else 4, 15, 25)
        stored |= {f"{layer}.lora_A.weight": a, f"{layer}.lora_B.weight": b}
        expected[f"{layer}.weight"] = scale * b.astype(np.float64) @ a
    own = {"unet.r": 4, "unet.lora_alpha": 16, "unet.rank_pattern": {"to_k": 2}, "unet.alpha_pattern": {"to_k": 3}}
    save_file(stored, tmp_path / "lora.safetensors", {"lora_adapter_metadata": json.dumps(own)})
    found = opened(tmp_path / "lora.safetensors")
    assert found.keys() == expected.keys()
    for name, tensor in found.items():
        close(tensor.read(), expected[name])
    assert flags_of(found["text_encoder.q_proj.weight"]) == ("scale=1",)


def test_several_adapters_of_one_weight(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    stored: dict[str, np.ndarray] = {}
    expected = {}
    for adapter in ("one", "two"):
        a, b = factors(rng, 4, 15, 25)
        stored |= {f"h.q.lora_A.{adapter}.weight": a, f"h.q.lora_B.{adapter}.weight": b}
        expected[f"{adapter}.h.q.weight"] = b.astype(np.float64) @ a
    found = opened(written(stored, tmp_path))
    assert found.keys() == expected.keys()
    for name, tensor in found.items():
        close(tensor.read(), expected[name])
    w = rng.standard_normal((15, 25)).astype(np.float32)
    both = opened(written(stored | {"h.q.base_layer.weight": w}, tmp_path, "model.safetensors"))
    assert np.array_equal(both["h.q.weight"].read(), w)
    assert {tensor.refusal for name, tensor in both.items() if "lora" in name} == {
        "one of 2 adapters of h.q.weight, which is scored without them"
    }


def test_parts_of_a_model_that_peft_wraps(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    a, b = factors(rng, 4, 12, 12)
    arrays = {name: rng.standard_normal((12, 12)).astype(np.float32) for name in "pqrst"}
    start = "base_model.model."
    stored = {
        f"{start}p.weight": arrays["p"],
        f"{start}q.base_layer.weight": arrays["q"],
        f"{start}q.base_layer.bias": a[0],
        f"{start}q.lora_A.default.weight": a,
        f"{start}q.lora_B.default.weight": b,
        f"{start}score.original_module.weight": arrays["r"],
        f"{start}score.modules_to_save.default.weight": arrays["s"],
        f"{start}t.base_layer.weight": arrays["t"],
        f"{start}t.lora_A.default.weight": a,
        f"{start}t.lora_B.default.weight": b,
        f"{start}t.lora_magnitude_vector.default.weight": b[:, 0],
        f"{start}mlp.experts.base_layer.up": arrays["p"],
        f"{start}mlp.experts.lora_A.default.weight": a,
        f"{start}mlp.experts.lora_B.default.weight": b,
    }
    found = opened(written(stored, tmp_path, "model.safetensors"))
    assert {name for name, tensor in found.items() if not tensor.refusal} == {
        *("p.weight", "q.weight", "q.bias", "score.weight", "t.weight", "mlp.experts.up")
    }
    close(found["q.weight"].read(), arrays["q"] + b.astype(np.float64) @ a)
    assert np.array_equal(found["score.weight"].read(), arrays["s"])
    assert np.array_equal(found["t.weight"].read(), arrays["t"])
    reasons = {name.removeprefix("base_model.model."): tensor.refusal for name, tensor in found.items()}
    assert reasons["t.lora_A.default.weight"] == "DoRA: only plain LoRA is read: t.weight is scored without it"
    assert reasons["mlp.experts.lora_A.default.weight"] == "LoRA of a stack of experts: not read"


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"q.lora_mid.weight": (2, 2, 3, 3)}, "LoCon in Tucker form"),
        ({"q.dora_scale": (7,)}, "DoRA"),
        ({"q.lora_E": (2, 1)}, "AdaLoRA"),
        ({"q.scalar": ()}, "more than A and B"),
        ({"q.alpha": (2,)}, "not one number"),
        ({"k.lora_down.weight": (2, 5)}, "without its B"),
    ],
)
def test_updates_that_are_no_plain_product(tmp_path: Path, more: dict[str, tuple[int, ...]], reason: str) -> None:
    shapes = {"q.lora_down.weight": (2, 5), "q.lora_up.weight": (7, 2), **more}
    found = opened(written({name: np.ones(shape, np.float32) for name, shape in shapes.items()}, tmp_path))
    refusals = {tensor.refusal for tensor in found.values() if tensor.refusal}
    assert len(refusals) == 1
    assert reason in refusals.pop()


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("lora_unet_q.hada_w1_a", "LoHa"),
        ("lora_unet_q.lokr_w2", "LoKr"),
        ("base_model.model.q.vera_lambda_b", "VeRA"),
        ("base_model.model.q.ia3_l", "IA³"),
        ("lora_unet_q.oft_blocks", "OFT"),
        ("base_model.model.q.boft_R", "BOFT"),
        ("base_model.model.q.hra_u", "HRA"),
    ],
)
def test_other_adapters_are_named(tmp_path: Path, name: str, kind: str) -> None:
    (tensor,) = opened(written({name: np.ones((60, 60), np.float32)}, tmp_path)).values()
    assert tensor.refusal == f"{kind}: only LoRA is read"


@pytest.mark.parametrize(
    "name",
    [
        *("model.layers.0.attn.w_lora.lora.0.weight", "model.layers.0.attn.w_lora.lora.2.bias", "flora.weight"),
        *("model.layers.0.self_attn.q_a_proj.weight", "explorer.up.weight", "encoder.adapter.dense.weight"),
    ],
)
def test_ordinary_names_are_left_alone(tmp_path: Path, name: str) -> None:
    assert factor_name(name) is None
    assert other_adapter(name) is None
    assert opened(written({name: np.ones((3, 4), np.float32)}, tmp_path)).keys() == {name}


def test_names_of_any_length_take_no_time() -> None:
    for name in ("adapter." * 1_000_000, "x.lora_A." * 1_000_000, "_lora" * 1_000_000):
        assert factor_name(name) is None
        assert other_adapter(name) is None


@pytest.mark.parametrize(("alpha", "verdict"), [(np.nan, "non-finite"), (np.inf, "non-finite"), (0.0, "zero")])
def test_an_alpha_that_makes_no_sense(tmp_path: Path, alpha: float, verdict: str) -> None:
    a, b = factors(np.random.default_rng(7), 4, 60, 70)
    file = written(SPELLINGS["kohya"].stored(a, b, alpha), tmp_path)
    (row,) = wqscore.score(str(file), jobs=1).layers
    assert row.verdict == verdict
    assert all(np.isnan(value) for value in row.metrics.values())


def test_a_file_is_merged_into_its_base(tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    a, b = factors(rng, 4, 15, 25)
    w = rng.standard_normal((15, 25)).astype(np.float32)
    base = written({"h.0.q_proj.weight": w}, tmp_path, "base.safetensors")
    file = written(SPELLINGS["peft"].stored(a, b), tmp_path, "adapter.safetensors")
    (tensor,) = opened(Path(f"{base}+{file}")).values()
    close(tensor.read(), w + b.astype(np.float64) @ a)


@settings(max_examples=examples(100))
@given(st.data())
def test_any_shapes_are_read_or_refused(data: Any) -> None:
    """Whatever shapes a file gives its factors, it opens, unless all are empty; updates have the product's shape."""
    names = ["x.lora_A.weight", "x.lora_B.weight", "x.alpha", "x.weight", "y.lora_a", "y.lora_b", "z.lora_mid.weight"]
    shapes = st.lists(st.integers(0, 4), max_size=5).map(tuple)
    stored = data.draw(st.dictionaries(st.sampled_from(names), shapes, min_size=1))
    with TemporaryDirectory() as folder:
        arrays = {name: np.ones(shape, np.float32) for name, shape in stored.items()}
        file = written(arrays, Path(folder))
        if not any(array.size for array in arrays.values()):
            with pytest.raises(CheckpointError, match=f"none of its {len(arrays)} tensors holds a parameter"):
                opened(file)
            return
        for tensor in opened(file).values():
            if not tensor.refusal:
                assert tensor.read().shape == tensor.shape
