"""Write again what tests/data/outputs has of this version: `python -m tests.golden.keep CHECKOUT OUT`.

CHECKOUT is a folder with the sources of the version to run: `.`, or one of an earlier version. The kernel is
OpenBLAS's for this processor, or the one that the environment variable OPENBLAS_CORETYPE names.
"""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
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


def keep(checkout: Path, out: Path) -> None:
    """Write the outputs into a folder named after the kernel."""
    with TemporaryDirectory() as folder:
        models = Path(folder) / "models"
        copy_models(models)
        keep_outputs(checkout, models, out / environment()["kernel"])


if __name__ == "__main__":
    keep(Path(sys.argv[1]), Path(sys.argv[2]))
