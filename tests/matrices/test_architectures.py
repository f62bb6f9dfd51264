"""Whole models of the architectures with fused or unusual weights: what is scored is what the unfused model has.

Each model is built and saved by transformers from a small configuration. Its unfused reference comes from its own
forward code (see `unfused`), or from its own parameters where transformers keeps them apart in memory and fuses
them on disk; never from the rules that cut its file.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tests.matrices.architecture import Architecture
from tests.matrices.decoder_architectures import DECODERS
from tests.matrices.encoder_architectures import ENCODERS
from tests.matrices.recurrent_architectures import RECURRENT
from tests.matrices.tiny_models import Model, build, plan_folder, save
from tests.matrices.unfused import Parts
from tests.oracles import Oracle
from wqscore.matrices.weight_matrix import SkippedTensor, WeightMatrix

torch = Oracle("torch")
safetensors_torch = Oracle("safetensors.torch")

pytestmark = pytest.mark.oracle("torch", "transformers")

ARCHITECTURES = DECODERS | RECURRENT | ENCODERS


def role_in_model(model: Model, architecture: Architecture, parameter: str) -> str:
    """What a parameter is for, by the module that owns it, else by what the architecture's code does with it."""
    module = model.get_submodule(parameter.rpartition(".")[0])
    if isinstance(module, torch.nn.Embedding):
        return "embedding"
    if module is model.get_output_embeddings():
        return "head"
    if isinstance(module, torch.nn.Conv1d | torch.nn.Conv2d | torch.nn.Conv3d):
        return "conv"
    owner = f".{parameter.removesuffix('.weight')}"
    return architecture.roles[max((end for end in architecture.roles if owner.endswith(end)), key=len)]


def slices(parameter: np.ndarray, role: str) -> np.ndarray:
    """(slices, rows, columns): a kernel position by position, heads beside each other, positions of one image."""
    if role == "conv":
        return np.moveaxis(parameter.reshape(*parameter.shape[:2], -1), -1, 0)
    if parameter.ndim == 3 and parameter.shape[0] == 1:
        return parameter
    return parameter.reshape(1, parameter.shape[0], -1)


def unfused(model: Model, architecture: Architecture) -> Parts:
    """Every matrix of the model: the parts of fused parameters, and all others as they are."""
    parts = {name: found for unfuse in architecture.fused for name, found in unfuse(model).items()}
    parameters = {name: p.detach().double().numpy() for name, p in model.named_parameters()}
    assert parts.keys() <= parameters.keys()
    reference = [(role, matrix[None]) for found in parts.values() for role, matrix in found]
    for name, parameter in parameters.items():
        is_matrix = parameter.ndim == 2 or sum(size > 1 for size in parameter.shape) > 1
        if is_matrix and name not in parts and not name.endswith(architecture.not_matrices):
            role = role_in_model(model, architecture, name)
            reference.append((role, slices(parameter, role)))
    return reference


def same(matrix: np.ndarray, other: np.ndarray) -> bool:
    """The same numbers, up to a factor, which some code puts on q; two matrices may be each other's transpose."""
    for turned in (other, other.swapaxes(1, 2)):
        if turned.shape == matrix.shape and np.allclose(
            matrix / np.linalg.norm(matrix), turned / np.linalg.norm(turned), rtol=0, atol=1e-6
        ):
            return True
    return False


def save_as_held(model: Model, folder: Path) -> Path:
    """Write the parameters under their names in memory, where transformers fuses what it writes apart."""
    config = json.loads((save(model, folder) / "config.json").read_text())
    held = folder / "held"
    held.mkdir()
    (held / "config.json").write_text(json.dumps(config))
    safetensors_torch.save_file(dict(model.named_parameters()), held / "model.safetensors")
    return held


@dataclass(frozen=True)
class Built:
    """A tiny model of an architecture, and all of its matrices."""

    architecture: Architecture
    model: Model
    reference: Parts


@pytest.fixture(scope="module", params=ARCHITECTURES)
def built(request: pytest.FixtureRequest) -> Built:
    architecture = ARCHITECTURES[request.param]
    model = build(architecture.model_class, architecture.model_type, **architecture.sizes)
    return Built(architecture, model, unfused(model, architecture))


@pytest.mark.parametrize("write", [save, save_as_held])
def test_scored_matrices_are_those_of_the_unfused_model(
    built: Built, write: Callable[[Model, Path], Path], tmp_path: Path
) -> None:
    outcomes = plan_folder(write(built.model, tmp_path))
    scored = [outcome for outcome in outcomes if isinstance(outcome, WeightMatrix)]
    left = [(m.name, m.role, np.float64(m.values(m.tensor.read()))) for m in scored]
    missing = []
    for role, matrix in built.reference:
        found = next((i for i, (_, of, numbers) in enumerate(left) if of == role and same(matrix, numbers)), None)
        if found is None:
            missing.append((role, matrix.shape))
        else:
            left.pop(found)
    assert (missing, [(name, role, numbers.shape) for name, role, numbers in left]) == ([], [])
    assert [m.name for m in scored if m.flags] == []
    unread = {o.name.rpartition(".")[2] for o in outcomes if isinstance(o, SkippedTensor) and o.kind == "unread"}
    assert unread == set(built.architecture.unread)
