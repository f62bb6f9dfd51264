"""Plain numbers, as torch, transformers and NumPy save them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.formats.made import Made, Make, files, filled, heavy_tailed, llama, state_of, torch, write
from tests.oracles import Oracle


def safetensors(dtype: str) -> Make:
    def make(folder: Path) -> Iterator[Made]:
        model = llama().to(getattr(torch, dtype))
        model.save_pretrained(folder)
        yield Made(folder, state_of(model), state_of(model))

    return make


def safetensors_in_shards(folder: Path) -> Iterator[Made]:
    model = llama()
    model.save_pretrained(folder, max_shard_size="100KB")
    assert len(list(folder.glob("model-*.safetensors"))) > 2
    yield Made(folder, state_of(model), state_of(model))


def safetensors_of_another_name(folder: Path) -> Iterator[Made]:
    model = llama()
    files.save_model(model, folder / "weights.safetensors")
    yield Made(folder, state_of(model), state_of(model))
    yield Made(folder / "weights.safetensors", state_of(model), state_of(model))


def torch_file(zipped: bool) -> Make:
    def make(folder: Path) -> Iterator[Made]:
        for dtype in (torch.float64, torch.float32, torch.float16, torch.bfloat16):
            state = state_of(llama().to(dtype))
            own = folder / str(dtype)
            own.mkdir()
            torch.save(state, own / "pytorch_model.bin", _use_new_zipfile_serialization=zipped)
            yield Made(own, state, state)

    return make


def torch_files_in_shards(folder: Path) -> Iterator[Made]:
    from huggingface_hub import save_torch_state_dict

    state = state_of(llama())
    name = "pytorch_model{suffix}.bin"
    save_torch_state_dict(state, folder, filename_pattern=name, max_shard_size=100_000, safe_serialization=False)
    assert len(list(folder.glob("*.bin"))) > 2
    yield Made(folder, state, state)


def npz(save: Any) -> Make:
    def make(folder: Path) -> Iterator[Made]:
        for dtype in (torch.float64, torch.float32, torch.float16):
            state = state_of(llama().to(dtype))
            file = folder / f"{dtype}.npz"
            save(file, **{name.replace(".", "/"): tensor.numpy() for name, tensor in state.items()})
            # What was packed is decoded to float32.
            numbers = {name: tensor.float() for name, tensor in state.items()}
            yield Made(file, state if save is np.savez else numbers, state)

    return make


def npy(folder: Path) -> Iterator[Made]:
    weight = heavy_tailed(64, 96)
    np.save(folder / "w.npy", np.asfortranarray(weight.numpy()))
    yield Made(folder / "w.npy", {"w": weight}, {"w"})


def convolutions(folder: Path) -> Iterator[Made]:
    nn = torch.nn
    model = filled(
        nn.ModuleDict(
            {
                "line": nn.Conv1d(64, 80, 3),
                "plane": nn.Conv2d(64, 80, (3, 2)),
                "space": nn.Conv3d(56, 64, (2, 3, 2)),
                "point": nn.Conv2d(64, 80, 1),
            }
        )
    )
    files.save_model(model, folder / "model.safetensors", {"format": "pt"})
    yield Made(folder, state_of(model), state_of(model))


def depthwise(folder: Path) -> Iterator[Made]:
    model = filled(torch.nn.ModuleDict({"each": torch.nn.Conv2d(64, 64, 3, groups=64)}))
    files.save_model(model, folder / "model.safetensors", {"format": "pt"})
    yield Made(folder, state_of(model), state_of(model))


@pytest.mark.filterwarnings("ignore:torch.distributed is disabled")
def distributed(folder: Path) -> Iterator[Made]:
    checkpoint = Oracle("torch.distributed.checkpoint")
    checkpoint.save({"model": state_of(llama())}, checkpoint_id=folder / "dcp")
    yield Made(
        folder / "dcp",
        error="is a torch distributed checkpoint, which is not read: convert it with "
        "torch.distributed.checkpoint.format_utils.dcp_to_torch_save",
    )


def torch_file_of_another_name(folder: Path) -> Iterator[Made]:
    state = state_of(llama())
    for number, suffix in enumerate((".pt", ".pth", ".ckpt", ".th", ".pth.tar")):
        own = folder / suffix[1:]
        own.mkdir()
        saved = {"model_state_dict": state, "epoch": 3} if number % 2 else state
        torch.save(saved, own / f"best{suffix}", _use_new_zipfile_serialization=number < 3)
        yield Made(own if number else own / "best.pt", state, state)


def reparametrised(folder: Path) -> Iterator[Made]:
    utils, new = torch.nn.utils, torch.nn.utils.parametrizations
    prune = Oracle("torch.nn.utils.prune")
    layers = {
        "old": utils.weight_norm(filled(torch.nn.Linear(64, 96))),
        "new": new.weight_norm(filled(torch.nn.Conv1d(64, 80, 3), 1), dim=2),
        "spectral": utils.spectral_norm(filled(torch.nn.Linear(64, 96), 2)),
        "orthonormal": new.spectral_norm(filled(torch.nn.Conv2d(64, 72, 2), 3)),
        "pruned": prune.l1_unstructured(filled(torch.nn.Linear(64, 96), 4), "weight", 0.3),
    }
    model = torch.nn.ModuleDict(layers).eval()
    state = state_of(model)
    weights = {f"{name}.bias": layer.bias.detach() for name, layer in layers.items()}
    for name, layer in layers.items():
        layer(torch.ones(1, 64, *(8,) * (layer.weight.dim() - 2)))
        weights[f"{name}.weight"] = layer.weight.detach().clone()
    yield Made(write(folder / "safetensors", state), weights, state)
    (folder / "torch").mkdir()
    torch.save(state, folder / "torch" / "pytorch_model.bin")
    yield Made(folder / "torch", weights, state)


def parametrised_by_a_function(folder: Path) -> Iterator[Made]:
    layer = torch.nn.ModuleDict({"fc": torch.nn.utils.parametrizations.orthogonal(torch.nn.Linear(64, 96))})
    refused = {
        "fc.parametrizations.weight.original": "parametrised by orthogonal, by a map that the file does not name"
    }
    state = state_of(layer)
    yield Made(write(folder / "m", state), {"fc.bias": layer["fc"].bias.detach()}, state, refused)


def by_name_alone(name: str) -> Make:
    def make(folder: Path) -> Iterator[Made]:
        (folder / name).write_bytes(b"never opened")
        suffix = Path(name).suffix
        yield Made(folder, error=f"only {suffix} weights, which are not read: convert to safetensors")

    return make


ROWS: dict[str, Make] = {
    "safetensors, F64": safetensors("float64"),
    "safetensors, F32": safetensors("float32"),
    "safetensors, F16": safetensors("float16"),
    "safetensors, BF16": safetensors("bfloat16"),
    "safetensors, in shards": safetensors_in_shards,
    "safetensors, under another name": safetensors_of_another_name,
    "torch `.bin`": torch_file(zipped=True),
    "torch `.bin`, the format before 1.6": torch_file(zipped=False),
    "torch `.bin`, in shards": torch_files_in_shards,
    "NumPy `.npz`": npz(np.savez),
    "NumPy `.npz`, compressed": npz(np.savez_compressed),
    "NumPy `.npy`": npy,
    "Conv1d, Conv2d, Conv3d": convolutions,
    "depthwise convolution": depthwise,
    "torch distributed checkpoint": distributed,
    "torch `.pt`, `.pth`, `.ckpt`, `.th`, `.tar`": torch_file_of_another_name,
    "weight_norm, spectral_norm, pruning masks": reparametrised,
    "orthogonal and other parametrisations": parametrised_by_a_function,
    "TensorFlow `.h5`": by_name_alone("tf_model.h5"),
    "Flax `.msgpack`": by_name_alone("flax_model.msgpack"),
}
