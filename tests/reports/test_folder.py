"""The report folder: four files, whole or not at all, also on full disks and in other people's folders."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from wqscore.errors import UsageError
from wqscore.ranking.ranking import Ranking, rank_models
from wqscore.refs.reference import ModelRef
from wqscore.rendering.folder import ReportError, check_folder
from wqscore.reports.folder import write_report
from wqscore.scoring.model_score import Failure

FILES = ["index.html", "layers.csv", "pairs.csv", "ranking.csv", "ranking.json"]


@pytest.fixture
def ranking() -> Ranking:
    """A ranking whose page has no charts, which take seconds to draw."""
    failures = [Failure(ModelRef(f"org/model-{i}", "hub", repo=f"org/model-{i}"), "gone: " * 20) for i in range(50)]
    return rank_models([], failures=failures)


def test_the_four_files_are_what_the_renderers_give(ranking: Ranking, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "er"
    assert write_report(ranking, folder) == folder / "index.html"
    assert sorted(path.name for path in folder.iterdir()) == FILES
    assert (folder / "ranking.csv").read_bytes() == ranking.to_csv().encode()
    assert (folder / "index.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_a_second_report_replaces_the_first(ranking: Ranking, tmp_path: Path) -> None:
    for name in FILES:
        (tmp_path / name).write_text("old")
    (tmp_path / "notes.txt").write_text("mine")
    write_report(ranking, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*FILES, "notes.txt"])
    assert all((tmp_path / name).read_text(encoding="utf-8") != "old" for name in FILES)


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_the_files_have_the_permissions_of_any_other(ranking: Ranking, tmp_path: Path, umask: int, mode: int) -> None:
    before = os.umask(umask)
    try:
        write_report(ranking, tmp_path)
    finally:
        os.umask(before)
    assert {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in FILES} == {mode}


def test_a_limit_on_file_sizes_leaves_the_old_report(ranking: Ranking, tmp_path: Path) -> None:
    write_report(ranking, tmp_path)
    before = {name: (tmp_path / name).read_bytes() for name in FILES}
    limit, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, hard))
    try:
        with pytest.raises(ReportError) as caught:
            write_report(ranking, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
        signal.signal(signal.SIGXFSZ, handler)
    assert str(caught.value) == (
        f"{tmp_path}: the report can't be written: File too large: name another folder with --out"
    )
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


PROGRAM = """
import sys
from pathlib import Path
import numpy as np
from safetensors.numpy import save_file
import wqscore
from wqscore.rendering.folder import ReportError
from wqscore.reports.folder import write_report

model, folder = Path(sys.argv[1]), Path(sys.argv[2])
save_file({"fc.weight": np.random.default_rng(0).standard_normal((64, 64)).astype("f4")}, model)
(folder / "ranking.csv").write_text("old")
try:
    write_report(wqscore.rank([str(model)]), folder)
except ReportError as error:
    print(error)
print(sorted(path.name for path in folder.iterdir()), (folder / "ranking.csv").read_text())
"""


def test_a_full_disk_leaves_the_old_report(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    # A disk of 64 kB, seen by this process alone; where no disk may be mounted, a limit on what is written.
    mount = ["unshare", "--mount", "--map-root-user", "sh", "-c", 'mount -t tmpfs -o size=64k none "$0" && exec "$@"']
    attempt = [*mount, str(disk), "true"]
    is_allowed = shutil.which("unshare") and subprocess.run(attempt, capture_output=True, check=False).returncode == 0
    wrapper = [*mount, str(disk)] if is_allowed else ["sh", "-c", 'ulimit -f 512; exec "$@"', "sh"]
    cause = "the disk is full" if is_allowed else "File too large"
    program = [sys.executable, "-c", PROGRAM, str(tmp_path / "model.safetensors"), str(disk)]
    done = subprocess.run([*wrapper, *program], capture_output=True, text=True, check=True, cwd=Path.cwd())
    assert done.stdout.splitlines() == [
        f"{disk}: the report can't be written: {cause}: name another folder with --out",
        "['ranking.csv'] old",
    ]


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that nobody may enter; pytest's own are for their owner alone."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_a_folder_that_is_not_ours(open_folder: Path) -> None:
    folder = open_folder / "theirs"
    folder.mkdir(mode=0o555)
    is_root = os.geteuid() == 0
    if is_root:
        # Root may write anywhere: be nobody for a moment.
        os.setresuid(65534, 65534, 0)
    try:
        with pytest.raises(UsageError) as caught:
            check_folder(folder / "report")
    finally:
        if is_root:
            os.setresuid(0, 0, 0)
    assert str(caught.value) == f"{folder}: is not yours to write to: name another folder with --out"


def test_checking_a_folder_makes_nothing(tmp_path: Path) -> None:
    check_folder(tmp_path)
    check_folder(tmp_path / "a" / "b")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("")
    for path in ("file", "file/below/it"):
        with pytest.raises(UsageError, match="file: is not a folder: name another with --out"):
            check_folder(tmp_path / path)
    with pytest.raises(UsageError, match="can't be made: File name too long"):
        check_folder(tmp_path / ("n" * 300))
