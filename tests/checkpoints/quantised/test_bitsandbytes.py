"""bitsandbytes' weights against bitsandbytes' own decoding, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.oracles import Oracle
from wqscore.checkpoints.decoding import Decoding
from wqscore.checkpoints.dtypes import STORED_DTYPES
from wqscore.checkpoints.quantised.bitsandbytes import plan_decoding
from wqscore.checkpoints.safetensors import read_safetensors
from wqscore.checkpoints.tensor import TensorRef
from wqscore.errors import CheckpointError

transformers = Oracle("transformers")

torch = Oracle("torch")
bitsandbytes = Oracle("bitsandbytes")
save_file = Oracle("safetensors.torch", "save_file")

pytestmark = pytest.mark.oracle("accelerate", "bitsandbytes", "torch", "transformers")

STATE = "w.weight.quant_state.bitsandbytes__nf4"


def stored(folder: Path, tensors: Mapping[str, Any]) -> dict[str, TensorRef]:
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, folder / "model.safetensors")
    return {ref.name: ref for ref in read_safetensors(folder / "model.safetensors")}


def decoded(decoding: Decoding) -> np.ndarray:
    values = decoding.decode(*(part.read() for part in decoding.parts))
    assert (values.shape, values.dtype) == (decoding.shape, np.float32)
    return values


def random_weight(*shape: int) -> Any:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0)).mul(0.02)


def dequantised(codes: Any, state: Any) -> Any:
    """What bitsandbytes makes of a four-bit weight.

    Its kernel for AVX-512 (0.50.2) takes wrong scales where a row ends inside a block, three times as far from the
    weights that were quantised as its other kernels: so it is given rows of one block each.
    """
    shape = state.shape
    if shape.numel() % state.blocksize == 0:
        state.shape = torch.Size((shape.numel() // state.blocksize, state.blocksize))
    with torch.compiler.set_stance("force_eager"):
        return bitsandbytes.functional.dequantize_4bit(codes, state).reshape(shape)


def packed(weight: Any, **options: Any) -> tuple[dict[str, Any], Any]:
    """The tensors that bitsandbytes stores of a weight, and what it makes of them."""
    codes, state = bitsandbytes.functional.quantize_4bit(weight, **options)
    tensors = {"w.weight": codes} | {f"w.weight.{key}": value for key, value in state.as_dict(packed=True).items()}
    return tensors, dequantised(codes, state)


@pytest.mark.parametrize("kind", ["nf4", "fp4"])
@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize(
    ("shape", "blocksize", "storage"),
    [
        ((96, 64), 64, "uint8"),
        ((128, 160), 32, "bfloat16"),
        ((1024, 600), 1024, "float32"),
        ((64, 96), 64, "float16"),
        ((31, 6), 64, "uint8"),
        ((7, 9), 64, "uint8"),
    ],
)
def test_four_bits_as_bitsandbytes_dequantises_them(
    tmp_path: Path, kind: str, nested: bool, shape: tuple[int, ...], blocksize: int, storage: str
) -> None:
    tensors, expected = packed(
        random_weight(*shape),
        blocksize=blocksize,
        quant_type=kind,
        compress_statistics=nested,
        quant_storage=getattr(torch, storage),
    )
    [decoding], refusals = plan_decoding(stored(tmp_path, tensors), {})
    assert refusals == []
    assert (decoding.name, decoding.shape, decoding.dtype) == ("w.weight", shape, kind.upper())
    np.testing.assert_array_equal(decoded(decoding), expected.numpy())
    assert np.abs(decoded(decoding) - random_weight(*shape).numpy()).mean() < 0.15 * 0.02


def test_eight_bits_as_bitsandbytes_dequantises_them(tmp_path: Path) -> None:
    codes, largest, _ = bitsandbytes.functional.int8_vectorwise_quant(random_weight(33, 50).half())
    expected = bitsandbytes.functional.int8_vectorwise_dequant(codes, largest)
    tensors = {"w.weight": codes, "w.SCB": largest, "w.weight_format": torch.tensor(0, dtype=torch.uint8)}
    [decoding], refusals = plan_decoding(stored(tmp_path, tensors), {})
    assert refusals == []
    assert (decoding.name, decoding.shape, decoding.dtype) == ("w.weight", (33, 50), "INT8")
    np.testing.assert_array_equal(decoded(decoding), expected.numpy())


@pytest.mark.parametrize(
    "options",
    [
        {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4", "bnb_4bit_use_double_quant": True},
        {"load_in_4bit": True, "bnb_4bit_quant_type": "fp4", "bnb_4bit_quant_storage": "bfloat16"},
        {"load_in_8bit": True},
    ],
    ids=["nf4", "fp4", "int8"],
)
@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_a_model_as_transformers_saves_it(tmp_path: Path, options: dict[str, Any], family: str) -> None:
    layers = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 1, "num_attention_heads": 4}
    sizes = layers if family == "llama" else {"n_embd": 64, "n_layer": 1, "n_head": 4, "n_positions": 8}
    config = transformers.AutoConfig.for_model(family, vocab_size=128, **sizes)
    transformers.AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path / "plain")
    model = transformers.AutoModelForCausalLM.from_pretrained(
        tmp_path / "plain",
        quantization_config=transformers.BitsAndBytesConfig(**options),
        device_map="cpu",
        dtype=torch.float32,
    )
    model.save_pretrained(tmp_path / "small")
    expected = {}
    for name, module in model.named_modules():
        if isinstance(module, bitsandbytes.nn.Linear4bit):
            expected[f"{name}.weight"] = dequantised(module.weight.data, module.weight.quant_state)
        elif isinstance(module, bitsandbytes.nn.Linear8bitLt):
            largest = module.weight.SCB if module.weight.SCB is not None else module.state.SCB
            expected[f"{name}.weight"] = bitsandbytes.functional.int8_vectorwise_dequant(module.weight.data, largest)
    tensors = {t.name: t for t in read_safetensors(tmp_path / "small" / "model.safetensors")}
    decodings, refusals = plan_decoding(tensors, json.loads((tmp_path / "small" / "config.json").read_text()))
    assert refusals == []
    assert {decoding.name for decoding in decodings} == set(expected)
    assert expected
    for decoding in decodings:
        np.testing.assert_array_equal(decoded(decoding), expected[decoding.name].numpy())


def nested_nf4() -> dict[str, Any]:
    return packed(random_weight(96, 64), quant_type="nf4", compress_statistics=True)[0]


def text(content: str | bytes) -> Any:
    return torch.tensor(list(content.encode() if isinstance(content, str) else content), dtype=torch.uint8)


def said(**changes: Any) -> Any:
    state = {
        "quant_type": "nf4",
        "blocksize": 64,
        "shape": [96, 64],
        "nested_blocksize": 256,
        "nested_offset": 0.1,
    }
    return text(json.dumps(state | changes))


@pytest.mark.parametrize(
    ("name", "tensor", "reason"),
    [
        (STATE, None, "no quant_state"),
        (STATE, lambda: text("{"), "not the JSON text"),
        (STATE, lambda: text("[" * 60_000), "not the JSON text"),
        (STATE, lambda: text(b"\xff\xfe\xff"), "not the JSON text"),
        (STATE, lambda: text("[]"), "not the JSON text"),
        (STATE, lambda: text('{"a": ' + "9" * 5000 + "}"), "not the JSON text"),
        (STATE, lambda: torch.zeros(70_000, dtype=torch.uint8), "at most 65536 bytes"),
        (STATE, lambda: torch.zeros(70), "at most 65536 bytes"),
        (STATE, lambda: said(quant_type="fp4"), "not the JSON text of nf4"),
        (STATE, lambda: said(shape=None), "no shape"),
        (STATE, lambda: said(shape=[]), "no shape"),
        (STATE, lambda: said(shape=[96, -64]), "no shape"),
        (STATE, lambda: said(shape=[True, 64]), "no shape"),
        (STATE, lambda: said(shape=[10**30, 64]), "no shape"),
        (STATE, lambda: said(shape=[1] * 9), "no shape"),
        (STATE, lambda: said(shape=[96, 65]), "6144 codes stored for a weight of shape [96, 65]"),
        (STATE, lambda: said(blocksize=0), "no size of blocks"),
        (STATE, lambda: said(blocksize="64"), "no size of blocks"),
        (STATE, lambda: said(blocksize=128), "w.weight.absmax is U8"),
        (STATE, lambda: said(nested_blocksize=None), "no size of blocks"),
        (STATE, lambda: said(nested_blocksize=16), "w.weight.nested_absmax is F32"),
        (STATE, lambda: said(nested_offset=None), "no offset"),
        ("w.weight.quant_state.bitsandbytes__fp4", said, "two quant_state texts"),
        ("w.weight.absmax", lambda: torch.zeros(96), "w.weight.absmax is F32"),
        ("w.weight.absmax", lambda: torch.zeros(95, dtype=torch.uint8), "w.weight.absmax is U8 of shape [95]"),
        ("w.weight.quant_map", None, "without w.weight.quant_map"),
        ("w.weight.quant_map", lambda: torch.zeros(17), "not 16 numbers"),
        ("w.weight.nested_quant_map", lambda: torch.zeros(255), "not 256 numbers"),
        ("w.weight.nested_quant_map", None, "without w.weight.nested_quant_map"),
    ],
)
def test_four_bits_that_do_not_fit_are_refused(
    tmp_path: Path, name: str, tensor: Callable[[], Any] | None, reason: str
) -> None:
    tensors = nested_nf4()
    assert name in tensors or name.endswith("fp4")
    tensors.pop(name, None)
    tensors |= {name: tensor()} if tensor else {}
    decodings, [refusal] = plan_decoding(stored(tmp_path, tensors), {})
    assert decodings == []
    assert refusal.name == "w.weight"
    assert reason in refusal.reason
    assert "\n" not in refusal.reason


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (lambda: {"w.SCB": torch.ones(4)}, "w.SCB is F32 of shape [4]"),
        (lambda: {"w.SCB": torch.ones(5, dtype=torch.int32)}, "w.SCB is I32"),
        (lambda: {"w.weight": torch.ones((5, 3), dtype=torch.float16)}, "SCB beside a weight of type F16"),
        (lambda: {"w.weight_format": torch.tensor(2, dtype=torch.uint8)}, "in a layout of one GPU"),
        (lambda: {"w.weight_format": torch.zeros(2, dtype=torch.uint8)}, "w.weight_format is U8 of shape [2]"),
    ],
)
def test_eight_bits_that_do_not_fit_are_refused(tmp_path: Path, changes: Callable[[], Any], reason: str) -> None:
    tensors = {"w.weight": torch.ones((5, 3), dtype=torch.int8), "w.SCB": torch.ones(5)} | changes()
    decodings, [refusal] = plan_decoding(stored(tmp_path, tensors), {})
    assert decodings == []
    assert refusal.name == "w.weight"
    assert reason in refusal.reason


def test_a_text_that_the_file_ends_in_is_an_error_of_the_file(tmp_path: Path) -> None:
    tensors = stored(tmp_path, nested_nf4())
    beyond = TensorRef(STATE, (100,), STORED_DTYPES["U8"], tensors[STATE].file, 10**6)
    with pytest.raises(CheckpointError, match="ends inside"):
        plan_decoding(tensors | {STATE: beyond}, {})


def test_a_text_that_repeats_one_byte_is_not_unrolled(tmp_path: Path) -> None:
    tensors = stored(tmp_path, nested_nf4())
    endless = TensorRef(STATE, (10**12,), STORED_DTYPES["U8"], tensors[STATE].file, 0, strides=(0,))
    _, [refusal] = plan_decoding(tensors | {STATE: endless}, {})
    assert "at most 65536 bytes" in refusal.reason


def test_other_tensors_are_left_alone(tmp_path: Path) -> None:
    tensors = {"a.weight": torch.ones(3, 4), "b.weight": torch.ones((3, 4), dtype=torch.int8), "SCB": torch.ones(3)}
    assert plan_decoding(stored(tmp_path, tensors), {"quantization_config": {"quant_method": "bitsandbytes"}}) == (
        [],
        [],
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5), st.lists, max_leaves=4
)
KEYS = ["quant_type", "blocksize", "shape", "nested_blocksize", "nested_offset", "dtype"]


@settings(max_examples=examples(100))
@given(st.dictionaries(st.sampled_from(KEYS), JSON | st.integers(1, 300), max_size=3))
def test_any_text_gives_a_weight_or_a_reason(
    tmp_path_factory: pytest.TempPathFactory, changes: dict[str, Any]
) -> None:
    folder = tmp_path_factory.mktemp("any")
    decodings, refusals = plan_decoding(stored(folder, nested_nf4() | {STATE: said(**changes)}), {})
    assert len(decodings) + len(refusals) == 1
    for decoding in decodings:
        decoded(decoding)


def test_scales_that_are_not_finite_pass_through_without_a_warning(tmp_path: Path) -> None:
    tensors = nested_nf4() | {"w.weight.nested_absmax": torch.tensor([3e38])}
    [decoding], _ = plan_decoding(stored(tmp_path, tensors | {STATE: said(nested_offset=1e300)}), {})
    assert not np.isfinite(decoded(decoding)).all()
