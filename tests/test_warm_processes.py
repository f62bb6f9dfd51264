"""A copy of the warm process does what a process of its own does."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.warm_processes import run_python

PROGRAMS = {
    "prints": "import os, sys; print(sys.argv, os.getcwd(), sorted(os.environ)); print('ä', file=sys.stderr)",
    "exits": "import sys; sys.exit(3)",
    "exits with a word": "import sys; sys.exit('no')",
    "fails": "raise ValueError('no')",
    "leaves at once": "import os; os.write(1, b'x'); os._exit(4)",
    "is killed": "import os; os.kill(os.getpid(), 9)",
    "has a thread": "import threading as t, time; t.Thread(target=lambda: (time.sleep(0.01), print('late'))).start()",
    "reads": "print(repr(input()))",
    "has imported": "import sys; print('huggingface_hub' in sys.modules, 'tqdm' in sys.modules, __name__)",
    "tidies up": "import atexit; atexit.register(print, 'bye')",
}


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
def test_a_copy_does_what_a_process_does(program: str, tmp_path: Path) -> None:
    env = {**os.environ, "HF_HOME": "somewhere"}
    done = run_python(program, ["a", "b c"], env, tmp_path)
    command = [sys.executable, "-c", program, "a", "b c"]
    real = subprocess.run(
        command, env=env, cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (real.returncode, real.stdout)
    assert done.stderr.splitlines()[-1:] == real.stderr.splitlines()[-1:]


def test_copies_run_side_by_side(tmp_path: Path) -> None:
    """Each waits for the other."""
    program = (
        "import sys, time; from pathlib import Path; Path(sys.argv[1]).touch()\n"
        "while not Path(sys.argv[2]).exists(): time.sleep(0.01)\n"
        "print(sys.argv[1])"
    )
    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(run_python, program, each, os.environ, tmp_path) for each in (["a", "b"], ["b", "a"])]
        assert [run.result().stdout for run in runs] == ["a\n", "b\n"]


def test_with_another_variable_that_is_read_on_import_a_process_starts_afresh() -> None:
    program = "import sys; print(sys.flags.utf8_mode, 'numba' in sys.modules)"
    assert run_python(program, [], {**os.environ, "PYTHONUTF8": "1"}).stdout == "1 False\n"
    assert run_python(program, [], os.environ).stdout.endswith(" True\n")
