"""The program: everything that can go wrong, from the first import on, is one line and an exit code.

Exit 1 means that a gate's rule failed, so that a pipeline can act on it: no fault of the machine may end with 1.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
from contextlib import suppress
from typing import NoReturn

_NOT_SCORED = 3
_INTERRUPTED = 130


def main() -> None:
    """Run the command line."""
    _guard = _guard_exit_code()
    sys.excepthook = _heard
    sys.unraisablehook = _unraisable
    try:
        from wqscore.cli import app

        app()
    except SystemExit as leaving:
        if leaving.__context__ and isinstance(leaving.__context__.__cause__, KeyboardInterrupt):
            # The parser of options was interrupted, and exits without a word.
            _leave("interrupted", _INTERRUPTED)
        _end(leaving.code if isinstance(leaving.code, int) else 0)
    except KeyboardInterrupt:
        _leave("interrupted", _INTERRUPTED)
    except MemoryError:
        _leave("not enough memory: give this process more, or score with --jobs 1", _NOT_SCORED)
    except ImportError as error:
        name = f" ({error.name})" if error.name else ""
        _leave(f"a library can't be loaded{name}, mostly for lack of memory", _NOT_SCORED)
    except OSError as error:
        _leave(f"{error.filename or 'the system'}: {error.strerror or error}", _NOT_SCORED)
    except BaseException as error:
        line = "a fault in wqscore: please report it with the command"
        # It may be the package that can't be imported.
        with suppress(BaseException):
            from wqscore.errors import fault

            line = fault(error)
        _leave(line, _NOT_SCORED)


def _heard(kind: type[BaseException], *_: object) -> None:
    """Print nothing of what a library in C prints when it can't be imported: it raises an `ImportError` too.

    It does so for an interrupt as well, which would be lost.
    """
    if issubclass(kind, KeyboardInterrupt):
        _leave("interrupted", _INTERRUPTED)


def _unraisable(ignored: sys.UnraisableHookArgs) -> None:
    """End where Python would print an interrupt and go on, because it came in a callback."""
    if issubclass(ignored.exc_type, KeyboardInterrupt):
        _leave("interrupted", _INTERRUPTED)
    sys.__unraisablehook__(ignored)


def _end(code: int) -> NoReturn:
    """End as Python does, without freeing what the process has: with numba loaded, that takes a fifth of a second.

    C's exit would also call the guard after Python is gone.
    """
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    _leave("", code)


def _leave(line: str, code: int) -> NoReturn:
    """Write a line to standard error, whatever state it is in, and exit at once."""
    with suppress(OSError, ValueError):
        sys.stdout.flush()
    with suppress(OSError):
        if line:
            os.write(2, f"wqscore: {line}\n".encode("ascii", "backslashreplace"))
    os._exit(code)


def _guard_exit_code() -> object:
    """Keep a library from ending this process with 1: OpenBLAS does so where a limit on memory stops it.

    Returns:
        What has to stay alive; `None` where memory is not limited, and so no guard is needed.
    """
    try:
        import resource
    except ImportError:
        return None
    if resource.getrlimit(resource.RLIMIT_AS)[0] == resource.RLIM_INFINITY:
        return None
    import ctypes

    guard = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_void_p)(lambda code, _: os._exit(code and _NOT_SCORED))
    # Of glibc alone.
    register = getattr(ctypes.CDLL(None), "on_exit", None)
    if register is None:
        return None
    register(guard, None)
    return guard


if __name__ == "__main__":
    main()
