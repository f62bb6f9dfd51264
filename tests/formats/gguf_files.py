"""GGUF files that the gguf package wrote, and what it decodes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gguf
import numpy as np

from tests.formats.made import Made, Make, llama, state_of, torch

#: A row of every type is whole blocks.
WIDE = 256
#: Codes of random blocks that decode to more than any model's weights are thrown away.
LARGEST = 4.0


def written_model(folder: Path, type_name: str, tensors_in_a_part: int = 0) -> Made:
    """A Llama under llama.cpp's names; matrices in one type, the rest in F32."""
    gguf, write, names = tools()
    kind = gguf.GGMLQuantizationType[type_name]
    model = llama(hidden_size=WIDE, intermediate_size=2 * WIDE)
    weights: dict[str, Any] = {}
    stored: dict[str, Any] = {}
    for name, tensor in state_of(model).items():
        array = tensor.numpy()
        if array.ndim == 1:
            weights[name], stored[names.get_name(name, (".weight",))] = tensor, array
            continue
        blocks = gguf.quants.quantize(array, kind)
        stored[names.get_name(name, (".weight",))] = (blocks, kind)
        weights[name] = in_its_type(torch.from_numpy(gguf.quants.dequantize(blocks, kind).copy()), type_name)
    sizes = {"block_count": 1, "embedding_length": WIDE, "attention__head_count": 4}
    file = write(folder / f"{type_name}.gguf", stored, parts_of=tensors_in_a_part, **sizes)
    first = file if file.is_file() else sorted(folder.glob(f"{type_name}-00001-of-*.gguf"))[0]
    return Made(first, weights, weights)


def in_its_type(weight: Any, type_name: str) -> Any:
    return weight.to({"F16": torch.float16, "BF16": torch.bfloat16}.get(type_name, torch.float32))


def tools() -> tuple[Any, Any, Any]:
    from tests.checkpoints.gguf.writing import write

    return gguf, write, gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, 1)


def of_types(*types: str) -> Make:
    def make(folder: Path) -> Iterator[Made]:
        for type_name in types:
            yield written_model(folder, type_name)

    return make


def split(folder: Path) -> Iterator[Made]:
    for type_name in ("F32", "Q8_0"):
        made = written_model(folder, type_name, tensors_in_a_part=4)
        assert len(list(folder.glob(f"{type_name}-*-of-*.gguf"))) == 3
        yield made


def of_random_blocks(*types: str) -> Make:
    """The package writes these types' blocks and decodes them, and can't make them of floats."""

    def make(folder: Path) -> Iterator[Made]:
        gguf, write, _ = tools()
        stored, weights = {}, {}
        for layer, type_name in enumerate(types):
            kind = gguf.GGMLQuantizationType[type_name]
            blocks = plausible_blocks(gguf, kind, rows=64, columns=WIDE)
            stored[f"blk.{layer}.ffn_up.weight"] = (blocks, kind)
            decoded = gguf.quants.dequantize(blocks, kind)
            weights[f"model.layers.{layer}.mlp.up_proj.weight"] = torch.from_numpy(decoded.copy())
        sizes = {"block_count": len(types), "embedding_length": WIDE, "attention__head_count": 4}
        yield Made(write(folder / "model.gguf", stored, **sizes), weights, weights)

    return make


def plausible_blocks(gguf: Any, kind: Any, rows: int, columns: int) -> np.ndarray:
    size, nbytes = gguf.GGML_QUANT_SIZES[kind]
    wanted = rows * columns // size
    random = np.random.default_rng(kind.value)
    with np.errstate(all="ignore"):
        blocks = random.integers(0, 256, (20 * wanted, nbytes), dtype=np.uint8)
        largest = np.abs(gguf.quants.dequantize(blocks, kind)).max(axis=1)
    kept = blocks[largest < LARGEST][:wanted]
    assert len(kept) == wanted
    return kept.reshape(rows, -1)


ROWS: dict[str, Make] = {
    "GGUF F32, F16, BF16": of_types("F32", "F16", "BF16"),
    "GGUF Q4_0, Q4_1, Q5_0, Q5_1, Q8_0": of_types("Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0"),
    "GGUF TQ1_0, TQ2_0, MXFP4": of_types("TQ1_0", "TQ2_0", "MXFP4"),
    "GGUF Q2_K, Q3_K, Q4_K, Q5_K, Q6_K": of_random_blocks("Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K"),
    "GGUF IQ1, IQ2, IQ3, IQ4": of_random_blocks(
        "IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ3_XXS", "IQ3_S", "IQ4_NL", "IQ4_XS"
    ),
    "GGUF in several files": split,
}
