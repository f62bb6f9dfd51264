"""The process that scores one snapshot: `python -P -c ... FOLDER`; it writes what it found into the folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from time import time
from typing import Any

import psutil

from wqscore.api.score import score
from wqscore.api.settings import Settings
from wqscore.errors import WqscoreError
from wqscore.studies.watching.documents import document_of

#: The weights, the settings and the answer in a snapshot's folder.
WEIGHTS, REQUEST, ANSWER, ERRORS = "weights", "request.json", "answer.json", "errors.txt"
_PROGRAM = "from wqscore.studies.watching.process import main; main()"
#: What training comes before.
_NICE = 10


def start(folder: Path, settings: dict[str, Any]) -> subprocess.Popen[bytes]:
    """Start a process that scores a snapshot and ends.

    Args:
        folder: has the snapshot in its folder `weights`.
        settings: of the score, as JSON has them.

    Raises:
        OSError: the process can't be started.
    """
    (folder / REQUEST).write_text(json.dumps(settings), encoding="utf-8")
    # The package may have been imported from a path that only this process knows.
    path = os.pathsep.join(str(Path(each or ".").absolute()) for each in sys.path)
    command = [sys.executable, "-P", "-c", _PROGRAM, str(folder)]
    environment = os.environ | {"PYTHONPATH": path}
    with (folder / ERRORS).open("wb") as errors:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors, env=environment
        )


def answer_of(folder: Path, code: int) -> dict[str, Any]:
    """What an ended process found: `seconds`, and `document` or `error`.

    Args:
        folder: the snapshot's.
        code: the process's exit code.
    """
    try:
        found: dict[str, Any] = json.loads((folder / ANSWER).read_text(encoding="utf-8"))
        return found
    except (OSError, ValueError):
        lines = (folder / ERRORS).read_text(encoding="utf-8", errors="replace").strip().splitlines()
        last = f": {lines[-1][:300]}" if lines else ""
        return {"seconds": 0.0, "error": f"the scoring process ended with code {code}{last}"}


def main() -> None:
    """Score the snapshot in the folder that the command line names."""
    # Windows has no such call: training and scoring are equals there.
    nice = getattr(os, "nice", None)
    if nice is not None:
        with suppress(OSError):
            nice(_NICE)
    folder = Path(sys.argv[1])
    answer: dict[str, Any]
    try:
        settings = Settings(**json.loads((folder / REQUEST).read_text(encoding="utf-8")))
        answer = {"document": document_of(score(folder / WEIGHTS, settings=settings))}
    except WqscoreError as error:
        answer = {"error": str(error).replace(str(folder / WEIGHTS), "the model")}
    answer["seconds"] = time() - psutil.Process().create_time()
    temporary = folder / f"{ANSWER}.part"
    temporary.write_text(json.dumps(answer), encoding="utf-8")
    temporary.replace(folder / ANSWER)
