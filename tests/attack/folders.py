"""Code and traps beside sound weights, in other tools' formats, and folders that lead elsewhere or have no end."""

from __future__ import annotations

import base64
import json
import marshal
import os
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

from tests.attack.attack import Attack, in_file, python, safetensors, written
from tests.attack.containers import evil, zipped

_TEMPLATE = "{{ cycler.__init__.__globals__.os.popen('touch %s').read() }}"


def _beside(**files: Callable[[Path], object]) -> Callable[[Path, Path], Path]:
    """A sound model with other files beside it; `__` stands for a dot in their names."""

    def make(folder: Path, mark: Path) -> Path:
        written(folder / "model.safetensors", safetensors())
        for name, content in files.items():
            made = content(mark)
            written(folder / name.replace("__", "."), made if isinstance(made, bytes) else json.dumps(made).encode())
        return folder

    return make


def _source(mark: Path) -> bytes:
    return python(mark).encode()


_AUTO = {"AutoConfig": "configuration.Config", "AutoModel": "modeling.Model"}
_CODE_BESIDE: dict[str, Callable[[Path, Path], Path]] = {
    "auto_map": _beside(
        config__json=lambda _: {"model_type": "own", "auto_map": _AUTO},
        configuration__py=_source,
        modeling__py=_source,
    ),
    "auto_map of another repository": _beside(
        config__json=lambda _: {"model_type": "bert", "auto_map": {"AutoModel": "org/other--modeling.Model"}}
    ),
    "trust_remote_code": _beside(
        config__json=lambda _: {
            "model_type": "own",
            "trust_remote_code": True,
            "custom_pipelines": {"x": {"impl": "a.B"}},
        },
        a__py=_source,
    ),
    "a tokenizer": _beside(
        tokenizer_config__json=lambda mark: {
            "auto_map": {"AutoTokenizer": ["t.T", None]},
            "chat_template": _TEMPLATE % mark,
        },
        chat_template__jinja=lambda mark: (_TEMPLATE % mark).encode(),
        t__py=_source,
    ),
    "a model type that is a path": _beside(
        config__json=lambda _: {"model_type": "../../evil", "architectures": ["os.system"]}
    ),
    "modules of names that Python imports": _beside(
        numpy__py=_source, torch__py=_source, json__py=_source, sitecustomize__py=_source, wqscore__py=_source
    ),
    "a pickle beside the weights": _beside(
        training_args__bin=evil, optimizer__pt=evil, rng_state__pth=evil, scheduler__pt=evil, vocab__pkl=evil
    ),
    "pytorch_model.bin beside the weights": _beside(pytorch_model__bin=evil),
    "a template of a card": _beside(README__md=lambda mark: f"---\nlicense: {_TEMPLATE % mark}\n---\n".encode()),
}


def _keras(mark: Path) -> bytes:
    """A Lambda layer: a marshalled function in base64."""
    code = base64.b64encode(marshal.dumps(compile(python(mark), "x", "exec"))).decode()
    function = {"class_name": "__lambda__", "config": {"code": code, "defaults": None, "closure": None}}
    layer = {"class_name": "Lambda", "module": "keras.layers", "config": {"name": "l", "function": function}}
    config = {"class_name": "Sequential", "module": "keras", "config": {"name": "s", "layers": [layer]}}
    return zipped(
        {"config.json": json.dumps(config).encode(), "metadata.json": b"{}", "model.weights.h5": b"\x89HDF\r\n"}
    )


def _saved_model(mark: Path) -> bytes:
    """As much of a SavedModel's graph as names an operator that writes a file."""
    return b"\x12\x40" + b"\x0a\x09WriteFile\x12\x09WriteFile" + str(mark).encode()


_NO_WEIGHTS = {
    "TensorFlow, WriteFile": in_file("saved_model.pb", _saved_model),
    "HDF5 with a Lambda layer's name": in_file(
        "model.h5", lambda mark: b"\x89HDF\r\n\x1a\n" + b'{"class_name": "Lambda"}'
    ),
    "a Python file": in_file("model.py", _source),
}


_OTHER_TOOLS = {
    "Keras, a Lambda layer": in_file("model.keras", _keras),
    "a shell script called .bin": in_file("pytorch_model.bin", lambda mark: f"#!/bin/sh\ntouch {mark}\n".encode()),
    "a shared library called .bin": in_file("pytorch_model.bin", lambda mark: b"\x7fELF" + bytes(600)),
}


