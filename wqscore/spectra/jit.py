"""Compile numeric loops with numba."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from numba import njit

Kernel = TypeVar("Kernel", bound=Callable[..., object])


def compiled(function: Kernel) -> Kernel:
    """Compile with numba and cache on disk; compile again in each process where the cache can't be written."""
    return _jit(function)


def compiled_sums(function: Kernel) -> Kernel:
    """Compile sums whose terms may be reordered and vectorised; NaN and infinity propagate as usual."""
    return _jit(function, fastmath={"reassoc", "contract"})


def _jit(function: Kernel, **options: object) -> Kernel:
    kernel: Kernel
    try:
        kernel = njit(cache=True, nogil=True, **options)(function)
    except RuntimeError:
        kernel = njit(nogil=True, **options)(function)
    return kernel
