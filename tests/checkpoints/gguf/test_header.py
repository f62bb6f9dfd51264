"""GGUF headers against the package's own reader, and damaged headers that are refused."""

from __future__ import annotations

import functools
import io
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.checkpoints.gguf.writing import Type, gguf, random_blocks, write
from tests.examples import examples
from wqscore.checkpoints.gguf.config import needed
from wqscore.checkpoints.gguf.fields import MAX_HEADER_BYTES
from wqscore.checkpoints.gguf.file import read_gguf
from wqscore.checkpoints.gguf.header import Header, TensorType, parse_header
from wqscore.errors import CheckpointError

TYPES = {int(kind): TensorType(kind.name, *sizes) for kind, sizes in gguf.GGML_QUANT_SIZES.items()}
#: Above it no header may take memory, whatever it claims: the parser's own buffers and small objects.
MOST_BYTES = 4 * 2**20

FIRST = struct.pack("<4sI", b"GGUF", 3)
STRING, ARRAY, UINT32, UINT8 = 8, 9, 4, 0


def counts(tensors: int, keys: int) -> bytes:
    return struct.pack("<QQ", tensors, keys)


def text(value: str | bytes) -> bytes:
    value = value.encode() if isinstance(value, str) else value
    return struct.pack("<Q", len(value)) + value


def tensor(name: str, sizes: tuple[int, ...], kind: int = 0, offset: int = 0) -> bytes:
    return text(name) + struct.pack(f"<I{len(sizes)}QIQ", len(sizes), *sizes, kind, offset)


def parse(header: bytes, data: int = 0) -> Header:
    """Parse a header that so many bytes of data follow."""
    content = header + bytes(-len(header) % 32) + bytes(data)
    return parse_header(io.BytesIO(content), len(content), Path("model.gguf"), TYPES, needed)


def traced(header: bytes) -> int:
    """Bytes that parsing took at most, whether it went well or not."""
    tracemalloc.start()
    try:
        parse_header(io.BytesIO(header), len(header), Path("model.gguf"), TYPES, needed)
    except CheckpointError:
        pass
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    return peak


@functools.cache
def valid(folder: Path) -> bytes:
    file = write(
        folder / "valid.gguf",
        {
            "token_embd.weight": (random_blocks(Type.Q4_K, (3, 256)), Type.Q4_K),
            "blk.0.attn_q.weight": np.ones((3, 5), dtype=np.float32),
            "blk.0.ffn_gate_exps.weight": (random_blocks(Type.Q8_0, (2, 3, 64)), Type.Q8_0),
            "blk.0.attn_norm.weight": np.ones(7, dtype=np.float16),
        },
        block_count=1,
        attention__head_count=4,
        attention__head_count_kv=[2, 2, 2],
    )
    return file.read_bytes()


def test_every_type_where_the_packages_own_reader_finds_it(tmp_path: Path) -> None:
    blocks = {f"{kind.name}.weight": (random_blocks(kind, (2, 3, 256)), kind) for kind in Type if kind != Type.F32}
    file = write(tmp_path / "all.gguf", {**blocks, "plain": np.ones((4, 5), dtype=np.float32)}, block_count=3)
    content = file.read_bytes()
    header = parse_header(io.BytesIO(content), len(content), file, TYPES, needed)
    reader = gguf.GGUFReader(file)
    assert [(t.name, t.shape[::-1], t.type.name, t.offset, t.nbytes) for t in header.tensors] == [
        (t.name, tuple(t.shape.tolist()), t.tensor_type.name, t.data_offset, t.n_bytes) for t in reader.tensors
    ]
    assert header.metadata == {
        key: reader.get_field(key).contents() for key in ("general.architecture", "llama.block_count")
    }


