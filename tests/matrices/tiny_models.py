"""Tiny random models of real architectures, saved by transformers, and the results of their own code."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np

from tests.oracles import Oracle
from wqscore.checkpoints.dtypes import STORED_DTYPES
from wqscore.checkpoints.local import read_folder
from wqscore.checkpoints.tensor import TensorRef
from wqscore.matrices.matrix_rules import MatrixRules
from wqscore.matrices.model_config import ModelConfig
from wqscore.matrices.plan import PlannedTensor, plan_matrices
from wqscore.matrices.weight_matrix import SkippedTensor, WeightMatrix

torch = Oracle("torch")
transformers = Oracle("transformers")

Model = Any


def build(model_class: str, model_type: str, **sizes: Any) -> Model:
    """A model of an architecture with random weights, its biases zero so that only the matrices act."""
    torch.manual_seed(0)
    # The model's own code, step by step, and not a fused kernel: its products are what is recorded.
    config = transformers.AutoConfig.for_model(model_type, **sizes)
    config._attn_implementation = "eager"
    model = attrgetter(model_class)(transformers)._from_config(config).eval()
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.zeros_(parameter.data)
        elif parameter.dim() > 1:
            torch.nn.init.normal_(parameter.data)
    return model


def plan_folder(folder: Path, **rules: Any) -> tuple[PlannedTensor, ...]:
    config, tensors = read_folder(folder)
    return plan_matrices(tensors, ModelConfig(config), MatrixRules(**rules))


def save(model: Model, folder: Path) -> Path:
    """Save as transformers does: its names, its layout on disk, its `config.json`."""
    model.save_pretrained(folder)
    return folder


def rewrite_config(folder: Path, **values: Any) -> Path:
    """Change keys of `config.json`; `None` removes one."""
    file = folder / "config.json"
    config = {**json.loads(file.read_text()), **values}
    file.write_text(json.dumps({name: value for name, value in config.items() if value is not None}))
    return folder


def matrices(folder: Path) -> dict[str, WeightMatrix]:
    return {o.name: o for o in plan_folder(folder) if isinstance(o, WeightMatrix)}


def value(matrix: WeightMatrix) -> np.ndarray:
    """The numbers of a matrix that has one slice."""
    return np.asarray(matrix.values(matrix.tensor.read())[0], dtype=np.float64)


def tensor(
    name: str, *shape: int, dtype: str = "F32", offset: int = 0, strides: tuple[int, ...] | None = None
) -> TensorRef:
    """A tensor that is only a line of a header."""
    return TensorRef(name, shape, STORED_DTYPES[dtype], Path("model.safetensors"), offset, strides)


def header(*tensors: TensorRef) -> tuple[TensorRef, ...]:
    """Tensors laid one after the other, as in a file."""
    placed, offset = [], 0
    for ref in tensors:
        placed.append(TensorRef(ref.name, ref.shape, ref.dtype, ref.file, offset))
        offset += ref.nbytes
    return tuple(placed)


def outcome(tensors: tuple[TensorRef, ...], config: dict[str, Any] | None = None) -> list[PlannedTensor]:
    return list(plan_matrices(tensors, ModelConfig(config or {}), MatrixRules()))


def skip_of(outcomes: list[PlannedTensor], name: str) -> SkippedTensor:
    (found,) = [o for o in outcomes if isinstance(o, SkippedTensor) and o.name == name]
    return found


def mode(recorder: type) -> Any:
    """A recorder that torch hands every function it calls within a `with` block."""
    return type(recorder.__name__, (recorder, torch.overrides.TorchFunctionMode), {})()


class Products:
    """Records what is multiplied with what: attention computes q·kᵀ, then its weights times v."""

    NAMES = frozenset({"matmul", "bmm", "baddbmm", "scaled_dot_product_attention"})

    def __init__(self) -> None:
        super().__init__()
        self.operands: list[tuple[Any, Any]] = []

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if function.__name__ in self.NAMES:
            tensors = [a for a in (*args, *kwargs.values()) if isinstance(a, torch.Tensor) and a.dim() >= 3]
            if function.__name__ == "scaled_dot_product_attention":
                query, key, values = tensors[:3]
                self.operands += [(query, key.transpose(-1, -2)), (query, values)]
            elif len(tensors) >= 2:
                self.operands.append((tensors[-2], tensors[-1]))
        return function(*args, **kwargs)


@contextmanager
def fed_with_identity(module: Model) -> Iterator[None]:
    """As many tokens as features reach the module: it gets the identity's rows, and gives its weights."""

    def rows(hidden: Any) -> Any:
        return torch.eye(hidden.shape[-1]).reshape(hidden.shape)

    def replace(module: Any, args: Any, kwargs: Any) -> Any:
        if args:
            return (rows(args[0]), *args[1:]), kwargs
        return args, {**kwargs, "hidden_states": rows(kwargs["hidden_states"])}

    handle = module.register_forward_pre_hook(replace, with_kwargs=True)
    try:
        yield
    finally:
        handle.remove()


def projections(stacked: Any) -> np.ndarray:
    """W from (…, heads, tokens, head size) of the identity: (heads · head size, columns), scaled to norm 1.

    A key–value head repeated for its query heads is taken once. Some code divides q first: hence the norm.
    """
    heads = stacked.detach().reshape(-1, *stacked.shape[-2:]).double().numpy()
    once = {head.tobytes(): head.T for head in heads}
    weights = np.concatenate(list(once.values()))
    return weights / np.linalg.norm(weights)


def attention_weights(module: Model, run: Any, fed: Model | None = None) -> dict[str, np.ndarray]:
    """W of q, k and v, as the module's own code hands them to the attention, on running the model.

    Args:
        module: the attention module.
        run: runs the model, or the module.
        fed: the layer in it that gets the identity, when it is not the module itself.
    """
    recorded = mode(Products)

    def start(*_: Any) -> None:
        recorded.operands.clear()
        recorded.__enter__()

    def stop(*_: Any) -> None:
        recorded.__exit__(None, None, None)

    with fed_with_identity(fed or module), torch.no_grad():
        handles = [module.register_forward_pre_hook(start), module.register_forward_hook(stop)]
        try:
            run()
        finally:
            for handle in handles:
                handle.remove()
    (query, key), *_, (_, values) = recorded.operands
    return {
        "q": projections(query),
        "k": projections(key.transpose(-1, -2)),
        "v": projections(values),
    }
