"""Names that every operating system takes for the same file, against Python's own model of Windows's paths."""

from __future__ import annotations

from pathlib import PurePosixPath, PureWindowsPath

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wqscore.leaderboards.slugs import file_names
from wqscore.refs.file_names import is_plain

DEVICES = ["CON", "prn", "Aux", "nul", "COM1", "com9", "LPT1", "com¹", "lpt³", "CONIN$", "conout$"]
NOT_PLAIN = [
    "",
    "/etc/passwd",
    "a//b",
    "a/",
    "./a",
    "a/../b",
    "..",
    "..\\x.bin",
    "C:\\x",
    "c:x",
    "model.safetensors:stream",
    "model.safetensors::$DATA",
    "\\\\server\\share\\x",
    "\\\\.\\pipe\\x",
    "a.",
    "a ",
    "a. .",
    "a /b",
    "..../a",
    "a\nb",
    "a\0b",
    "a\x7f",
    "a\x85",
    "a\x1b[2Jb",
    "\ud800",
    "x" * 256,
    "ü" * 128,
    "/".join(["x" * 100] * 11),
    *DEVICES,
    *(f"{device}.safetensors" for device in DEVICES),
    *(f"folder/{device}.tar.gz" for device in DEVICES),
    *(f"{device}/model.bin" for device in DEVICES),
    *(f"{device} .bin" for device in DEVICES[:4]),
]
PLAIN = [
    "model.safetensors",
    "unet/diffusion_pytorch_model-00001-of-00002.fp16.safetensors",
    ".eval_results/a b.yaml",
    "console.bin",
    "com10.bin",
    "nul-1",
    "ünïcode/模型.gguf",
    "x" * 255,
    "-x",
    "~",
    "a..b",
]


@pytest.mark.parametrize("name", NOT_PLAIN, ids=ascii)
def test_names_that_some_system_reads_otherwise(name: str) -> None:
    assert not is_plain(name)


@pytest.mark.parametrize("name", PLAIN, ids=ascii)
def test_names_that_are_what_they_seem(name: str) -> None:
    assert is_plain(name)


PIECES = st.sampled_from([*DEVICES, *"abz019/\\:. \t\x00\x7f$¹~", "..", "C:", "//", ".bin", "x" * 254, "\ud800", "é"])


@settings(max_examples=examples(500))
@example(["nul", " ", ".bin"])
@given(st.lists(PIECES, max_size=6))
def test_windows_and_posix_agree_on_what_is_plain(pieces: list[str]) -> None:
    name = "".join(pieces)
    if not is_plain(name):
        return
    windows, posix = PureWindowsPath(name), PurePosixPath(name)
    assert windows.parts == posix.parts == tuple(name.split("/"))
    assert not windows.anchor
    assert not any(PureWindowsPath(part).is_reserved() for part in windows.parts)
    assert not any(part.endswith((".", " ")) or part in ("..", "") for part in posix.parts)
    assert name.isprintable() or not any(ord(character) < 32 for character in name)
    assert max(len(part.encode()) for part in posix.parts) <= 255


@pytest.mark.parametrize("name", ["con", "nul", "com1", "aux.x", "org/con"])
def test_a_model_named_like_a_device_has_a_page_on_every_system(name: str) -> None:
    file = file_names({name: "2026-01-01"})[name]
    assert is_plain(file)
    assert is_plain(f"{file}.html")