@pytest.mark.parametrize("alignment", [32, 64, 4096])
def test_another_alignment(alignment: int, tmp_path: Path) -> None:
    writer = gguf.GGUFWriter(tmp_path / "a.gguf", "llama")
    writer.add_custom_alignment(alignment)
    writer.add_tensor("a", np.ones(3, dtype=np.float32))
    writer.add_tensor("b", np.full(3, 2, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    _, tensors, _, _ = read_gguf(tmp_path / "a.gguf")
    assert [t.offset for t in tensors] == [t.data_offset for t in gguf.GGUFReader(tmp_path / "a.gguf").tensors]
    assert [t.read().tolist() for t in tensors] == [[1, 1, 1], [2, 2, 2]]


def test_metadata_of_every_type_is_passed_over(tmp_path: Path) -> None:
    writer = gguf.GGUFWriter(tmp_path / "a.gguf", "llama")
    for kind in gguf.GGUFValueType:
        if kind not in {gguf.GGUFValueType.ARRAY, gguf.GGUFValueType.STRING}:
            writer.add_key_value(f"x.{kind.name}", 1, kind)
    for name, values in {"numbers": [1, 2], "floats": [0.5], "texts": ["a", "bc"], "lists": [[1], [2, 3]]}.items():
        writer.add_array(f"x.{name}", values)
    writer.add_block_count(7)
    writer.add_tensor("a", np.ones(3, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    config, (found,), _, _ = read_gguf(tmp_path / "a.gguf")
    assert config["num_hidden_layers"] == 7
    assert found.read().tolist() == [1, 1, 1]


def test_version_2_is_laid_out_as_3() -> None:
    header = struct.pack("<4sI", b"GGUF", 2) + counts(1, 0) + tensor("a", (4, 2))
    assert [t.shape for t in parse(header, 32).tensors] == [(2, 4)]


def test_a_vocabulary_is_passed_over_without_keeping_it() -> None:
    tokens = b"".join(text(f"token {n}") for n in range(300_000))
    key = text("tokenizer.ggml.tokens") + struct.pack("<IIQ", ARRAY, STRING, 300_000)
    header = FIRST + counts(1, 2) + key + tokens + text("llama.block_count") + struct.pack("<II", UINT32, 5)
    content = header + tensor("a", (4,)) + bytes(64)
    assert traced(content) < 2**17
    assert parse(header + tensor("a", (4,)), 64).metadata == {"llama.block_count": 5}


LIES = {
    "empty": (b"", "does not start as a GGUF file does"),
    "another format": (b"PK\x03\x04" + bytes(40), "does not start as a GGUF file does"),
    "a pointer": (b"version https://git-lfs.github.com/spec/v1\n", "is a Git LFS pointer"),
    "big-endian": (struct.pack(">4sIQQ", b"GGUF", 3, 0, 0), "is a big-endian GGUF"),
    "version 1": (struct.pack("<4sIII", b"GGUF", 1, 0, 0) + bytes(9), "is GGUF version 1; 2 and 3 are read"),
    "version 4": (struct.pack("<4sIQQ", b"GGUF", 4, 0, 0), "is GGUF version 4"),
    "cut after the magic": (FIRST, r"ends inside its header \(8 bytes\)"),
    "many tensors": (FIRST + counts(2**63, 0), "claims 9223372036854775808 tensors"),
    "many keys": (FIRST + counts(0, 2**40), "1099511627776 metadata keys"),
    "a long key": (FIRST + counts(0, 1) + struct.pack("<Q", 2**62) + bytes(64), "a metadata key claims"),
    "a key that is no text": (FIRST + counts(0, 1) + text(b"\xff\xfe") + bytes(8), "a metadata key is not UTF-8"),
    "a value type": (FIRST + counts(0, 1) + text("x") + struct.pack("<II", 13, 0), "unknown value type 13"),
    "an array's type": (FIRST + counts(0, 1) + text("x") + struct.pack("<IIQ", ARRAY, 99, 1), "value type 99"),
    "a long array of bytes": (
        FIRST + counts(0, 1) + text("x") + struct.pack("<IIQ", ARRAY, UINT8, 2**60),
        "ends inside its header",
    ),
    "a long array of texts": (
        FIRST + counts(0, 1) + text("x") + struct.pack("<IIQ", ARRAY, STRING, 2**60) + bytes(64),
        "claims 1152921504606846976 elements",
    ),
    "a long text in an array": (
        FIRST + counts(0, 1) + text("x") + struct.pack("<IIQQ", ARRAY, STRING, 1, 2**63) + bytes(64),
        "ends inside its header",
    ),
    "arrays in arrays": (
        FIRST + counts(0, 1) + text("x") + struct.pack("<I", ARRAY) + struct.pack("<IQ", ARRAY, 1) * 100,
        "nests arrays too deeply",
    ),
    "a key twice": (
        FIRST + counts(0, 2) + (text("llama.block_count") + struct.pack("<II", UINT32, 1)) * 2,
        "has the metadata key llama.block_count twice",
    ),
    "an odd alignment": (
        FIRST + counts(0, 1) + text("general.alignment") + struct.pack("<II", UINT32, 24),
        "general.alignment 24 is not a power of two",
    ),
    "an alignment of 0": (
        FIRST + counts(0, 1) + text("general.alignment") + struct.pack("<II", UINT32, 0),
        "general.alignment 0 is not a power of two",
    ),
    "dimensions": (FIRST + counts(1, 0) + text("a") + struct.pack("<I", 2**31) + bytes(64), "2147483648 dimensions"),
    "a type": (FIRST + counts(1, 0) + tensor("a", (4,), kind=31) + bytes(64), "type 31, which is not known"),
    "a vast shape": (FIRST + counts(1, 0) + tensor("a", (2**40, 2**40)) + bytes(64), "larger than any memory"),
    "half a block": (FIRST + counts(1, 0) + tensor("a", (33,), kind=8) + bytes(96), "not whole Q8_0 blocks of 32"),
    "out of the file": (FIRST + counts(1, 0) + tensor("a", (1000,)) + bytes(64), "tensor a ends at byte 4064"),
    "a far offset": (FIRST + counts(1, 0) + tensor("a", (4,), offset=2**62) + bytes(64), "tensor a ends at byte"),
    "an odd offset": (FIRST + counts(1, 0) + tensor("a", (4,), offset=4) + bytes(64), "not aligned to 32 bytes"),
    "a tensor twice": (
        FIRST + counts(2, 0) + tensor("a", (4,)) + tensor("a", (4,), offset=32) + bytes(96),
        "has the tensor a twice",
    ),
    "an overlap": (
        FIRST + counts(2, 0) + tensor("a", (16,)) + tensor("b", (4,), offset=32) + bytes(160),
        "tensor b overlaps another tensor",
    ),
}


@pytest.mark.parametrize(("content", "message"), LIES.values(), ids=LIES)
def test_a_header_that_lies_is_refused(content: bytes, message: str, tmp_path: Path) -> None:
    file = tmp_path / "model.gguf"
    file.write_bytes(content)
    with pytest.raises(CheckpointError, match=message) as caught:
        read_gguf(file)
    assert str(caught.value).startswith(f"{file}: ")
    assert "\n" not in str(caught.value)
    assert traced(content) < MOST_BYTES


def test_a_header_longer_than_any_is_not_read_to_its_end() -> None:
    """A file of empty texts, as long as a model: it is given up where no vocabulary is that long."""

    class Counted(io.RawIOBase):
        taken = 0

        def read(self, count: int = -1) -> bytes:
            start = FIRST + counts(0, 1) + text("x") + struct.pack("<IIQ", ARRAY, UINT8, 2**35)
            data = (
                (start + bytes(count))[self.taken : self.taken + count] if self.taken < len(start) else bytes(count)
            )
            self.taken += count
            return data

    stream = Counted()
    with pytest.raises(CheckpointError, match=f"its header is longer than {MAX_HEADER_BYTES} bytes"):
        parse_header(stream, 2**36, Path("model.gguf"), TYPES, needed)
    assert stream.taken < 1000


def test_a_file_that_is_not_there_or_holds_nothing(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"none\.gguf: can't be read: No such file"):
        read_gguf(tmp_path / "none.gguf")
    with pytest.raises(CheckpointError, match="holds no tensors"):
        read_gguf(write(tmp_path / "vocabulary.gguf", {}))


MUTATION = st.one_of(
    st.tuples(st.just("flip"), st.integers(0, 2000), st.binary(min_size=1, max_size=8)),
    st.tuples(st.just("insert"), st.integers(0, 2000), st.binary(min_size=1, max_size=64)),
    st.tuples(st.just("delete"), st.integers(0, 2000), st.integers(1, 64)),
    st.tuples(st.just("cut"), st.integers(0, 6000), st.just(0)),
    st.tuples(
        st.just("flip"),
        st.integers(0, 2000),
        st.sampled_from([0, 1, 2**31, 2**32 - 1, 2**62, 2**63, 2**64 - 1]).map(lambda n: n.to_bytes(8, "little")),
    ),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("gguf")


@settings(max_examples=examples(400))
@given(mutations=st.lists(MUTATION, min_size=1, max_size=4))
def test_damage_is_refused_or_harmless(mutations: list[tuple[str, int, bytes | int]], folder: Path) -> None:
    content = bytearray(valid(folder))
    for kind, position, what in mutations:
        if kind == "cut":
            del content[position:]
        elif kind == "delete":
            del content[position : position + int(what)]
        else:
            end = position + (len(bytes(what)) if kind == "flip" else 0)
            content[position:end] = bytes(what)
    file = folder / "damaged.gguf"
    file.write_bytes(content)
    assert traced(bytes(content)) < MOST_BYTES
    try:
        config, tensors, decodings, _ = read_gguf(file)
    except CheckpointError as error:
        assert "\n" not in str(error)
        assert str(error).startswith(f"{file}: ")
        return
    assert all(isinstance(value, int | str) for value in config.values())
    assert len({t.name for t in tensors}) == len(tensors)
    assert all(t.offset + t.nbytes <= len(content) for t in tensors)
    for decoding in decodings:
        assert decoding.decode(*(part.read() for part in decoding.parts)).shape == decoding.shape
