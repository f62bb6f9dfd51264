"""Re-parametrised weights: torch's own modules say what the weight is, in every container and naming."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

from tests.oracles import Oracle
from wqscore.checkpoints.decoding import DecodedTensor
from wqscore.checkpoints.opening import open_checkpoint
from wqscore.checkpoints.reparametrised.planning import with_effective_weights
from wqscore.checkpoints.safetensors import read_safetensors
from wqscore.checkpoints.tensor import Tensor
from wqscore.refs.parsing import parse_ref

torch = Oracle("torch")
prune = Oracle("torch.nn.utils.prune")
parametrize = Oracle("torch.nn.utils.parametrize")
saving = Oracle("safetensors.torch")

RNG = np.random.default_rng(0)
pytestmark = pytest.mark.filterwarnings("ignore:.*weight_norm.* is deprecated")


def linear() -> Any:
    return torch.nn.Linear(6, 8)


def convolution() -> Any:
    return torch.nn.Conv2d(6, 8, 3)


def transposed() -> Any:
    return torch.nn.ConvTranspose2d(6, 6, 3)


def old(layer: Any, function: str, **options: Any) -> Any:
    return getattr(torch.nn.utils, function)(layer, **options)


def new(layer: Any, function: str, **options: Any) -> Any:
    return getattr(torch.nn.utils.parametrizations, function)(layer, **options)


#: A module with parts, and the parameter that they make.
FOLLOWS: dict[str, tuple[Callable[[], Any], str]] = {
    **{
        f"weight_norm {dim}": (lambda dim=dim: old(convolution(), "weight_norm", dim=dim), "weight")
        for dim in range(4)
    },
    **{
        f"new weight_norm {dim}": (lambda d=dim: new(convolution(), "weight_norm", dim=d), "weight")
        for dim in range(4)
    },
    "weight_norm of all": (lambda: old(linear(), "weight_norm", dim=None), "weight"),
    "new weight_norm of all": (lambda: new(linear(), "weight_norm", dim=None), "weight"),
    "weight_norm of a bias": (lambda: old(linear(), "weight_norm", name="bias"), "bias"),
    "weight_norm, recurrent": (lambda: old(torch.nn.LSTM(6, 8), "weight_norm", name="weight_hh_l0"), "weight_hh_l0"),
    "new weight_norm, recurrent": (
        lambda: new(torch.nn.GRU(6, 8), "weight_norm", name="weight_ih_l0"),
        "weight_ih_l0",
    ),
    "spectral_norm": (lambda: old(linear(), "spectral_norm"), "weight"),
    "spectral_norm, convolution": (lambda: old(convolution(), "spectral_norm"), "weight"),
    "spectral_norm, as many in as out": (lambda: old(transposed(), "spectral_norm"), "weight"),
    "new spectral_norm": (lambda: new(linear(), "spectral_norm"), "weight"),
    "new spectral_norm, convolution": (lambda: new(convolution(), "spectral_norm", dim=1), "weight"),
    "new spectral_norm, as many in as out": (lambda: new(transposed(), "spectral_norm"), "weight"),
    "pruned": (lambda: prune.l1_unstructured(linear(), "weight", 0.4), "weight"),
    "pruned filters": (lambda: prune.ln_structured(convolution(), "weight", 0.4, 2, 0), "weight"),
    "pruned directions": (lambda: prune.l1_unstructured(old(linear(), "weight_norm"), "weight_v", 0.4), "weight"),
    "both norms": (lambda: new(new(linear(), "weight_norm"), "spectral_norm"), "weight"),
}


def trained(layer: Any) -> Any:
    """A module whose parameters are no longer those that they were made from, as after training."""
    layer.train()
    given = torch.ones(2, 6, *(5,) * (2 if isinstance(layer, torch.nn.Conv2d | torch.nn.ConvTranspose2d) else 0))
    for _ in range(20):
        layer(given)  # the power iteration of the spectral norm
    for name, parameter in layer.named_parameters():
        if name.endswith(("_g", "original0")):
            parameter.data = parameter.data * torch.linspace(0.5, 2, parameter.numel()).reshape(parameter.shape)
    layer.eval()
    layer(given)  # the old functions compute the weight here
    return torch.nn.ModuleDict({"layer": layer}) if isinstance(layer, torch.nn.Module) else layer


@pytest.mark.oracle("torch")
@pytest.mark.parametrize("suffix", [".safetensors", ".bin", ".pt"])
@pytest.mark.parametrize("case", FOLLOWS)
def test_the_weight_is_torchs_own(case: str, suffix: str, tmp_path: Path) -> None:
    make, name = FOLLOWS[case]
    torch.manual_seed(0)
    model = trained(make())
    state = {key: tensor.detach().clone().contiguous() for key, tensor in model.state_dict().items()}
    file = tmp_path / f"model{suffix}"
    saving.save_file(state, file) if suffix == ".safetensors" else torch.save(state, file)
    found = {tensor.name: tensor for tensor in open_checkpoint(parse_ref(str(file))).tensors}
    weight = found[f"layer.{name}"]
    expected = getattr(model["layer"], name).detach().numpy()
    np.testing.assert_allclose(weight.read(), expected, rtol=2e-6, atol=1e-7)
    assert weight.shape == expected.shape
    # Directions that are pruned themselves are in between.
    assert found.keys() - {weight.name, "layer.weight_v"} == state.keys() - {"layer.weight_v"}
    parts = {key for key, tensor in found.items() if tensor.part_of}
    assert parts == {
        key for key in found if key.endswith(("_g", "_v", "_u", "_orig", "_mask")) or "parametriz" in key
    }
    assert not any(tensor.refusal for tensor in found.values())


@pytest.mark.oracle("torch")
def test_what_does_not_follow_is_refused_by_name(tmp_path: Path) -> None:
    class Symmetric(torch.nn.Module):
        def forward(self, weight: Any) -> Any:
            return weight.triu() + weight.triu(1).T

    class Masked(Symmetric):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("mask", torch.ones(8, 8))

    symmetric, masked = torch.nn.Linear(8, 8), torch.nn.Linear(8, 8)
    parametrize.register_parametrization(symmetric, "weight", Symmetric())
    parametrize.register_parametrization(masked, "weight", Masked())
    cases = {
        "orthogonal, by a map": new(linear(), "orthogonal"),
        "a function that stores nothing": symmetric,
        "mask": masked,
        "a function that stores nothing ": new(torch.nn.Linear(8, 8), "orthogonal", use_trivialization=False),
    }
    for reason, layer in cases.items():
        state = {key: tensor.detach().clone().contiguous() for key, tensor in layer.state_dict().items()}
        saving.save_file(state, tmp_path / "model.safetensors")
        found = {tensor.name: tensor for tensor in open_checkpoint(parse_ref(str(tmp_path))).tensors}
        original = found.pop("parametrizations.weight.original")
        assert original.refusal.startswith(f"parametrised by {reason.strip()}")
        assert all(tensor.part_of == "weight" for name, tensor in found.items() if name != "bias")


def planned(folder: Path, **tensors: np.ndarray) -> dict[str, Tensor]:
    save_file({name.replace("__", "."): array for name, array in tensors.items()}, folder / "m.safetensors")
    return {tensor.name: tensor for tensor in with_effective_weights(read_safetensors(folder / "m.safetensors"))}


def heavy(*shape: int) -> np.ndarray:
    return RNG.standard_t(3, shape).astype("f4")


@pytest.mark.parametrize(
    "tensors",
    [
        {"fc.weight_g": heavy(8, 1)},
        {"fc.weight_v": heavy(8, 6)},
        {"fc.weight_g": heavy(4, 1), "fc.weight_v": heavy(8, 6)},
        {"fc.weight_g": heavy(8), "fc.weight_v": heavy(8, 6)},
        {"fc.weight_g": heavy(8, 6), "fc.weight_v": heavy(8, 6)},
        {"fc.weight_g": np.ones((8, 1), "i4"), "fc.weight_v": heavy(8, 6)},
        {"block.time_mix_g": heavy(1, 1, 6), "block.time_mix_v": heavy(1, 1, 6)},
        {"fc.weight_orig": heavy(8, 6), "fc.weight_u": heavy(8)},
        {"fc.weight_orig": heavy(8, 6), "fc.weight_u": heavy(8), "fc.weight_v": heavy(8)},
        {"fc.weight_orig": heavy(8, 6), "fc.weight_mask": heavy(6, 8)},
        {"attn.pos_bias_u": heavy(8, 6), "attn.pos_bias_v": heavy(8, 6)},
    ],
)
def test_parts_that_do_not_fit_stay_as_they_are(tensors: dict[str, np.ndarray], tmp_path: Path) -> None:
    save_file(tensors, tmp_path / "m.safetensors")
    stored = tuple(read_safetensors(tmp_path / "m.safetensors"))
    assert with_effective_weights(stored) == stored


def test_a_weight_that_is_stored_beside_its_parts_is_taken(tmp_path: Path) -> None:
    found = planned(tmp_path, fc__weight=heavy(8, 6), fc__weight_orig=heavy(8, 6), fc__weight_mask=heavy(8, 6))
    assert not isinstance(found["fc.weight"], DecodedTensor)
    assert {name for name, tensor in found.items() if tensor.part_of} == {"fc.weight_orig", "fc.weight_mask"}


@given(st.lists(st.integers(1, 4), min_size=2, max_size=4), st.integers(-1, 3), st.sampled_from(["f2", "f4", "f8"]))
def test_any_shape_axis_and_type_of_weight_norm(shape: list[int], axis: int, dtype: str) -> None:
    direction = RNG.standard_normal(shape).astype(dtype)
    kept = axis % len(shape) if axis >= 0 else None
    gain = np.abs(RNG.standard_normal([size if number == kept else 1 for number, size in enumerate(shape)])).astype(
        dtype
    )
    with tempfile.TemporaryDirectory() as name:
        found = planned(Path(name), fc__weight_g=gain, fc__weight_v=direction)
        weight = found["fc.weight"].read()
    norms = np.empty(gain.shape)
    for index in np.ndindex(*gain.shape):
        part = direction.astype("f8")
        if kept is not None:
            part = part.take(index[kept], axis=kept)
        norms[index] = np.sqrt((part**2).sum())
    np.testing.assert_allclose(weight, direction.astype("f8") * gain / norms, rtol=1e-5)


def test_the_parameters_are_those_of_the_weight(tmp_path: Path) -> None:
    planned(tmp_path, fc__weight_g=np.ones((8, 1), "f4"), fc__weight_v=heavy(8, 6))
    assert open_checkpoint(parse_ref(str(tmp_path))).parameters == 48
