"""How loops are compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from numba import njit

Kernel = TypeVar("Kernel", bound=Callable[..., object])


def compiled(function: Kernel) -> Kernel:
    """Compile with numba, kept on disk; where nothing can be written, anew in each process."""
    return _kept(function)


def compiled_sums(function: Kernel) -> Kernel:
    """Compile sums whose terms may be added in any order, several at a time; NaN and infinity stay what they are."""
    return _kept(function, fastmath={"reassoc", "contract"})


def _kept(function: Kernel, **options: object) -> Kernel:
    kernel: Kernel
    try:
        kernel = njit(cache=True, nogil=True, **options)(function)
    except RuntimeError:
        kernel = njit(nogil=True, **options)(function)
    return kernel
