"""Compile numeric loops with numba when they are first called, so that only what runs one imports numba."""

from __future__ import annotations

import gc
from collections.abc import Callable
from contextlib import suppress
from functools import cache, cached_property, update_wrapper
from pathlib import Path
from typing import Any, TypeVar, cast

from wqscore.errors import UsageError

#: More than the functions that one calls, and those in turn.
_MOST_NESTED = 16

#: numba reads settings from this file in the working folder: also where its cache is, whose pickles run.
_SETTINGS = Path(".numba_config.yaml")
Kernel = TypeVar("Kernel", bound=Callable[..., object])


def compiled(function: Kernel) -> Kernel:
    """Compile with numba and cache on disk; compile again in each process where the cache can't be written."""
    return cast(Kernel, _Compiled(function))


def compiled_sums(function: Kernel) -> Kernel:
    """Compile sums whose terms may be reordered and vectorised; NaN and infinity propagate as usual."""
    return cast(Kernel, _Compiled(function, fastmath={"reassoc", "contract"}))


@cache
def _njit() -> Any:
    """Numba's decorator, with what its first use would load.

    Nothing is collected meanwhile: a hundred thousand objects are made, and all stay. That saves a third of the time.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        from numba import njit

        # Of numba's own: where another version has none, its first use takes a moment longer.
        with suppress(ImportError, AttributeError):
            from numba.core.registry import cpu_target

            cpu_target.target_context.refresh()
    finally:
        if collects:
            gc.enable()
    return njit


class _Compiled:
    """A function that becomes numba's when it is first called, from Python or from another such function."""

    def __init__(self, function: Callable[..., object], **options: object) -> None:
        self._function = function
        self._options = options
        update_wrapper(self, function)

    def __call__(self, *arguments: object, **named: object) -> object:
        # Called a hundred thousand times in a run: a microsecond here is a tenth of a second there.
        try:
            return self._dispatcher(*arguments, **named)
        except OSError:
            return self._without_cache(*arguments, **named)

    def _without_cache(self, *arguments: object, **named: object) -> object:
        """Call again: an OSError is the cache's, whose disk is full, or a limit forbids so large a file.

        What was not kept is compiled, and the next attempt gets past it to the next function that this one calls.
        """
        for _ in range(_MOST_NESTED):
            with suppress(OSError):
                return self._dispatcher(*arguments, **named)
        return self._dispatcher(*arguments, **named)

    @cached_property
    def _dispatcher(self) -> Any:
        if _SETTINGS.exists() or _SETTINGS.is_symlink():
            raise UsageError(
                f"the working folder has a {_SETTINGS}, which may make numba run code: run wqscore elsewhere, "
                "and set numba by environment variables"
            )
        njit = _njit()
        try:
            return njit(cache=True, nogil=True, **self._options)(self._function)
        except RuntimeError:
            return njit(nogil=True, **self._options)(self._function)

    @property
    def _numba_type_(self) -> Any:
        """What numba asks a name for when it compiles a function that calls it."""
        return self._dispatcher._numba_type_
