"""The pickle reader alone, on bytes: it agrees with the standard one on plain data, and refuses everything else."""

from __future__ import annotations

import io
import pickle
import struct
from argparse import Namespace
from collections import OrderedDict
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.oracles import Oracle
from wqscore.checkpoints.pytorch.file import read_torch_file
from wqscore.checkpoints.pytorch.unpickler import MAX_PICKLE_BYTES, unpickle
from wqscore.errors import CheckpointError

torch = Oracle("torch")
FILE = Path("model.bin")
ORDERED_DICT = b"ccollections\nOrderedDict\n"

keys = st.text(st.characters(codec="utf-8"), max_size=5) | st.integers(-(2**31) + 1, 2**31 - 1)
plain_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**500), 2**500)
    | st.floats(allow_nan=False)
    | st.text(st.characters(codec="utf-8"), max_size=300),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(keys, inner, max_size=4)
        | st.dictionaries(keys, inner, max_size=4).map(OrderedDict)
    ),
    max_leaves=30,
)


def load(data: bytes):
    return unpickle(io.BytesIO(data), FILE).value


def refusal(data: bytes) -> str:
    with pytest.raises(CheckpointError) as caught:
        load(data)
    message = str(caught.value)
    assert message.startswith("model.bin: its pickle ")
    assert "\n" not in message
    return message


@given(plain_values, st.integers(2, 5))
def test_plain_data_is_what_the_standard_unpickler_gives(value, protocol):
    data = pickle.dumps(value, protocol)
    assert load(data) == pickle.loads(data)


def test_the_stream_is_left_after_the_pickle():
    stream = io.BytesIO(pickle.dumps({"a": 1}, 4) + pickle.dumps([2], 2) + b"rest")
    assert [unpickle(stream, FILE).value, unpickle(stream, FILE).value, stream.read()] == [
        {"a": 1},
        [2],
        b"rest",
    ]


def test_ordered_dictionaries_keep_their_order_and_drop_their_attributes():
    value = OrderedDict([("b", 1), ("a", 2)])
    value._metadata = OrderedDict([("", {"version": 1})])
    assert list(load(pickle.dumps(value, 2)).items()) == [("b", 1), ("a", 2)]
    slots = ORDERED_DICT + b")RN}X\x01\x00\x00\x00aK\x01s\x86b."
    assert pickle.loads(slots).a == 1
    assert load(slots) == {}


def without_options(value):
    """A value as the reader gives it: an empty dictionary for each object of options."""
    if isinstance(value, Namespace):
        return {}
    if isinstance(value, dict):
        return {key: without_options(each) for key, each in value.items()}
    return type(value)(map(without_options, value)) if isinstance(value, list | tuple) else value


@given(st.dictionaries(keys, plain_values), st.dictionaries(keys.map(str), plain_values), st.integers(2, 5))
def test_a_scripts_options_are_left_out(value, options, protocol):
    found = [{"model": value, "args": Namespace(**options, inner=Namespace(a=1))}, Namespace(), value]
    data = pickle.dumps(found, protocol)
    assert load(data) == without_options(pickle.loads(data))


NAMESPACE = b"cargparse\nNamespace\n"


@pytest.mark.parametrize(
    "data",
    [
        NAMESPACE + b"cos\nsystem\n\x85\x81.",
        NAMESPACE + b")\x81}X\x01\x00\x00\x00acos\nsystem\n(X\x02\x00\x00\x00idtRsb.",
        b"cos\nsystem\n(X\x02\x00\x00\x00idt\x81.",
        NAMESPACE + b"K\x01\x85\x81.",
        NAMESPACE + b"]\x81.",
        NAMESPACE + b")}\x92.",
        NAMESPACE + b")R.",
        NAMESPACE + b"}b.",
        NAMESPACE + b")\x81)R.",
        NAMESPACE + b")\x81Q.",
        b"cargparse\nNamespace.__init__\n)R.",
        b"cargparse\nNamespace.__class__\n)\x81.",
        b"cargparse\n_sys.modules\n.",
        b"cargparse\nFileType\n)\x81.",
        b")\x81.",
        b"}X\x01\x00\x00\x00ah\x01" + NAMESPACE + b")\x81b.",
    ],
)
def test_nothing_else_is_done_with_options(data):
    refusal(data)


@pytest.mark.oracle("torch")
@pytest.mark.parametrize("old", [False, True])
def test_weights_beside_options_are_those_that_torch_loads(old, tmp_path):
    file = tmp_path / "model.pt"
    weight = torch.arange(6.0).reshape(2, 3)
    options = Namespace(arch="transformer", layers=[1, 2], inner=Namespace(device=torch.device("cpu")), clip=None)
    content = {"args": options, "model": {"a.weight": weight}, "extra_state": {"epoch": 1}}
    torch.save(content, file, _use_new_zipfile_serialization=not old)
    assert isinstance(torch.load(file, weights_only=False)["args"], Namespace)
    (found,) = read_torch_file(file)
    assert found.name == "a.weight"
    assert found.read().tolist() == weight.tolist()


