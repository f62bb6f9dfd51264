"""ONNX models that torch exported or the onnx package wrote, and what its evaluator makes of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tests.formats.made import Made, Make, filled, heavy_tailed, state_of, torch
from tests.oracles import Oracle

onnx = Oracle("onnx")


def exported(folder: Path) -> Iterator[Made]:
    """Linear layers, whose weights the exporter transposes and renames, and a convolution."""
    nn = torch.nn
    model = filled(
        nn.Sequential(nn.Linear(64, 96), nn.ReLU(), nn.Linear(96, 64, bias=False), nn.Conv1d(50, 60, 3))
    ).eval()
    torch.onnx.export(model, (torch.randn(2, 50, 64),), folder / "model.onnx", dynamo=False)
    state = state_of(model)
    yield Made(folder, state, state)
    yield Made(folder / "model.onnx", state, state)


def of_other_floats(folder: Path) -> Iterator[Made]:
    for dtype in (torch.float64, torch.float16):
        weights = {f"layer{n}.weight": heavy_tailed(64, 96, seed=n).to(dtype) for n in range(3)}
        yield Made(save(onnx, folder / f"{dtype}.onnx", weights), weights, weights)


def external(folder: Path) -> Iterator[Made]:
    weights = {f"layer{n}.weight": heavy_tailed(64, 96, seed=n) for n in range(3)}
    file = save(
        onnx, folder / "model.onnx", weights, save_as_external_data=True, location="model.data", size_threshold=0
    )
    assert (folder / "model.data").stat().st_size >= 3 * 64 * 96 * 4
    yield Made(file, weights, weights)


def save(onnx: Any, file: Path, weights: dict[str, Any], nodes: Any = (), outputs: Any = (), **options: Any) -> Path:
    initialisers = [onnx.numpy_helper.from_array(tensor.numpy(), name) for name, tensor in weights.items()]
    graph = onnx.helper.make_graph(list(nodes), "g", [], list(outputs), initialisers)
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 21)]), file, **options)
    return file


def dequantised(folder: Path) -> Iterator[Made]:
    """Codes and scales as `DequantizeLinear` takes them; what onnx's evaluator answers."""
    evaluator = Oracle("onnx.reference", "ReferenceEvaluator")
    stored: dict[str, Any] = {}
    nodes, outputs, names = [], [], []
    for n, (kind, shape, axis) in enumerate(
        [(torch.int8, (), 0), (torch.int8, (64,), 0), (torch.uint8, (96,), 1), (torch.uint8, (64,), 0)]
    ):
        name, weight = f"layer{n}.weight", heavy_tailed(64, 96, seed=n)
        away = tuple(d for d in range(2) if shape and d != axis) or (0, 1)
        step = weight.abs().amax(dim=away) / 127
        zero = torch.zeros(shape, dtype=kind) + (0 if kind == torch.int8 else 128)
        wide = [v.unsqueeze(1 - axis) if shape else v for v in (step, zero)]
        codes = (weight / wide[0] + wide[1]).round().to(kind)
        parts = {f"{name}_quantized": codes, f"{name}_scale": step, f"{name}_zero_point": zero.to(kind)}
        stored |= parts
        nodes.append(onnx.helper.make_node("DequantizeLinear", list(parts), [f"{name}_out"], axis=axis))
        outputs.append(onnx.helper.make_tensor_value_info(f"{name}_out", onnx.TensorProto.FLOAT, (64, 96)))
        names.append(name)
    file = save(onnx, folder / "model.onnx", stored, nodes, outputs)
    answers = evaluator(onnx.load(file)).run(None, {})
    weights = {name: torch.from_numpy(np.asarray(answer)) for name, answer in zip(names, answers, strict=True)}
    yield Made(file, weights, weights)


def everywhere(folder: Path) -> Iterator[Made]:
    """A weight in each place that can hold one, each of a layer that stores it as torch does."""
    helper, numpy_helper = onnx.helper, onnx.numpy_helper
    weights = {f"layer{n}.weight": heavy_tailed(64, 96, seed=n) for n in range(4)}
    stored = {name: numpy_helper.from_array(weight.numpy(), name) for name, weight in weights.items()}

    def layer(n: int, out: str) -> list[Any]:
        name = f"layer{n}.weight"
        return [
            helper.make_node("Constant", [], [name], value=stored[name]),
            helper.make_node("Gemm", ["x", name], [out], transB=1),
        ]

    output = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)
    branches = [helper.make_graph(layer(n, "y"), f"g{n}", [], [output]) for n in (1, 2)]
    choice = helper.make_node("If", ["c"], ["b"], then_branch=branches[0], else_branch=branches[1])
    function = helper.make_function("own", "F", ["x"], ["y"], layer(3, "y"), [helper.make_opsetid("", 21)])
    nodes = [*layer(0, "a"), choice, helper.make_node("F", ["x"], ["d"], domain="own")]
    graph = helper.make_graph(nodes, "g", [], [])
    onnx.save(helper.make_model(graph, functions=[function]), folder / "model.onnx")
    yield Made(folder / "model.onnx", weights, weights)


ROWS: dict[str, Make] = {
    "ONNX that torch exported": exported,
    "ONNX, F64 and F16": of_other_floats,
    "ONNX, external data": external,
    "ONNX, constants, graphs inside nodes, functions": everywhere,
    "ONNX, DequantizeLinear": dequantised,
}