def _gguf(**texts: str) -> bytes:
    """A model of one matrix whose fields hold these texts."""
    fields = {"general.architecture": "llama"} | {name.replace("__", "."): text for name, text in texts.items()}
    head = b"GGUF" + struct.pack("<IQQ", 3, 1, len(fields))
    for name, text in fields.items():
        head += _text(name) + struct.pack("<I", 8) + _text(text)
    head += _text("blk.0.ffn_up.weight") + struct.pack("<IQQIQ", 2, 64, 60, 0, 0)
    return head + bytes(-len(head) % 32) + safetensors()[-60 * 64 * 4 :]


def _text(text: str) -> bytes:
    return struct.pack("<Q", len(text.encode())) + text.encode()


def _lying(position: int, number: int) -> Callable[[Path], bytes]:
    """A GGUF file with eight bytes of its header changed."""
    return lambda _: _gguf()[:position] + struct.pack("<Q", number) + _gguf()[position + 8 :]


_GGUF_LIES = {
    "2⁶² tensors": in_file("m.gguf", _lying(8, 2**62)),
    "2⁶² fields": in_file("m.gguf", _lying(16, 2**62)),
    "a name of 2⁶² bytes": in_file("m.gguf", _lying(24, 2**62)),
    "a text of 2³² bytes": in_file("m.gguf", _lying(56, 2**32)),
}
_GGUF_TEMPLATES = {
    "a chat template that runs a command": in_file(
        "m.gguf", lambda mark: _gguf(tokenizer__chat_template=_TEMPLATE % mark)
    ),
    "a template of a tool": in_file(
        "m.gguf", lambda mark: _gguf(tokenizer__chat_template__tool_use=_TEMPLATE % mark)
    ),
}


def _field(number: int, content: bytes | int) -> bytes:
    """A field of a protobuf message: a number below 128, or bytes."""
    if isinstance(content, int):
        return bytes([number << 3, content])
    length, left = b"", len(content)
    while left > 127:
        length, left = length + bytes([left & 127 | 128]), left >> 7
    return bytes([number << 3 | 2]) + length + bytes([left]) + content


def _onnx(location: str) -> Callable[[Path, Path], Path]:
    """A tensor whose numbers are in another file, and a secret above the folder to read."""

    def make(folder: Path, mark: Path) -> Path:
        where = location.format(mark=mark, above=folder.parent)
        written(folder.parent / "secret.bin", bytes(range(64)))
        entries = (("location", where), ("offset", "0"), ("length", "64"))
        data = b"".join(_field(13, _field(1, key.encode()) + _field(2, value.encode())) for key, value in entries)
        tensor = _field(1, 4) + _field(1, 4) + _field(2, 1) + _field(8, b"a.weight") + data + _field(14, 1)
        return written(folder / "model.onnx", _field(1, 8) + _field(7, _field(5, tensor)))

    return make


_ONNX = {
    place: _onnx(place)
    for place in (
        "../secret.bin",
        "{above}/secret.bin",
        "a/../../secret.bin",
        "/dev/zero",
        "/proc/self/environ",
        "file:///etc/passwd",
    )
}


def _index(shard: str) -> Callable[[Path, Path], Path]:
    def make(folder: Path, mark: Path) -> Path:
        written(folder.parent / "secret.safetensors", safetensors())
        written(folder / "model.safetensors.index.json", json.dumps({"weight_map": {"a": shard}}).encode())
        return folder

    return make


def _linked(name: str, target: str) -> Callable[[Path, Path], Path]:
    """A sound model of which one file is a link to what is no checkpoint's."""

    def make(folder: Path, mark: Path) -> Path:
        if name != "model.safetensors":
            written(folder / "model.safetensors", safetensors())
        (folder / name).symlink_to(target)
        return folder

    return make


def _pipe(name: str) -> Callable[[Path, Path], Path]:
    def make(folder: Path, mark: Path) -> Path:
        if name != "model.safetensors":
            written(folder / "model.safetensors", safetensors())
        os.mkfifo(folder / name)
        return folder

    return make