def test_python_2_text_and_ordered_dictionary():
    # OrderedDict([['é', 1], ['b', 2]]) as Python 2's pickle wrote it, keys in UTF-8
    data = b"\x80\x02" + ORDERED_DICT + b"](](U\x02\xc3\xa9K\x01e](T\x01\x00\x00\x00bK\x02ee\x85R."
    assert load(data) == {"é": 1, "b": 2}


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"cos\nsystem\n(X\x02\x00\x00\x00idtR.", "os.system"),
        (b"c__builtin__\neval\n.", "__builtin__.eval"),
        (b"\x80\x04\x8c\x08builtins\x8c\x04exec\x93.", "builtins.exec"),
        (b"\x80\x04\x8c\x0bcollections\x8c\x14OrderedDict.fromkeys\x93.", "collections.OrderedDict.fromkeys"),
        (b"\x80\x04\x8c\x05torch\x8c\x04load\x93.", "torch.load"),
        (b"ctorch._utils\n_rebuild_tensor_v2.__globals__\n.", "torch._utils._rebuild_tensor_v2.__globals__"),
        (b"ctorch._utils\n_rebuild_sparse_tensor\n.", "torch._utils._rebuild_sparse_tensor"),
        (b"ctorch._utils\n_rebuild_qtensor\n.", "torch._utils._rebuild_qtensor"),
        (b"ctorch._utils\n_rebuild_wrapper_subclass\n.", "torch._utils._rebuild_wrapper_subclass"),
        (
            b"ctorch._utils\n_rebuild_meta_tensor_no_storage\n.",
            "torch._utils._rebuild_meta_tensor_no_storage",
        ),
        (b"cnumpy.core.multiarray\n_reconstruct\n.", "numpy.core.multiarray._reconstruct"),
        (b"ccopyreg\n_reconstructor\n.", "copyreg._reconstructor"),
        (b"\x80\x04\x8c\x02os\x8c\x08a\n\x1b[2Jxy\x93.", r"'os.a\n\x1b[2Jxy'"),
    ],
)
def test_other_names_are_refused_by_name(data, name):
    assert f"asks for {name}, which a state dict does not need: refused, nothing was run" in refusal(data)


@pytest.mark.parametrize(
    ("data", "opcode"),
    [
        (b"\x82\x01.", "EXT1"),
        (b"\x83\x01\x00.", "EXT2"),
        (b"\x84\x01\x00\x00\x00.", "EXT4"),
        (b"(X\x02\x00\x00\x00idios\nsystem\n.", "INST"),
        (b"(" + ORDERED_DICT + b"o.", "OBJ"),
        (ORDERED_DICT + b")\x81.", "NEWOBJ"),
        (ORDERED_DICT + b")}\x92.", "NEWOBJ_EX"),
        (b"Pstorage\n.", "PERSID"),
        (b"I5\n.", "INT"),
        (b"L5L\n.", "LONG"),
        (b"S'a'\n.", "STRING"),
        (b"Va\n.", "UNICODE"),
        (b"N2.", "DUP"),
        (b"NN0.", "POP"),
        (b"(1.", "POP_MARK"),
        (b"\x8f.", "EMPTY_SET"),
        (b"(\x91.", "FROZENSET"),
        (b"\x8b\x01\x00\x00\x00\x05.", "LONG4"),
        (b"\x96" + b"\x00" * 8 + b".", "BYTEARRAY8"),
        (b"\x97.", "NEXT_BUFFER"),
    ],
)
def test_other_opcodes_are_refused_by_name(data, opcode):
    assert f"uses {opcode}, which a state dict does not need: refused, nothing was run" in refusal(data)


@pytest.mark.parametrize(
    "data",
    [
        ORDERED_DICT + b"}X\x01\x00\x00\x00aK\x01sb.",  # attributes of the class
        b"ctorch._utils\n_rebuild_tensor_v2\nN}X\x0c\x00\x00\x00__defaults__)s\x86b.",
        ORDERED_DICT + b"K\x01\x85R.",
        b"K\x01)R.",
        b"NK\x01a.",
        b"(K\x01K\x02K\x03u.",
        b")K\x01K\x02s.",
        b"}(K\x01u.",
        b"}K\x01K\x02sK\x01K\x03s.",
        b"}(NK\x01u.",
        b"}(\x88K\x01u.",
        b"}(G\x00\x00\x00\x00\x00\x00\x00\x00Nu.",
        b"}(\x8a\x08\x00\x00\x00\x00\x00\x00\x00\x01Nu.",
        b"h\x05.",
        b"t.",
        b"a.",
        b"q\x01.",
        b".",
        b"\x93.",
        b"K\x01K\x02\x93.",
        b"X\x03\x00\x00\x00\xed\xa0\x80.",  # a lone surrogate
        b"X\x01\x00\x00\x00\xff.",
        b"NQ.",
        b"",
        b"\xff",
        b"}",
        b"ctorch\nSize\n]\x85R.",
    ],
)
def test_malformed_pickles(data):
    refusal(data)


