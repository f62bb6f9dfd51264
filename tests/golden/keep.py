"""Write again what tests/data/wqscore-0.5.0 has of a version: `python -m tests.golden.keep CHECKOUT OUT`.

CHECKOUT is a folder with the sources of the version to run, such as `git worktree add ../wqscore-0.5.0 ba5a83d` makes
one; its dependencies are those of the Python that runs this. The kernel is OpenBLAS's for this processor, or the one
that the environment variable OPENBLAS_CORETYPE names.
"""

from __future__ import annotations

import gzip
import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.golden.kept import EPOCH, FILES, RANKS, copy_models, environment

CHECKPOINTS = Path(__file__).parent.parent.parent / "checkpoints"


def rank(checkout: Path, folder: Path, *arguments: str) -> None:
    """Run `wqscore rank` of that version in a folder."""
    subprocess.run(
        [sys.executable, "-c", "from wqscore.cli import app; app()", "rank", *arguments, "--quiet"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(checkout.resolve()), "SOURCE_DATE_EPOCH": EPOCH},
        stdout=subprocess.DEVNULL,
        check=True,
    )


def gzipped(content: bytes) -> bytes:
    """Compress, to the same bytes each time."""
    return gzip.compress(content, 9, mtime=0)


def keep_outputs(checkout: Path, models: Path, out: Path) -> None:
    """Write the files of each rank."""
    for name, arguments in RANKS.items():
        with TemporaryDirectory() as report:
            rank(checkout, CHECKPOINTS if name == "demo" else models, *arguments, "--no-store", f"--out={report}")
            (out / name).mkdir(parents=True, exist_ok=True)
            for file in FILES:
                (out / name / f"{file}.gz").write_bytes(gzipped((Path(report) / file).read_bytes()))
    (out / "environment.json").write_text(json.dumps(environment(), indent=1) + "\n", encoding="utf-8")


def keep_store(checkout: Path, models: Path, out: Path) -> None:
    """Write the store that the rank of all formats leaves, and the digest of the code that its spectra are under."""
    with TemporaryDirectory() as folder:
        store = Path(folder) / "store.sqlite"
        rank(checkout, models, *RANKS["formats"], "--no-report", f"--store={store}")
        with closing(sqlite3.connect(store, isolation_level=None)) as connection:
            # Where the files of this machine lay says nothing on another.
            connection.execute("DELETE FROM files")
            recipes = [json.loads(recipe) for (recipe,) in connection.execute("SELECT DISTINCT recipe FROM keys")]
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (out / "store.sqlite.gz").write_bytes(gzipped(store.read_bytes()))
    (code,) = {recipe["code"] for recipe in recipes}
    (out / "spectrum_code.txt").write_text(f"{code}\n", encoding="utf-8")


def keep(checkout: Path, out: Path) -> None:
    """Write the outputs into a folder named after the kernel, and the store beside it."""
    with TemporaryDirectory() as folder:
        models = Path(folder) / "models"
        copy_models(models)
        keep_outputs(checkout, models, out / environment()["kernel"])
        keep_store(checkout, models, out)


if __name__ == "__main__":
    keep(Path(sys.argv[1]), Path(sys.argv[2]))
