"""What scanners of model files say of a file or folder, beside what `wqscore check` does with it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

from typer.testing import CliRunner

from tests.oracles import Oracle
from wqscore.cli import app
from wqscore.refs.weight_names import HEAD_BYTES, container_of

#: `flagged` as dangerous; looked at and found `clean`; or `unread`: of a kind it does not know, or it fails.
Verdict = Literal["flagged", "clean", "unread"]

_picklescan = Oracle("picklescan.scanner")
_ModelScan = Oracle("modelscan.modelscan", "ModelScan")
_fickling = Oracle("fickling")


def wqscore(path: Path) -> Verdict:
    """Refused or not a file of weights; or its weights are read, and found sound."""
    code = CliRunner().invoke(app, ["check", "--quiet", str(path)]).exit_code
    return "clean" if code == 0 else "flagged"


def picklescan(path: Path) -> Verdict:
    """By the names that pickles ask for, against lists of safe and of dangerous ones."""
    scan = _picklescan.scan_directory_path if path.is_dir() else _picklescan.scan_file_path
    found = scan(str(path))
    if found.issues_count:
        return "flagged"
    return "unread" if found.scan_err or not found.scanned_files else "clean"


def modelscan(path: Path) -> Verdict:
    """By the names that pickles ask for, and by Lambda layers of Keras."""
    found = _ModelScan().scan(path)
    if found["summary"]["total_issues"]:
        return "flagged"
    return "unread" if found["errors"] or not found["summary"]["scanned"]["total_scanned"] else "clean"


def fickling(path: Path) -> Verdict:
    """By what a pickle does, opcode by opcode; given pickles and zip archives alone."""
    verdicts: set[Verdict] = set()
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        container = container_of(file.read_bytes()[:HEAD_BYTES])
        if container == "zip":
            found = list(_fickling.scan_zip_archive(str(file), graceful=True).values())
        elif container == "pickle" or file.suffix == ".pkl":
            found = [_fickling.scan_file(str(file), graceful=True)]
        else:
            found = []
        for each in found:
            if any(result.severity > _fickling.analysis.Severity.LIKELY_SAFE for result in each.results):
                verdicts.add("flagged")
            elif each.results and not each.errors:
                verdicts.add("clean")
    return "flagged" if "flagged" in verdicts else "clean" if verdicts else "unread"


def verdict(scanner: str, path: Path) -> Verdict:
    """What a scanner says of a file or folder; a scanner that raises has not read it."""
    try:
        return SCANNERS[scanner](path)
    except Exception:
        return "unread"


SCANNERS: Mapping[str, Callable[[Path], Verdict]] = {
    "wqscore check": wqscore,
    "picklescan": picklescan,
    "modelscan": modelscan,
    "fickling": fickling,
}


def quiet() -> None:
    """Keep what the scanners log off the terminal."""
    for name in ("picklescan", "modelscan", "fickling"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