@pytest.mark.parametrize(
    "arguments",
    [
        b")",
        b"(NK\x00)))t",
        b"(K\x00K\x00)K\x00t",
        b"(" + b"K\x00" * 9 + b"t",
    ],
)
@pytest.mark.parametrize("name", ["_tensor", "_tensor_v2", "_tensor_v3", "_parameter", "_parameter_with_state"])
def test_rebuilding_from_anything_but_a_storage(name, arguments):
    assert "refused" not in refusal(f"ctorch._utils\n_rebuild{name}\n".encode() + arguments + b"R.")


@pytest.mark.parametrize(
    "pid",
    [
        b"X\x01\x00\x00\x00a",
        b"(X\x06\x00\x00\x00modulectorch\nFloatStorage\nX\x01\x00\x00\x00aNK\x01t",
        b"(X\x07\x00\x00\x00storageNX\x01\x00\x00\x00aNK\x01t",
        b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nK\x01NK\x01t",
        b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x00aNJ\xff\xff\xff\xfft",
        b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x00aN\x88t",
        b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x00aNK\x01NNt",
        b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x00aNK\x05X\x01\x00\x00\x00bK\x03K\x03\x87t",
        b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x00aNK\x05X\x01\x00\x00\x00bJ\xff\xff\xff\xffK\x03\x87t",
    ],
)
def test_malformed_storages(pid):
    assert "storage" in refusal(pid + b"Q.")


def test_a_storage_described_in_two_ways():
    float_storage = b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x00aNK\x04tQ"
    assert "in two ways" in refusal(b"]" + float_storage + b"a" + float_storage.replace(b"Float", b"Half") + b"a.")
    assert "in two ways" in refusal(b"]" + float_storage + b"a" + float_storage.replace(b"K\x04", b"K\x05") + b"a.")


@pytest.mark.parametrize(
    "data",
    [
        b"X" + struct.pack("<I", 2**32 - 1) + b"abc.",
        b"\x8d" + struct.pack("<Q", 2**62) + b"abc.",
        b"\x8e" + struct.pack("<Q", 2**64 - 1) + b"abc.",
        b"\x8b" + struct.pack("<i", 2**31 - 1) + b"abc.",
        b"\x8b" + struct.pack("<i", -5) + b"abc.",
        b"}" + b")" + b"\x85" * 500_000 + b"Ns.",  # hashing this key would overflow the C stack
        b"}" + b")" + b"q\x00h\x00\x86" * 60 + b"Ns.",  # and this one would take 2⁶⁰ steps
        b"](" + b"N" * 200_000 + b"eq\x00" + b"ctorch\nSize\nq\x01" + b"h\x01h\x00\x85R" * 200_000 + b".",
        b"\x80\x04" + b"]q\x00" + b"h\x00h\x00\x86q\x00" * 60 + b"h\x00\x93.",  # a name with an endless repr
    ],
    ids=["text", "text8", "bytes8", "long4", "negative", "deep-key", "wide-key", "copies", "repr"],
)
def test_bombs_end_at_once(data):
    refusal(data)


def test_one_list_is_turned_into_a_dictionary_once():
    pairs = b"](" + b"".join(b"](K%cK\x00e" % i for i in range(200)) + b"eq\x00"
    copies = ORDERED_DICT + b"q\x01](" + b"h\x01h\x00\x85R" * 3 + b"e."
    assert load(pairs + copies) == [dict.fromkeys(range(200), 0), {}, {}]


def test_a_memo_index_costs_no_memory_and_deep_nesting_no_stack():
    assert load(b"Nr\xff\xff\xff\xff0".replace(b"0", b"j\xff\xff\xff\xff\x86.")) == (None, None)
    value = load(b"]" * 300_000 + b"a" * 299_999 + b".")
    for _ in range(299_999):
        (value,) = value
    assert value == []


def test_a_pickle_longer_than_any_state_dict():
    text = MAX_PICKLE_BYTES - 6
    assert len(load(b"X" + struct.pack("<I", text) + b"a" * text + b".")) == text
    assert "longer than" in refusal(b"X" + struct.pack("<I", text + 1) + b"a" * (text + 1) + b".")
    assert "longer than" in refusal(b"c" + b"a" * (MAX_PICKLE_BYTES + 5))


fragments = st.sampled_from(
    [bytes([code]) for code in b"()]}NK\x85\x86\x87\x88\x89QRabestu.q\x00h\x93\x94\x95\x80\x82\x8a\x8c\x81"]
    + [ORDERED_DICT, b"ctorch\nFloatStorage\n", b"ctorch._utils\n_rebuild_tensor_v2\n", b"ctorch\nSize\n"]
    + [
        b"K\x03",
        b"J\xff\xff\xff\xff",
        b"X\x07\x00\x00\x00storage",
        b"q\x00",
        b"h\x00",
        b"\x8a\x00",
        b"cos\nsystem\n",
    ]
    + [b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000NK\x03tQ"]
)


@settings(max_examples=examples(1500))
@given(st.lists(fragments, max_size=40).map(b"".join) | st.binary(max_size=60))
def test_any_bytes_give_a_value_or_one_clear_line(data):
    try:
        load(data + b".")
    except CheckpointError as error:
        assert str(error).startswith("model.bin: its pickle ")
