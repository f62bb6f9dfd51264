"""Cache keys of spectra and rows: everything that decides their bits, and nothing else.

A tensor's content is known without reading it: from the file's SHA-256, as the Hub lists it and as its cache names
the file, or from what was recorded of a file on disk that has not changed since. What is decoded is known once it is
read. From the content follow the spectrum and, for one set of constants, the row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from blake3 import blake3

from wqscore.checkpoints.tensor import Tensor, TensorRef
from wqscore.fits.sampling import Sampling
from wqscore.matrices.weight_matrix import WeightMatrix
from wqscore.presets.preset import Preset
from wqscore.scoring.code_digest import digest_bytes, digest_code
from wqscore.sketches import directions, sketch
from wqscore.spectra import lapack
from wqscore.spectra.eigenvalues import BLOCK_ROWS
from wqscore.spectra.in_single import DOUBLE, SINGLE, Precision, single_solver_on
from wqscore.spectra.on_device import CPU, solver_on
from wqscore.stores.records import Method, SpectrumKey, canonical
from wqscore.symmetries.derived import DerivedTensor
from wqscore.version import __version__

#: What decides a row's numbers: if any of it changes, cached rows no longer match.
ROW_SOURCES = (
    "checkpoints",
    "fits",
    "integrity",
    "matrices",
    "metrics",
    "presets",
    "scoring/layer_score.py",
    "scoring/score_matrix.py",
    "spectra",
)
#: What decides a spectrum's bits beside what its key spells out: bytes to numbers, numbers to a matrix, a matrix to
#: eigenvalues. Their code is digested, as a version to be raised by hand is one day forgotten; not their prose, paths
#: and imports, so that only a change of code solves anything again. Readers of headers are not among them: what they
#: find out about a tensor is in its byte range. Decoders are not: a decoded tensor is keyed by its values. Nor are
#: fits and metrics, so that a release that changes those solves nothing again.
SPECTRUM_SOURCES = (
    "checkpoints/adapters/low_rank.py",
    "checkpoints/dtypes.py",
    "checkpoints/tensor.py",
    "matrices/weight_matrix.py",
    "spectra/eigenvalues.py",
    "spectra/lapack.py",
    "spectra/on_device.py",
    "spectra/spectrum.py",
)
#: The same beside these for spectra of the precision `single`.
SINGLE_SOURCES = ("spectra/in_single.py",)
#: What stands for the spectra's code in their keys, by its digest, where that is not the digest itself: version 0.5.0
#: wrote a digest of paths and whole files. While the code is that of 0.5.0, spectra that 0.5.0 stored are found, and
#: 0.5.0 finds those that are stored now. Code that changes has another digest, and finds none of them. After a change
#: that provably keeps every bit, such as a renamed variable, add the new digest with the same value. So does one that
#: gives some matrices a driver of another name, which their keys contain, and keeps the bits of all others.
_EARLIER_NAMES: Mapping[str, str] = {
    "ec911047fc2d3911dbc4d430ee44a8115e3178e26b6a5d4ebaf4421d2dde6da8": (
        "5e036f9935c965b7c4d9e293814ebff7da2ab03c5db3962831051b615d491624"
    ),
    # 0.6.0: wide matrices are summed without a transposed copy; a wider band from 2,048 on; sums of eigenvalues kept.
    "4a1498ca5f7e934c7da631f3f0bcdcf4eafdf59e7fb6f6b42d803dbf5d7e3c45": (
        "5e036f9935c965b7c4d9e293814ebff7da2ab03c5db3962831051b615d491624"
    ),
}
#: The digest of a tensor's values, which identifies copies in a model; raise the version if what is hashed changes.
DIGEST = Method("digest", canonical({}), 1)
#: What matrices are compared by; one of another recipe is not found, and made again.
SKETCH = Method("sketch", canonical(sketch.RECIPE), sketch.VERSION)
DIRECTIONS = Method("directions", canonical(directions.RECIPE), directions.VERSION)


def row_method(preset: Preset, sampling: Sampling) -> Method:
    """How a row is computed from a spectrum and weights: all constants, and the code."""
    matrices: dict[str, Any] = asdict(preset.matrices)
    constants = {
        "wqscore": __version__,
        "code": digest_bytes(ROW_SOURCES),
        "preset": preset.name,
        "floor": preset.fit_floor,
        "fits": preset.fits.name,
        "matrices": matrices,
        "seed": sampling.seed,
        "bootstrap": sampling.bootstrap,
        "gof": sampling.gof,
    }
    return Method("row", canonical(constants), 2)


def spectrum_key(
    matrix: WeightMatrix, content: str, preset: Preset, device: str = CPU, precision: Precision = DOUBLE
) -> SpectrumKey:
    """The key of a matrix's spectrum.

    Args:
        matrix: the matrix.
        content: of its tensor.
        preset: the constants, of which some decide eigenvalues.
        device: what solves it; other devices give other last bits.
        precision: in what a device solves it.
    """
    part = canonical(
        {
            "cut": repr(matrix.cut),
            "shape": [matrix.slices, matrix.rows, matrix.columns],
            "dtype": [matrix.tensor.dtype.name, matrix.tensor.dtype.unit_roundoff],
        }
    )
    recipe = canonical(
        {
            "code": spectrum_code(),
            "gram": BLOCK_ROWS,
            "solver": _lapack(min(matrix.rows, matrix.columns)) if device == CPU else solver_on(device),
            "scale": preset.scale(matrix),
            "exact": preset.exact_small_end,
            **(_in_single(preset, device) if precision == SINGLE else {}),
        }
    )
    return SpectrumKey(content, part, recipe)


def values_content(digest: bytes) -> str:
    """The content of a tensor by the digest of its values."""
    return f"blake3:{digest.hex()}"


def values_digest(content: str) -> str:
    """The hex digest of the values, if the content is one; empty for a byte range of a file."""
    kind, _, digest = content.partition(":")
    return digest if kind == "blake3" else ""


def shard_content(tensor: Tensor, cached_id: Callable[[Path], str]) -> str:
    """The content of a tensor by its byte range and the SHA-256 that its repository on the Hub lists; else empty.

    Streamed, or in the Hub's own cache: the same either way.

    Args:
        tensor: the tensor.
        cached_id: names the content of a file in the Hub's cache, as `cached_content_id` does.
    """
    if isinstance(tensor, DerivedTensor):
        parts = [shard_content(part, cached_id) for part in tensor.parts] if tensor.recipe else []
        return f"derived:{_derived(tensor, parts)}" if parts and all(parts) else ""
    if not isinstance(tensor, TensorRef):
        return ""
    content = cached_id(tensor.file) if tensor.source is None else tensor.source.content_id(tensor.file)
    return f"lfs:{content}:{byte_range_key(tensor)}" if content else ""


def lone_file(tensor: Tensor) -> Path | None:
    """The file on disk that alone decides a tensor's values; `None` for one that is decoded, or elsewhere.

    What is decoded depends on several tensors, maybe of several files, and on settings: it has to be read. What is
    derived by a recipe from tensors of one file is decided by that.
    """
    if isinstance(tensor, DerivedTensor):
        files = {lone_file(part) for part in tensor.parts} if tensor.recipe else set()
        return files.pop() if len(files) == 1 else None
    return tensor.file if isinstance(tensor, TensorRef) and tensor.source is None else None


def byte_range_key(tensor: Tensor) -> str:
    """A tensor's name, and which bytes of its file are read as what: all that its header decides."""
    if isinstance(tensor, DerivedTensor):
        return f"{tensor.name}@{_derived(tensor, [byte_range_key(part) for part in tensor.parts])}"
    assert isinstance(tensor, TensorRef)
    strides = "" if tensor.strides is None else f"/{list(tensor.strides)}"
    return f"{tensor.name}@{tensor.offset}:{tensor.dtype.name}{list(tensor.shape)}{strides}"


def _derived(tensor: DerivedTensor, parts: Sequence[str]) -> str:
    """What a derived tensor is computed from, and how, with the code that computes it."""
    told = "\n".join([digest_code(("symmetries",)), tensor.recipe, *parts])
    return blake3(told.encode()).hexdigest()


def spectrum_code() -> str:
    """What stands for the code of a spectrum in its key; 11 ms when it is first asked for."""
    digest = digest_code(SPECTRUM_SOURCES)
    return _EARLIER_NAMES.get(digest, digest)


def _in_single(preset: Preset, device: str) -> dict[str, Any]:
    """What also decides a spectrum of `single`: the fitted tail, which decides whether float32 is good enough."""
    return {
        "solver": single_solver_on(device),
        "single": digest_code(SINGLE_SOURCES),
        "fits": preset.fits.name,
        "floor": preset.fit_floor,
    }


def _lapack(side: int) -> str:
    return f"{lapack.driver(side)} of OpenBLAS {_openblas()}"


@cache
def _openblas() -> str:
    # Cached: it takes milliseconds, most of the time that a key takes.
    return version("scipy-openblas32")
