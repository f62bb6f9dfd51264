"""Processes that need no start: copies of one that has imported what takes long and depends on no environment.

For tests of what a run does, in an environment and a folder of its own. Where the start of the process, its memory,
limits or signals are tested, a real one runs.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any, NoReturn

#: Variables that are read when something is imported: a process in which one differs starts afresh.
_READ_ON_IMPORT = re.compile(r"(PYTHON|NUMBA|OPENBLAS|OMP|TERMINAL|COLUMNS|.*COLOR|GITHUB|PY_|TTY|_TYPER|RICH)")
#: The command, as a program.
WQSCORE = "import sys; sys.argv[0] = 'wqscore'; from wqscore.__main__ import main; main()"
#: The copies run side by side, but are asked for one after the other.
_ONE_ASKS = threading.Lock()
#: They read variables when they are imported; each process imports them for itself.
_NOT_IMPORTED = ("huggingface_hub", "tqdm")


def run_wqscore(
    arguments: Sequence[str], env: Mapping[str, str], cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the command to its end, as `run_python` does."""
    return run_python(WQSCORE, arguments, env, cwd)


def run_python(
    program: str, arguments: Sequence[str], env: Mapping[str, str], cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `python -c` to its end.

    Args:
        program: what is run.
        arguments: what follows it.
        env: all of its environment.
        cwd: its folder.
    """
    if not can_copy(env):
        command = [sys.executable, "-P", "-c", program, *arguments]
        return subprocess.run(command, env=env, cwd=cwd, capture_output=True, text=True, timeout=300, check=False)
    with TemporaryDirectory() as folder:
        streams = [Path(folder) / name for name in ("stdout", "stderr")]
        code = run_copy(program, arguments, env, cwd, [os.devnull, *map(str, streams)])
        outputs = (stream.read_text(encoding="utf-8") for stream in streams)
        return subprocess.CompletedProcess([*arguments], code, *outputs)


def can_copy(env: Mapping[str, str]) -> bool:
    """Whether a process with an environment would import the same."""
    return hasattr(os, "fork") and _read_on_import(env) == _read_on_import(os.environ)


def run_copy(
    program: str, arguments: Sequence[str], env: Mapping[str, str], cwd: Path | None, streams: Sequence[str]
) -> int:
    """Run a program in a copy to its end, and return its exit code.

    Args:
        program: as in `run_python`.
        arguments: as there.
        env: as there.
        cwd: as there.
        streams: the files or terminals that are its standard input, output and error.
    """
    asked = {"program": program, "arguments": [*arguments], "env": dict(env), "cwd": str(cwd or Path.cwd())}
    with TemporaryDirectory() as folder:
        ended = Path(folder) / "ended"
        os.mkfifo(ended)
        # Open for both, it never waits for the other side.
        pipe = os.open(ended, os.O_RDWR)
        with _ONE_ASKS:
            server = _server(os.getpid())
            assert server.stdin
            server.stdin.write(json.dumps({**asked, "streams": [*streams], "ended": str(ended)}) + "\n")
            server.stdin.flush()
        code = int(os.read(pipe, 16))
        os.close(pipe)
        return code


def _read_on_import(env: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in env.items() if _READ_ON_IMPORT.match(name)}


@cache
def _server(_: int) -> subprocess.Popen[str]:
    """The process that is copied, one for each that asks; it ends when its input does."""
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.warm_processes"],
        cwd=Path(__file__).parents[1],
        stdin=subprocess.PIPE,
        text=True,
    )
    atexit.register(server.communicate)
    return server


def _serve() -> None:
    _warm_up()
    assert not [name for name in _NOT_IMPORTED if name in sys.modules]
    # What is imported is never collected: the copies would write to all of its memory.
    gc.freeze()
    for line in sys.stdin:
        if not os.fork():
            _watch_over_a_copy(json.loads(line))
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def _watch_over_a_copy(asked: dict[str, Any]) -> NoReturn:
    """Run a copy, tell its exit code to who asked for it, and end."""
    if not (copy := os.fork()):
        _exit_with(lambda: _become(asked))
    code = os.waitstatus_to_exitcode(os.waitpid(copy, 0)[1])
    # Who asked may be gone.
    with suppress(OSError):
        os.write(os.open(asked["ended"], os.O_WRONLY | os.O_NONBLOCK), str(code).encode())
    os._exit(0)


def _exit_with(task: Callable[[], None]) -> NoReturn:
    """Do what a copy is for, and end as Python does, without the freeing of all that the copied process had."""
    code = 1
    try:
        task()
        code = 0
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
        if isinstance(leaving.code, str):
            print(leaving.code, file=sys.stderr)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _warm_up() -> None:
    """Import what most runs need, and compile the fit of the tail. No thread is started: a copy would lack it."""
    import altair
    import numpy as np

    import wqscore.cli
    import wqscore.scoring.score_checkpoint
    from wqscore.fits.power_law import fit_power_law

    fit_power_law(np.arange(1.0, 65.0), 0.0)
    assert altair and wqscore


def _become(asked: dict[str, Any]) -> None:
    os.environ.clear()
    os.environ.update(asked["env"])
    os.chdir(asked["cwd"])
    os.setsid()
    for number, path in enumerate(asked["streams"]):
        opened = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    # What has been read ahead of the input is for the process that is copied.
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if stream.isatty():
            stream.reconfigure(line_buffering=True)
    sys.argv = ["-c", *asked["arguments"]]
    main = sys.modules["__main__"] = ModuleType("__main__")
    exec(compile(asked["program"], "<string>", "exec"), main.__dict__)


if __name__ == "__main__":
    _serve()
