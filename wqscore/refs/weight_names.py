"""Tell weight files by their names and by their first bytes."""

from __future__ import annotations

from typing import Literal

SAFETENSORS_SUFFIX = ".safetensors"
#: Names that people give to the files of torch.save; the first is that of transformers. `.pth.tar` ends in `.tar`.
TORCH_SUFFIXES = (".bin", ".pt", ".pth", ".ckpt", ".th", ".tar")
#: Formats that keep a whole model in one file, in order of preference.
ALONE_SUFFIXES = (".gguf", ".onnx", ".npz", ".npy")
#: The one list of the suffixes of weight files; a file of any other name is known by its first bytes.
WEIGHT_SUFFIXES = (SAFETENSORS_SUFFIX, *TORCH_SUFFIXES, *ALONE_SUFFIXES)
#: As many bytes of a file as `container_of` needs.
HEAD_BYTES = 512
_STARTS: dict[Literal["zip", "gguf", "npy"], bytes] = {
    "zip": b"PK\x03\x04",
    "gguf": b"GGUF",
    "npy": b"\x93NUMPY",
}


def container_of(head: bytes) -> Literal["safetensors", "zip", "pickle", "tar", "gguf", "npy", ""]:
    """The container that a file's first `HEAD_BYTES` bytes tell; empty if none of those that hold weights.

    Of ONNX nothing can be told, and of a zip archive not whether NumPy or torch wrote it.
    """
    for container, start in _STARTS.items():
        if head.startswith(start):
            return container
    if head[257:262] == b"ustar":
        return "tar"
    if head[:1] == b"\x80" and head[1:2] in (b"\2", b"\3", b"\4", b"\5"):
        return "pickle"
    # The header's length, far below the format's limit of 10⁸, and the header, which begins with a brace.
    return "safetensors" if head[4:9] == b"\0\0\0\0{" else ""
