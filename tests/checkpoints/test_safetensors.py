"""The safetensors format, byte by byte, and against the safetensors library: what it refuses is refused."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import safetensors
import safetensors.numpy
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.oracles import Oracle
from wqscore.checkpoints.dtypes import STORED_DTYPES
from wqscore.checkpoints.safetensors import MAX_HEADER_BYTES, header_length, parse_header, read_safetensors
from wqscore.checkpoints.tensor import TensorRef
from wqscore.errors import CheckpointError

torch = Oracle("torch")

#: The example of the format's own tests: one float32 matrix of zeros.
ZEROS = (
    b"<\x00\x00\x00\x00\x00\x00\x00"
    b'{"test":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}}'
    b"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
)


def container(header: str, data: bytes) -> bytes:
    return (
        struct.pack("<Q", len(header.encode("utf-8", "surrogatepass")))
        + header.encode("utf-8", "surrogatepass")
        + data
    )


def ours(content: bytes) -> list[TensorRef]:
    """What is read of a file of these bytes, without a file."""
    length = header_length(content[:8], len(content), Path("file"))
    return parse_header(content[8 : 8 + length], len(content), Path("file"))


def theirs(content: bytes) -> dict[str, tuple[str, tuple[int, ...], bytes]]:
    return {
        name: (tensor["dtype"], tuple(tensor["shape"]), bytes(tensor["data"]))
        for name, tensor in safetensors.deserialize(content)
    }


def test_the_formats_own_example(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    file.write_bytes(ZEROS)
    (tensor,) = read_safetensors(file)
    assert (tensor.name, tensor.shape, tensor.dtype.name, tensor.offset, tensor.nbytes) == (
        "test",
        (2, 2),
        "F32",
        68,
        16,
    )
    assert tensor.read().tolist() == [[0, 0], [0, 0]]


def test_values_are_row_major_and_little_endian(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    second, first = (
        '{"dtype":"F16","shape":[2],"data_offsets":[8,12]}',
        '{"dtype":"BF16","shape":[2,2],"data_offsets":[0,8]}',
    )
    header = f'{{"b":{second},"a":{first}}}'
    file.write_bytes(container(header, b"\x80\x3f\x00\x40\x40\x40\x80\xc0" + b"\x00\x3c\x00\xbc"))
    b, a = read_safetensors(file)
    assert (a.name, a.read().tolist()) == ("a", [[1, 2], [3, -4]])
    assert (b.name, b.read().tolist()) == ("b", [1, -1])


def test_padding_metadata_scalars_and_empty_tensors(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    entries = '{"__metadata__":{"format":"pt"},"s":{"dtype":"F64","shape":[],"data_offsets":[0,8]},' \
              '"e":{"dtype":"F32","shape":[0,5],"data_offsets":[8,8]}}   \n'  # fmt: skip
    file.write_bytes(container(entries, struct.pack("<d", 2.5)))
    scalar, empty = read_safetensors(file)
    assert (scalar.shape, float(scalar.read())) == ((), 2.5)
    assert empty.read().shape == (0, 5)
    file.write_bytes(container("{}", b""))
    assert read_safetensors(file) == []


@pytest.mark.oracle("torch")
@pytest.mark.parametrize("name", ["float64", "float32", "float16", "bfloat16"])
def test_what_the_library_writes_reads_equal(tmp_path: Path, name: str) -> None:
    from safetensors.torch import save_file

    generator = torch.Generator().manual_seed(0)
    wanted = {
        key: torch.randn(shape, generator=generator).to(getattr(torch, name))
        for key, shape in {"a": (7, 5), "b": (3, 1, 4), "c": (), "d": (6,), "e": (0, 3), "π": (2, 2)}.items()
    }
    wanted["a"][0, :3] = torch.tensor([float("inf"), float("-inf"), float("nan")])
    save_file(wanted, tmp_path / "model.safetensors", metadata={"format": "pt"})
    found = {tensor.name: tensor for tensor in read_safetensors(tmp_path / "model.safetensors")}
    assert found.keys() == wanted.keys()
    for key, tensor in wanted.items():
        array = found[key].read()
        assert array.shape == tuple(tensor.shape)
        # Through float64, which holds every value of the others exactly.
        assert np.array_equal(array.astype(np.float64), tensor.double().numpy(), equal_nan=True)


@pytest.mark.parametrize("dtype", [d for d in STORED_DTYPES.values() if d.numpy is not None], ids=lambda d: d.name)
def test_every_type_that_is_a_number_reads_the_bytes_of_the_library(tmp_path: Path, dtype: Any) -> None:
    values = np.arange(24, dtype="u1").repeat(8).view(np.uint8)
    array = values[: 6 * dtype.bits // 8].view(dtype.numpy).reshape(2, 3)
    entry = {"dtype": dtype.name, "shape": [2, 3], "data_offsets": [0, array.nbytes]}
    content = container(json.dumps({"a": entry}), array.tobytes())
    assert theirs(content)["a"][:2] == (dtype.name, (2, 3))
    (tmp_path / "x").write_bytes(content)
    (tensor,) = read_safetensors(tmp_path / "x")
    assert tensor.read().tobytes() == array.tobytes()
    assert tensor.read().dtype == dtype.numpy


def test_bfloat16_keeps_every_bit_pattern(tmp_path: Path) -> None:
    patterns = np.arange(2**16, dtype="<u2").reshape(256, 256)
    entry = {"dtype": "BF16", "shape": [256, 256], "data_offsets": [0, patterns.nbytes]}
    (tmp_path / "x").write_bytes(container(json.dumps({"a": entry}), patterns.tobytes()))
    read = read_safetensors(tmp_path / "x")[0].read()
    assert read.dtype == ml_dtypes.bfloat16
    # A bfloat16 is the upper half of a float32.
    wanted = (patterns.astype("<u4") << 16).view("<f4")
    assert np.array_equal(read.astype(np.float32), wanted, equal_nan=True)


def test_a_file_that_shrinks_after_it_was_opened(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    file.write_bytes(ZEROS)
    (tensor,) = read_safetensors(file)
    file.write_bytes(ZEROS[:-1])
    with pytest.raises(CheckpointError, match="ends inside test: fetch the file again"):
        tensor.read()
    file.unlink()
    with pytest.raises(CheckpointError, match="can't be read: No such file"):
        tensor.read()


def test_a_long_header_is_refused_before_it_is_read() -> None:
    for length in (MAX_HEADER_BYTES + 1, 2**64 - 1):
        with pytest.raises(CheckpointError, match=f"claims a header of {length} bytes, more than the 100000000"):
            header_length(struct.pack("<Q", length), 10**12, Path("file"))
    assert header_length(struct.pack("<Q", MAX_HEADER_BYTES), 10**12, Path("file")) == MAX_HEADER_BYTES


# --- against the library ---------------------------------------------------------------------------------------

#: What the library reads and we do not: each would be a guess at what the numbers mean, or can't be held.
STRICTER = {
    "a name twice": '{"a":ENTRY,"a":ENTRY}',
    "metadata with a key twice": '{"__metadata__":{"x":"1","x":"2"},"a":ENTRY}',
    "a key that the format does not have": '{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16],"scale":2}}',
    "an entry as a list": '{"a":["F32",[4],[0,16]]}',
    "more dimensions than NumPy has": '{"a":{"dtype":"F32","shape":[4' + ",1" * 64 + '],"data_offsets":[0,16]}}',
    "an empty tensor as large as memory": (
        '{"a":ENTRY,"e":{"dtype":"F32","shape":[0,9223372036854775807,2],"data_offsets":[16,16]}}'
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", STRICTER)
def test_where_we_are_stricter_than_the_library(kind: str) -> None:
    entry = '{"dtype":"F32","shape":[4],"data_offsets":[0,16]}'
    content = container(STRICTER[kind].replace("ENTRY", entry), bytes(16))
    assert theirs(content)["a"] == ("F32", theirs(content)["a"][1], bytes(16))
    with pytest.raises(CheckpointError):
        ours(content)


def agree(content: bytes) -> None:
    """What we read is what the library reads; what it refuses, we refuse."""
    try:
        tensors = ours(content)
    except CheckpointError as error:
        assert "\n" not in str(error)
        assert len(str(error)) < 600
        return
    expected = theirs(content)
    assert {t.name: (t.dtype.name, t.shape, content[t.offset : t.offset + t.nbytes]) for t in tensors} == expected


@pytest.mark.parametrize(
    ("first", "second", "size"),
    [
        (["F32", [2], [0, 8]], ["F32", [2], [12, 20]], 20),
        (["F32", [2], [4, 12]], ["F32", [2], [12, 20]], 20),
        (["F32", [2], [0, 8]], ["F32", [2], [4, 12]], 12),
        (["F32", [2], [0, 8]], ["F32", [2], [0, 8]], 8),
        (["F32", [2], [0, 8]], ["F32", [2], [8, 16]], 15),
        (["F32", [2], [0, 8]], ["F32", [2], [8, 16]], 17),
        (["F32", [2], [8, 0]], ["F32", [2], [8, 16]], 16),
        (["F32", [2], [0, 8]], ["F64", [2], [8, 16]], 16),
        (["F4", [3], [0, 2]], ["F32", [2], [2, 10]], 10),
        (["F6_E2M3", [21], [0, 16]], ["F32", [2], [16, 24]], 24),
        (["F32", [2**62, 2**62, 0], [0, 0]], ["F32", [2], [0, 8]], 8),
        (["F32", [0], [4, 4]], ["F32", [2], [0, 8]], 8),
    ],
)
def test_headers_that_lie_are_refused_by_both(first: list[Any], second: list[Any], size: int) -> None:
    keys = ("dtype", "shape", "data_offsets")
    entries = {name: dict(zip(keys, entry, strict=True)) for name, entry in (("a", first), ("b", second))}
    content = container(json.dumps(entries), bytes(size))
    with pytest.raises(safetensors.SafetensorError):
        theirs(content)
    with pytest.raises(CheckpointError, match=r"^file: .*(damaged or forged, |cut short, )fetch it again$"):
        ours(content)


SIZES = st.integers(0, 4)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**65), 2**65)
    | st.floats()
    | st.sampled_from([0, 1, 4, 8, 16, -1, 2**63, 2**64 - 1, 2.0, "F32", "F4", "BF16", "dtype"])
    | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def headers(draw: st.DrawFn) -> tuple[dict[str, Any], int]:
    """A header that is right, and the bytes of its tensors."""
    position, entries = 0, {}
    for name in draw(st.lists(st.text(max_size=4), unique=True, max_size=4)):
        dtype = draw(st.sampled_from(list(STORED_DTYPES.values())))
        shape = draw(st.lists(SIZES, max_size=3))
        if int(np.prod(shape)) * dtype.bits % 8:
            shape = [8]
        end = position + int(np.prod(shape)) * dtype.bits // 8
        entries[name] = {"dtype": dtype.name, "shape": shape, "data_offsets": [position, end]}
        position = end
    names = draw(st.permutations(list(entries)))
    return {name: entries[name] for name in names}, position


@given(headers())
def test_a_right_header_is_read_as_the_library_reads_it(made: tuple[dict[str, Any], int]) -> None:
    entries, size = made
    for indent in (None, 1):
        content = container(
            json.dumps(entries, indent=indent), bytes(range(256)) * (size // 256) + bytes(range(size % 256))
        )
        assert len(ours(content)) == len(entries)
        agree(content)


@settings(max_examples=examples(300))
@given(headers(), st.data())
def test_a_header_with_a_value_changed(made: tuple[dict[str, Any], int], data: st.DataObject) -> None:
    entries, size = made
    extra = data.draw(st.dictionaries(st.sampled_from(["a", "__metadata__", ""]), JSON, max_size=1))
    entries |= extra
    if entries and data.draw(st.booleans()):
        name = data.draw(st.sampled_from(sorted(entries)))
        if isinstance(entries[name], dict):
            key = data.draw(st.sampled_from(["dtype", "shape", "data_offsets", "x"]))
            entries[name] = {**entries[name], key: data.draw(JSON)}
        if (
            isinstance(entries[name], dict)
            and isinstance(entries[name].get("shape"), list)
            and data.draw(st.booleans())
        ):
            entries[name]["shape"] = [*entries[name]["shape"], data.draw(JSON)]
    agree(container(json.dumps(entries), bytes(max(size + data.draw(st.integers(-2, 2)), 0))))


@settings(max_examples=examples(500))
@given(
    st.integers(0, len(ZEROS)),
    st.integers(0, 4),
    st.binary(max_size=6)
    | st.sampled_from([b"-", b"0", b".", b"e9", b"null", b"\\ud800", b"NaN", b" ", b'"x":1,', b"[" * 200]),
)
@example(59, 1, b"-0")
@example(59, 1, b"0.0")
@example(8, 0, b"\xef\xbb\xbf")
@example(10, 0, b"\\ud800")
@example(9, 0, b'"__metadata__":NaN,')
@example(9, 0, b'"__metadata__":{"a":"\\ud800"},')
def test_a_file_with_bytes_changed(position: int, removed: int, inserted: bytes) -> None:
    header = ZEROS[8:-16]
    place = max(position - 8, 0)
    changed = header[:place] + inserted + header[place + removed :]
    agree(struct.pack("<Q", len(changed)) + changed + ZEROS[-16:])
    agree(ZEROS[:position] + inserted + ZEROS[position + removed :])


@settings(max_examples=examples(200))
@given(st.binary(max_size=200))
def test_bytes_of_any_kind(content: bytes) -> None:
    agree(content)
