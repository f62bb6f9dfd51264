"""Files written by torch itself, in both containers: the tensors and values are torch's own."""

from __future__ import annotations

import io
import json
from collections import OrderedDict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.oracles import Oracle
from wqscore.checkpoints.pytorch.file import read_torch_file
from wqscore.errors import CheckpointError

torch = Oracle("torch")

pytestmark = pytest.mark.oracle("torch")

FLOATS = ["float64", "float32", "float16", "bfloat16"]
TYPED = [*FLOATS, "int64", "int32", "int16", "int8", "uint8", "bool", "complex64"]
READABLE = [*TYPED, "uint64", "uint32", "uint16"]
FLOAT8 = ["float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz", "float8_e8m0fnu"]

containers = pytest.mark.parametrize("container", ["zip", "legacy"])


def save(value, path, container, **options):
    torch.save(value, path, _use_new_zipfile_serialization=container == "zip", **options)
    return path


def raw(tensor):
    row_major = tensor.detach().reshape(-1).clone(memory_format=torch.contiguous_format)
    return row_major.view(torch.uint8).numpy().tobytes()


def assert_same(path, tensors):
    """What torch.load returns, the file's references give: names, order, shapes, bytes."""
    refs = read_torch_file(path)
    assert [ref.name for ref in refs] == list(tensors)
    for ref in refs:
        expected = tensors[ref.name]
        values = ref.read()
        assert values.shape == tuple(expected.shape), ref.name
        assert np.ascontiguousarray(values).tobytes() == raw(expected), ref.name
    return {ref.name: ref for ref in refs}


@containers
def test_every_dtype_has_its_safetensors_name_and_values(container, tmp_path):
    safetensors_torch = Oracle("safetensors.torch")
    tensors = {name: (torch.arange(12).reshape(3, 4) % 5).to(getattr(torch, name)) for name in READABLE}
    refs = assert_same(save(tensors, tmp_path / "m.bin", container), tensors)
    stored = safetensors_torch.save(tensors)
    header = json.loads(stored[8 : 8 + int.from_bytes(stored[:8], "little")])
    assert {name: ref.dtype.name for name, ref in refs.items()} == {n: header[n]["dtype"] for n in READABLE}


@containers
def test_eight_bit_floats_are_listed_where_their_bytes_lie(container, tmp_path):
    tensors = {name: torch.tensor([0.5, 1.0, 2.0, 4.0, 8.0]).to(getattr(torch, name)) for name in FLOAT8}
    path = save({name: tensor[2:] for name, tensor in tensors.items()}, tmp_path / "m.bin", container)
    content = path.read_bytes()
    for ref in read_torch_file(path):
        assert content[ref.offset : ref.offset + ref.nbytes] == raw(tensors[ref.name])[2:]
        # As their codes: what they mean may depend on scales elsewhere.
        assert ref.read().tobytes() == raw(tensors[ref.name])[2:]
    names = [ref.dtype.name for ref in read_torch_file(path)]
    assert names == ["F8_E4M3", "F8_E5M2", "F8_E4M3FNUZ", "F8_E5M2FNUZ", "F8_E8M0"]


