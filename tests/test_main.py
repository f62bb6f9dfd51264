"""The program ends at once, but not before its threads, and what they and it have to say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import atexit, sys, threading, time
from concurrent.futures import ThreadPoolExecutor
import wqscore.cli
from wqscore.__main__ import main

class Costly:
    def __del__(self):
        print("freed", file=sys.stderr)

kept = Costly()
kept.itself = kept

def app():
    idle = ThreadPoolExecutor(1)
    idle.submit(int).result()
    threading.Thread(target=lambda: (time.sleep(0.2), print("thread"))).start()
    atexit.register(print, "at exit")
    print("not flushed", end=" ")
    sys.exit(3)

wqscore.cli.app = app
main()
"""


def test_a_program_ends_with_its_code_after_its_threads_and_frees_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (3, "not flushed thread\nat exit\n", "")
