"""A checkpoint of 30 GB that is never stored: describes it, then streams and scores seven of its matrices.

A local server that speaks the Hub's API generates its bytes from a seed and an offset. Targets: less than 2 GB of
memory and 100 MB of disk. Each step is a separate process. Usage: python -m benchmarks.streaming
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
from dataclasses import replace
from math import prod
from pathlib import Path
from statistics import NormalDist
from time import perf_counter

import numpy as np

from benchmarks.machine import machine_line
from tests.hub_server import HubServer

SEED = 7
MODEL = "bench/llama-30gb"
HIDDEN, INNER, KEYS, VOCABULARY, LAYERS, LAYERS_PER_SHARD = 4096, 14336, 1024, 128256, 64, 11
CONFIG = {
    "model_type": "llama",
    "hidden_size": HIDDEN,
    "intermediate_size": INNER,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "num_hidden_layers": LAYERS,
    "vocab_size": VOCABULARY,
    "tie_word_embeddings": False,
}
#: Prefix of the scored tensors: every matrix of one layer in the middle.
SAMPLE = "model.layers.31."
BLOCK = 1 << 20
RANK = 32
STEPS = ("describe", "score")


class GeneratedShard:
    """A safetensors file of BF16 tensors whose bytes are generated on access, each block from its number.

    Weights are noise plus a product of two thin matrices, in rows of 4096, so that they are correlated like trained
    weights.
    """

    def __init__(self, number: int, shapes: dict[str, tuple[int, ...]]) -> None:
        ends = np.cumsum([2 * prod(shape) for shape in shapes.values()]).tolist()
        header = {
            name: {"dtype": "BF16", "shape": shape, "data_offsets": offsets}
            for (name, shape), offsets in zip(shapes.items(), zip([0, *ends], ends, strict=False), strict=True)
        }
        text = json.dumps(header).encode()
        self._number = number
        self._start = len(text).to_bytes(8, "little") + text
        self._size = len(self._start) + ends[-1]
        quantiles = NormalDist(0, 0.03)
        coarse = np.array([quantiles.inv_cdf((i + 0.5) / 4096) for i in range(4096)], np.float32)
        self._gaussian = np.repeat(coarse, 16)
        directions = np.random.default_rng([SEED, number]).standard_normal((RANK, HIDDEN))
        self._directions = (0.02 / np.sqrt(1 + np.arange(RANK))[:, None] * directions).astype(np.float32)

    def __repr__(self) -> str:
        return f"shard {self._number} of seed {SEED}, {self._size} bytes"

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, part: slice) -> bytes:
        first, end, _ = part.indices(self._size)
        begin = len(self._start)
        if end <= begin:
            return self._start[first:end]
        made = [self._start[first:begin]] if first < begin else []
        at, stop = max(first - begin, 0), end - begin
        while at < stop:
            block, inside = divmod(at, BLOCK)
            piece = self._block(block)[inside : inside + stop - at]
            made.append(piece)
            at += len(piece)
        return b"".join(made)

    def _block(self, block: int) -> bytes:
        random = np.random.Generator(np.random.Philox(key=[SEED, self._number], counter=[0, 0, 0, block]))
        noise = self._gaussian[random.integers(0, 1 << 16, (BLOCK // 2 // HIDDEN, HIDDEN), np.uint16)]
        noise += random.standard_normal((len(noise), RANK), np.float32) @ self._directions
        # The upper half of a float32 is a BF16.
        return (noise.view(np.uint32) >> 16).astype("<u2").tobytes()


def shards() -> dict[str, GeneratedShard]:
    """The files of weights."""
    groups = []
    for first in range(0, LAYERS, LAYERS_PER_SHARD):
        shapes: dict[str, tuple[int, ...]] = {}
        for layer in range(first, min(first + LAYERS_PER_SHARD, LAYERS)):
            shapes |= layer_shapes(f"model.layers.{layer}")
        groups.append(shapes)
    groups[0] = {"model.embed_tokens.weight": (VOCABULARY, HIDDEN)} | groups[0]
    groups[-1] |= {"model.norm.weight": (HIDDEN,), "lm_head.weight": (VOCABULARY, HIDDEN)}
    return {
        f"model-{number + 1:05}-of-{len(groups):05}.safetensors": GeneratedShard(number, shapes)
        for number, shapes in enumerate(groups)
    }


def layer_shapes(layer: str) -> dict[str, tuple[int, ...]]:
    """The tensors of one layer."""
    return {
        f"{layer}.input_layernorm.weight": (HIDDEN,),
        f"{layer}.self_attn.q_proj.weight": (HIDDEN, HIDDEN),
        f"{layer}.self_attn.k_proj.weight": (KEYS, HIDDEN),
        f"{layer}.self_attn.v_proj.weight": (KEYS, HIDDEN),
        f"{layer}.self_attn.o_proj.weight": (HIDDEN, HIDDEN),
        f"{layer}.post_attention_layernorm.weight": (HIDDEN,),
        f"{layer}.mlp.gate_proj.weight": (INNER, HIDDEN),
        f"{layer}.mlp.up_proj.weight": (INNER, HIDDEN),
        f"{layer}.mlp.down_proj.weight": (HIDDEN, INNER),
    }


def step(name: str) -> None:
    """Do one step and print its result, seconds and peak memory as JSON."""
    start = perf_counter()
    if name == "describe":
        from wqscore.planning.describe import describe

        done = f"{len(describe(MODEL).outcomes)} rows"
    else:
        from wqscore.checkpoints.opening import open_checkpoint
        from wqscore.refs.parsing import parse_ref
        from wqscore.scoring.score_checkpoint import score_checkpoint

        checkpoint = open_checkpoint(parse_ref(MODEL), stream=True)
        sample = tuple(tensor for tensor in checkpoint.tensors if tensor.name.startswith(SAMPLE))
        score = score_checkpoint(replace(checkpoint, tensors=sample))
        done = f"{len(score.layers)} matrices"
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"done": done, "seconds": perf_counter() - start, "peak_mb": peak / 1e3}))


def main() -> None:
    """Print the table."""
    files = shards()
    index = {"weight_map": {name: file for file in files for name in names(files[file])}}
    print(machine_line(["wqscore", "numpy", "huggingface_hub"]))
    print(f"{sum(map(len, files.values())) / 1e9:.1f} GB in {len(files)} shards")
    print(f"{'':>9} {'what':>12} {'seconds':>8} {'fetched MB':>11} {'peak MB':>8} {'disk MB':>8}")
    with HubServer() as hub, tempfile.TemporaryDirectory() as home:
        texts = {"config.json": CONFIG, "model.safetensors.index.json": index}
        hub.add(MODEL, {name: json.dumps(text).encode() for name, text in texts.items()} | files)
        for name in STEPS:
            before = len(hub.requests)
            command = [sys.executable, "-m", "benchmarks.streaming", name]
            environment = hub.environment(Path(home))
            output = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True).stdout
            took = json.loads(output)
            fetched = sum(request.sent for request in hub.requests[before:])
            disk = sum(path.stat().st_size for path in Path(home).rglob("*") if path.is_file())
            print(
                f"{name:>9} {took['done']:>12} {took['seconds']:8.1f} {fetched / 1e6:11.1f} {took['peak_mb']:8.0f} "
                f"{disk / 1e6:8.2f}"
            )


def names(shard: GeneratedShard) -> list[str]:
    """The tensors of a shard, from its header."""
    length = int.from_bytes(shard[:8], "little")
    return list(json.loads(shard[8 : 8 + length]))


if __name__ == "__main__":
    step(sys.argv[1]) if sys.argv[1:] else main()