_ELSEWHERE: dict[str, Callable[[Path, Path], Path]] = {
    **{
        f"an index with the shard {shard}": _index(shard)
        for shard in ("../secret.safetensors", "/etc/passwd", "..\\secret", "..")
    },
    "weights that link to /etc/passwd": _linked("model.safetensors", "/etc/passwd"),
    "weights that link to /dev/zero": _linked("model.safetensors", "/dev/zero"),
    "weights that link to themselves": _linked("model.safetensors", "model.safetensors"),
    "a configuration that links to /dev/urandom": _linked("config.json", "/dev/urandom"),
    "a configuration that links to /proc/self/mem": _linked("config.json", "/proc/self/mem"),
    "weights that are a pipe": _pipe("model.safetensors"),
    "a configuration that is a pipe": _pipe("config.json"),
    "a list of modules that is a pipe": _pipe("modules.json"),
}


def _sparse(name: str, head: bytes, size: int) -> Callable[[Path, Path], Path]:
    """A file whose size is a claim, as a hole takes no disk."""

    def make(folder: Path, mark: Path) -> Path:
        if name.endswith(".json"):
            written(folder / "model.safetensors", safetensors())
        file = written(folder / name, head)
        os.truncate(file, size)
        return folder if name.endswith(".json") else file

    return make


def _huge_header() -> bytes:
    entry = {"dtype": "F32", "shape": [2**19, 2**19], "data_offsets": [0, 2**40]}
    header = json.dumps({"layers.0.fc1.weight": entry}).encode()
    return struct.pack("<Q", len(header)) + header


def _bomb(_: Path) -> bytes:
    header = (
        b"\x93NUMPY\x01\x00v\x00"
        + b"{'descr': '<f4', 'fortran_order': False, 'shape': (64, 64), }".ljust(117)
        + b"\n"
    )
    return zipped({"w.npy": header + bytes(2**26)}, zipfile.ZIP_DEFLATED)


_NO_END: dict[str, Callable[[Path, Path], Path]] = {
    "weights of a terabyte of nothing": _sparse("model.safetensors", _huge_header(), len(_huge_header()) + 2**40),
    "a configuration of 6 GB of nothing": _sparse("config.json", b"", 6 * 10**9),
    "an index of 6 GB of nothing": _sparse("modules.json", b"", 6 * 10**9),
    "a configuration of a million brackets": _beside(config__json=lambda _: b"[" * 10**6),
    "a configuration of a million levels": _beside(config__json=lambda _: b'{"a":' * 10**6 + b"1" + b"}" * 10**6),
    "a number of 100,000 digits": _beside(config__json=lambda _: b'{"hidden_size":' + b"9" * 10**5 + b"}"),
    "a pickle of lists in lists": in_file(
        "pytorch_model.bin", lambda _: b"\x80\x02}" + b")" + b"\x85" * 100_000 + b"Ns."
    ),
    "a pickle of references to references": in_file(
        "pytorch_model.bin", lambda _: b"\x80\x02}" + b")" + b"q\x00h\x00\x86" * 60 + b"Ns."
    ),
    "a pickle that claims 2⁶² bytes": in_file(
        "pytorch_model.bin", lambda _: b"\x80\x04\x8e" + struct.pack("<Q", 2**62) + b"."
    ),
    "a header of 2⁴⁰ bytes": in_file("model.safetensors", lambda _: struct.pack("<Q", 2**40) + b"{}"),
    "tensors that overlap": in_file(
        "model.safetensors", lambda _: safetensors(b={"dtype": "F32", "shape": [60, 64], "data_offsets": [0, 15360]})
    ),
    "a member that inflates to a thousand times its size": in_file("w.npz", _bomb),
}

FOLDERS: tuple[Attack, ...] = (
    *(Attack("code beside the weights", name, make, "weights only") for name, make in _CODE_BESIDE.items()),
    *(Attack("other tools' formats", name, make) for name, make in _OTHER_TOOLS.items()),
    *(Attack("other tools' formats", name, make, "no weights") for name, make in _NO_WEIGHTS.items()),
    *(Attack("GGUF, templates", name, make, "weights only") for name, make in _GGUF_TEMPLATES.items()),
    *(Attack("GGUF, lengths that lie", name, make) for name, make in _GGUF_LIES.items()),
    *(Attack("ONNX, data outside the folder", name, make) for name, make in _ONNX.items()),
    *(Attack("paths, links, pipes and devices", name, make) for name, make in _ELSEWHERE.items()),
    *(Attack("no end: sizes, depths, bombs", name, make) for name, make in _NO_END.items()),
)
