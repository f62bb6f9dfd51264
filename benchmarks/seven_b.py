"""A checkpoint of a 7B model, 13.5 GB in BF16: describes all of it, and scores four of its layers.

The shapes and names are those of Llama 7B in shards of four layers. Only one shard is written; the others are holes,
which take no disk space, since `describe` reads only headers. The four layers are then scored as a separate folder.
Each step is a separate process. Targets: described in under 2 s, scored in less than 3 GB.
Usage: python -m benchmarks.seven_b
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from itertools import chain
from math import prod
from pathlib import Path

from benchmarks.machine import machine_line
from benchmarks.models import Shapes, write_config, write_weights
from benchmarks.processes import Usage, run, score, wqscore

HIDDEN, INNER, VOCABULARY, LAYERS, LAYERS_OF_SHARD = 4096, 11008, 32000, 32, 4
CONFIG = {
    "model_type": "llama",
    "hidden_size": HIDDEN,
    "intermediate_size": INNER,
    "num_attention_heads": 32,
    "num_key_value_heads": 32,
    "num_hidden_layers": LAYERS,
    "vocab_size": VOCABULARY,
    "tie_word_embeddings": False,
}
#: The shard that is written: one in the middle.
WRITTEN = 5
MAX_DESCRIBE_SECONDS, MAX_MEMORY_MB = 2.0, 3000
#: Free disk space that the benchmark needs, in bytes.
ROOM = 3_000_000_000


def layer_shapes(layer: str) -> Shapes:
    """The tensors of one layer."""
    square, wide = (HIDDEN, HIDDEN), (INNER, HIDDEN)
    attention = {f"{layer}.self_attn.{part}_proj.weight": square for part in "qkvo"}
    mlp = {f"{layer}.mlp.gate_proj.weight": wide, f"{layer}.mlp.up_proj.weight": wide}
    norms = {f"{layer}.{name}_layernorm.weight": (HIDDEN,) for name in ("input", "post_attention")}
    return {**attention, **mlp, f"{layer}.mlp.down_proj.weight": (HIDDEN, INNER), **norms}


def shards() -> list[Shapes]:
    """The tensors of each file: the embedding, the layers, the final norm and the head."""
    embedding, head = {"model.embed_tokens.weight": (VOCABULARY, HIDDEN)}, {"lm_head.weight": (VOCABULARY, HIDDEN)}
    layers = [layer_shapes(f"model.layers.{i}") for i in range(LAYERS)]
    groups = [layers[first : first + LAYERS_OF_SHARD] for first in range(0, LAYERS, LAYERS_OF_SHARD)]
    of_layers = [dict(chain.from_iterable(layer.items() for layer in group)) for group in groups]
    return [embedding, *of_layers, {"model.norm.weight": (HIDDEN,), **head}]


def write_checkpoint(folder: Path, written: int | None = WRITTEN) -> list[Path]:
    """Write the weights, the index and the configuration, and return the files of weights.

    Args:
        folder: made.
        written: the shard whose weights are written; `None` for none.
    """
    folder.mkdir()
    of_files = shards()
    files = [folder / f"model-{i:05}-of-{len(of_files):05}.safetensors" for i in range(1, len(of_files) + 1)]
    for number, (file, shapes) in enumerate(zip(files, of_files, strict=True)):
        write_weights(file, shapes, "BF16", hollow=number != written)
    weight_map = {name: file.name for file, shapes in zip(files, of_files, strict=True) for name in shapes}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}), encoding="utf-8")
    write_config(folder, CONFIG)
    return files


def line(what: str, size: int, usage: Usage, missed: bool) -> str:
    """A line of the table."""
    took = f"{usage.wall:>8.2f} {usage.cpu:>8.2f} {usage.peak_mb:>8.0f}"
    return f"{what:>28} {size / 1e9:>6.1f} {took}{' misses' if missed else ''}"


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as name:
        if shutil.disk_usage(name).free < ROOM:
            sys.exit(f"{name}: less than {ROOM / 1e9:g} GB free")
        files = write_checkpoint(Path(name, "whole"))
        sample = Path(name, "sample")
        sample.mkdir()
        (sample / "model.safetensors").hardlink_to(files[WRITTEN])
        write_config(sample, CONFIG | {"num_hidden_layers": LAYERS_OF_SHARD})
        print(machine_line(["wqscore", "numpy", "numba"]))
        print(f"{'':>28} {'GB':>6} {'seconds':>8} {'cpu s':>8} {'peak MB':>8}")
        sizes = [2 * sum(map(prod, shapes.values())) for shapes in shards()]
        described = run(wqscore("describe", str(Path(name, "whole"))))
        print(line("describe", sum(sizes), described, described.wall >= MAX_DESCRIBE_SECONDS), flush=True)
        scored = run(score(sample))
        print(line("score four layers", sizes[WRITTEN], scored, scored.peak_mb >= MAX_MEMORY_MB))


if __name__ == "__main__":
    main()
