"""Helpers for the rows of docs/formats.md: checkpoints that a tool wrote, and the weights that the tool reads."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

from tests.oracles import Oracle

torch = Oracle("torch")
files = Oracle("safetensors.torch")
transformers = Oracle("transformers")

Weights = Mapping[str, Any]
DATA = Path(__file__).parent.parent / "data" / "formats"
SIDE, INNER = 64, 192


@dataclass(frozen=True)
class Made:
    """One checkpoint.

    Attributes:
        ref: what is scored.
        weights: torch's tensors of all that can be read, matrices by the names of their rows.
        stored: the names of the stored tensors, as the tool lists them.
        refused: of the stored tensors that are not read, a part of the reason.
        error: a part of the message where nothing of it is read.
    """

    ref: Path | str
    weights: Weights = field(default_factory=dict)
    stored: Collection[str] = ()
    refused: Mapping[str, str] = field(default_factory=dict)
    error: str = ""


#: Writes the checkpoints of one row into a folder.
Make = Callable[[Path], Iterator[Made]]


def heavy_tailed(*shape: int, seed: int = 0) -> Any:
    """Weights of size 0.05 whose singular values fall by a power law."""
    generator = torch.Generator().manual_seed(seed)
    rows, columns = shape[0], prod(shape[1:])
    sizes = torch.arange(1, min(rows, columns) + 1, dtype=torch.float64) ** -0.7
    left, right = (torch.randn(n, len(sizes), generator=generator, dtype=torch.float64) for n in (rows, columns))
    weights = (left * sizes) @ right.T
    return (weights / weights.std() * 0.05).reshape(shape).float()


def filled(model: Any, first_seed: int = 0) -> Any:
    """A model whose matrices are all heavy-tailed, and no two of them alike."""
    for seed, parameter in enumerate(model.parameters(), start=first_seed):
        if parameter.dim() > 1:
            parameter.data = heavy_tailed(*parameter.shape, seed=seed).to(parameter.dtype)
    return model


def llama(**sizes: Any) -> Any:
    """A Llama of one layer and no fused matrix."""
    usual = {"hidden_size": SIDE, "intermediate_size": INNER, "num_hidden_layers": 1, "vocab_size": 96}
    config = transformers.LlamaConfig(**usual | {"num_attention_heads": 4, "num_key_value_heads": 4} | sizes)
    return filled(transformers.LlamaForCausalLM(config))


def state_of(model: Any) -> dict[str, Any]:
    """The model's tensors, as it has them."""
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}


def stored_in(folder: Path) -> set[str]:
    """The names in a folder's safetensors files, as safetensors lists them."""
    return {name for file in folder.glob("*.safetensors") for name in files.load_file(file)}


def write(folder: Path, tensors: Weights, **config: Any) -> Path:
    """Save torch's tensors and a configuration, with torch's name in the file as transformers has it."""
    folder.mkdir(parents=True, exist_ok=True)
    contiguous = {name: tensor.contiguous() for name, tensor in tensors.items()}
    files.save_file(contiguous, folder / "model.safetensors", {"format": "pt"})
    (folder / "config.json").write_text(json.dumps(config))
    return folder
