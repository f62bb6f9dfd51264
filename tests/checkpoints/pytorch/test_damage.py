"""Malicious, truncated and damaged torch files: one clear line, or what torch stored."""

from __future__ import annotations

import builtins
import os
import random
import subprocess

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.oracles import Oracle
from wqscore.checkpoints.pytorch.file import read_torch_file
from wqscore.errors import CheckpointError

torch = Oracle("torch")

containers = pytest.mark.parametrize("container", ["zip", "legacy"])
# pickletools warns about odd escapes while it reads an opcode that is then refused.
pytestmark = [
    pytest.mark.oracle("torch"),
    pytest.mark.filterwarnings("ignore:invalid escape sequence:DeprecationWarning"),
]


def save(value, path, container):
    torch.save(value, path, _use_new_zipfile_serialization=container == "zip")
    return path


class Attack:
    """Unpickling it calls a function."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


@containers
@pytest.mark.parametrize(
    ("attack", "name"),
    [
        (lambda mark: Attack(os.system, f"touch {mark}"), "posix.system"),
        (lambda mark: Attack(builtins.open, str(mark), "w"), "io.open"),
        (lambda mark: Attack(eval, f"open({str(mark)!r}, 'w')"), "__builtin__.eval"),
        (lambda mark: Attack(exec, f"open({str(mark)!r}, 'w')"), "__builtin__.exec"),
        (lambda mark: Attack(subprocess.check_call, ["touch", str(mark)]), "commands.check_call"),
        (lambda mark: Attack(getattr, "a", "upper"), "__builtin__.getattr"),
        (lambda mark: Attack(torch.load, str(mark)), "torch.serialization.load"),
        (lambda mark: Attack(torch.hub.load, "a/b", "c"), "torch.hub.load"),
        (lambda mark: Attack(np.load, str(mark)), "numpy.load"),
    ],
    ids=["system", "open", "eval", "exec", "subprocess", "getattr", "torch.load", "hub", "numpy"],
)
@pytest.mark.parametrize("place", ["value", "key", "top", "hooks"])
def test_attacks_are_refused_by_name_and_nothing_is_run(container, attack, name, place, tmp_path):
    mark = tmp_path / "mark"
    weight = torch.ones(2, 3)
    if place == "value":
        value = {"w": weight, "x": attack(mark)}
    elif place == "key":
        value = {"w": weight, attack(mark): 1}
    elif place == "top":
        value = attack(mark)
    else:
        value = torch.nn.Linear(2, 3).state_dict()
        value._metadata["x"] = attack(mark)
    path = save(value, tmp_path / "m.bin", container)
    with pytest.raises(CheckpointError) as caught:
        read_torch_file(path)
    assert (
        str(caught.value)
        == f"{path}: its pickle asks for {name}, which a state dict does not need: refused, nothing was run"
    )
    assert not mark.exists()


@containers
def test_the_attack_is_real(container, tmp_path):
    mark = tmp_path / "mark"
    path = save({"w": Attack(os.system, f"touch {mark}")}, tmp_path / "m.bin", container)
    torch.load(path, weights_only=False)
    assert mark.exists()


def checkpoint(path, container):
    torch.manual_seed(0)
    base = torch.randn(4, 5)
    linear = torch.nn.Linear(3, 2).bfloat16()
    return save(
        {"a": base, "t": base.T, "row": base[2], "w": linear.weight, "i": torch.arange(7), "n": 5},
        path,
        container,
    )


@containers
def test_cut_short_anywhere(container, tmp_path):
    whole = checkpoint(tmp_path / "m.bin", container).read_bytes()
    assert len(read_torch_file(tmp_path / "m.bin")) == 5
    path = tmp_path / "cut.bin"
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(CheckpointError, match=r"cut\.bin: "):
            read_torch_file(path)


@pytest.fixture(scope="module")
def wholes(tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "m.bin"
    return {container: checkpoint(path, container).read_bytes() for container in ("zip", "legacy")}


def read_all(path):
    """Every tensor's name, type, shape and values, or `None` where the file was refused."""
    try:
        refs = read_torch_file(path)
        return [(ref.name, ref.dtype.name, ref.shape, ref.strides, ref.read()) for ref in refs]
    except CheckpointError as error:
        assert str(error).startswith((str(path), path.name))
        assert "\n" not in str(error)
        return None


@containers
def test_every_byte_flipped(container, wholes, tmp_path):
    """Refused in words, or read to the end; a zip file's checksum guards names, types and shapes as well."""
    whole = wholes[container]
    path = tmp_path / "m.bin"
    path.write_bytes(whole)
    described = [entry[:4] for entry in read_all(path)]
    generator = random.Random(1)
    for position in range(len(whole)):
        damaged = bytearray(whole)
        damaged[position] ^= generator.randrange(1, 256)
        path.write_bytes(damaged)
        entries = read_all(path)
        if entries is not None and container == "zip":
            assert [entry[:4] for entry in entries] == described


@settings(max_examples=examples(400))
@given(data=st.data())
def test_any_damage(data, wholes, tmp_path_factory):
    """Spans overwritten, removed or repeated."""
    content = bytearray(wholes[data.draw(st.sampled_from(["zip", "legacy"]))])
    for _ in range(data.draw(st.integers(1, 3))):
        begin = data.draw(st.integers(0, len(content)))
        end = begin + data.draw(st.integers(0, 40))
        span = bytes(content[begin:end])
        content[begin:end] = data.draw(st.binary(max_size=40) | st.just(b"") | st.just(span * 2))
    path = tmp_path_factory.mktemp("damage") / "m.bin"
    path.write_bytes(content)
    read_all(path)
