"""Fuzzes every parser in turn. Usage: python -m tests.fuzz --minutes 60 [--target gguf …] [--seed 1]

New findings go to `found/`, with a line each in `found/README.md`; the table of what was tried to the terminal.
"""

from __future__ import annotations

import argparse
import importlib.util
import shutil
import subprocess
import sys
import tempfile
from hashlib import sha256
from pathlib import Path
from time import monotonic

from tests.fuzz.inputs import CORPUS, FOUND, NOTES

#: For start and end of a process, beyond the time it fuzzes: atheris rewrites every module that is imported.
_GRACE_SECONDS = 300


def main() -> None:
    """Fuzz, keep the findings, print the table."""
    names = sorted(folder.name for folder in CORPUS.iterdir())
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--minutes", type=float, default=60, help="of all targets together")
    parser.add_argument("--target", action="append", choices=names, help="one of them; may be repeated")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    chosen = options.target or names
    how = "atheris" if importlib.util.find_spec("atheris") else "seeded mutation (atheris is not installed)"
    print(f"by {how}\n{'target':<12} {'inputs':>9} {'minutes':>8} {'findings':>9}", flush=True)
    for name in chosen:
        tried, seconds, findings = fuzz(name, options.minutes * 60 / len(chosen), options.seed)
        print(f"{name:<12} {tried:>9,} {seconds / 60:>8.1f} {findings:>9}", flush=True)


def fuzz(name: str, seconds: float, seed: int) -> tuple[int, float, int]:
    """Fuzz one target, in a new process whenever one dies.

    Returns:
        Inputs tried, seconds taken, new findings kept.
    """
    start = monotonic()
    tried = findings = 0
    with tempfile.TemporaryDirectory(prefix="fuzz-") as temporary:
        folder = Path(temporary)
        while (left := seconds - (monotonic() - start)) > 0:
            (folder / "tried").write_text("0")
            died = _run(name, left, seed, folder)
            tried += int((folder / "tried").read_text())
            findings += _keep_findings(name, folder)
            current = folder / "current"
            # There is none where the machine was so busy that the session came to no input, or was at its end.
            if died and current.exists():
                findings += _keep(name, current.rename(folder / sha256(current.read_bytes()).hexdigest()[:8]), died)
            seed += 1
    return tried, monotonic() - start, findings


def _run(name: str, seconds: float, seed: int, folder: Path) -> str:
    """Run a session; how it died, empty if it did not."""
    command = [sys.executable, "-m", "tests.fuzz.session", name, str(seconds), str(seed), str(folder)]
    try:
        done = subprocess.run(command, timeout=seconds + _GRACE_SECONDS, capture_output=True, text=True, check=False)
    except subprocess.TimeoutExpired:
        return "did not end and heard no signal"
    if done.returncode and not (folder / "current").exists():
        raise SystemExit(f"the session of {name} did not start:\n{done.stderr}")
    return f"the process ended with {done.returncode}: {done.stderr.strip()[-200:]}" if done.returncode else ""


def _keep_findings(name: str, folder: Path) -> int:
    notes = sorted((folder / "findings").glob("*.txt"))
    return sum(_keep(name, note.with_suffix(""), note.read_text()) for note in notes)


def _keep(name: str, file: Path, what: str) -> bool:
    """Copy an input to `found/` with its line; whether it is new."""
    where = FOUND / name / file.name
    if where.exists():
        return False
    where.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(file, where)
    with NOTES.open("a") as notes:
        notes.write(f"- `{name}/{file.name}`: {ascii(what)[1:-1]}\n")
    return True


if __name__ == "__main__":
    main()