@containers
def test_views_of_one_storage(container, tmp_path):
    base = torch.arange(60.0)
    square = base.reshape(6, 10)
    tensors = {
        "whole": square,
        "again": square,
        "transposed": square.T,
        "rows": square[2:5],
        "columns": square[:, 3:7],
        "one column": square[:, 4],
        "steps": base[1::7],
        "permuted": base.reshape(3, 4, 5).permute(2, 0, 1),
        "expanded": base[7:10].reshape(3, 1).expand(3, 8),
        "all expanded": base[5].expand(2, 2),
        "scalar": base[59],
        "empty": base[60:],
        "empty column": torch.zeros(0, 5)[:, 3],
        "column of one": square[:, :1],
    }
    refs = assert_same(save(tensors, tmp_path / "m.bin", container), tensors)
    begin = refs["whole"].offset
    elements = {name: (ref.offset - begin) // 4 for name, ref in refs.items() if not name.startswith("empty")}
    assert elements == {name: tensors[name].storage_offset() for name in tensors if not name.startswith("empty")}
    assert refs["whole"].location == refs["again"].location != refs["transposed"].location
    assert refs["transposed"].strides == (1, 10)
    assert refs["expanded"].strides == (1, 0)
    row_major = {name for name, ref in refs.items() if ref.strides is None}
    assert row_major == {name for name, tensor in tensors.items() if tensor.is_contiguous()}


@containers
def test_tied_parameters_of_a_module(container, tmp_path):
    class Tied(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = torch.nn.Embedding(7, 3)
            self.norm = torch.nn.BatchNorm1d(3)
            self.head = torch.nn.Linear(3, 7, bias=False)
            self.head.weight = self.embedding.weight

    state_dict = Tied().half().state_dict()
    assert isinstance(state_dict, OrderedDict)
    assert state_dict._metadata
    refs = assert_same(save(state_dict, tmp_path / "m.bin", container), state_dict)
    assert refs["head.weight"].location == refs["embedding.weight"].location
    assert len({ref.location for ref in refs.values()}) == len(refs) - 1


@containers
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_parameters_buffers_and_values_that_are_no_tensors(container, protocol, tmp_path):
    parameter = torch.nn.Parameter(torch.randn(3, 5))
    marked = torch.nn.Parameter(torch.randn(2, 2))
    marked.sharded = True
    tensors = {"weight": parameter, "marked": marked, "scalar": torch.tensor(3.5), "größe": torch.ones(2)}
    others = {
        "epoch": 7,
        "big": 2**40,
        "loss": 0.25,
        "name": "x" * 300,
        "nothing": None,
        "flag": True,
        "size": torch.Size([2, 3]),
        "device": torch.device("cpu"),
        "dtype": torch.float16,
        "numbers": [1, (2, 3), {"a": 4}],
        "storage": torch.ones(4).untyped_storage(),
    }
    path = save({**others, **tensors}, tmp_path / "m.bin", container, pickle_protocol=protocol)
    assert_same(path, tensors)


@containers
def test_checksums_left_out(container, tmp_path):
    torch.serialization.set_crc32_options(False)
    try:
        path = save({"w": torch.arange(6.0)}, tmp_path / "m.bin", container)
    finally:
        torch.serialization.set_crc32_options(True)
    assert_same(path, {"w": torch.arange(6.0)})


@containers
def test_conjugate_views_are_refused_for_their_bytes_are_other_values(container, tmp_path):
    path = save({"w": torch.tensor([1 + 2j]).conj()}, tmp_path / "m.bin", container)
    with pytest.raises(CheckpointError, match=r"m\.bin.*metadata"):
        read_torch_file(path)


@containers
@pytest.mark.parametrize("key", ["state_dict", "model", "model_state_dict", "module"])
def test_training_checkpoints_give_the_model_without_the_optimizer(container, key, tmp_path):
    model = torch.nn.Linear(4, 3)
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.ones(4)).sum().backward()
    optimizer.step()
    state = {"epoch": 3, key: model.state_dict(), "optimizer": optimizer.state_dict()}
    assert_same(save(state, tmp_path / "m.bin", container), model.state_dict())


@containers
def test_nested_modules_have_dotted_names(container, tmp_path):
    a, b, c = torch.ones(2), torch.zeros(3), torch.full((4,), 2.0)
    path = save({"encoder": {"a": a, "b": {"c": b}}, "steps": 5, "heads": [c, a]}, tmp_path / "m.bin", container)
    assert_same(path, {"encoder.a": a, "encoder.b.c": b, "heads.0": c, "heads.1": a})


@containers
@pytest.mark.parametrize("value", [{}, {"epoch": 3}, [1, 2], "text", None, {"model": {"a": 1}}])
def test_no_state_dict(container, value, tmp_path):
    with pytest.raises(CheckpointError, match="holds no state dict"):
        read_torch_file(save(value, tmp_path / "m.bin", container))


@containers
@pytest.mark.parametrize(
    ("value", "name"),
    [
        (lambda: torch.eye(3).to_sparse(), "_rebuild_sparse_tensor|_get_layout"),
        (
            lambda: torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8),
            "QInt8Storage|_rebuild_qtensor",
        ),
        (lambda: torch.ones(3, device="meta"), "_rebuild_meta_tensor_no_storage"),
        (lambda: torch.ones(3, dtype=torch.complex128), "torch.ComplexDoubleStorage"),
        (lambda: np.ones(3), "numpy.*_reconstruct"),
        (lambda: torch.nn.Linear(2, 2), "torch.nn.modules.linear.Linear"),
        (lambda: {1, 2}, "__builtin__.set"),
    ],
    ids=["sparse", "quantised", "meta", "complex128", "numpy", "module", "set"],
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_what_is_not_a_plain_tensor_is_refused_by_name(container, value, name, tmp_path):
    with pytest.raises(CheckpointError, match=f"(asks for|pickled module) .*({name}).*nothing was run"):
        read_torch_file(save({"w": value()}, tmp_path / "m.bin", container))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_torchscript_is_refused(tmp_path):
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), tmp_path / "m.bin")
    with pytest.raises(CheckpointError, match=r"m\.bin: is a TorchScript program"):
        read_torch_file(tmp_path / "m.bin")


@st.composite
def strided_views(draw):
    shape = draw(st.lists(st.integers(0, 4), max_size=4))
    strides = draw(st.lists(st.integers(0, 9), min_size=len(shape), max_size=len(shape)))
    return shape, strides, draw(st.integers(0, 20))


@settings(max_examples=examples(60))
@given(
    views=st.lists(strided_views(), min_size=1, max_size=4),
    dtype=st.sampled_from(TYPED),
    zipped=st.booleans(),
)
def test_any_strided_views(views, dtype, zipped, tmp_path_factory):
    base = (torch.arange(200) % 251).to(getattr(torch, dtype))
    tensors = {str(i): base.as_strided(*view) for i, view in enumerate(views)}
    path = save(tensors, tmp_path_factory.mktemp("views") / "m.bin", "zip" if zipped else "legacy")
    assert_same(path, torch.load(io.BytesIO(path.read_bytes()), weights_only=True))
