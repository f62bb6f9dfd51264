"""The wheel holds the package and its data, and nothing else; installed by itself, it works."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import sysconfig
import venv
import zipfile
from email.parser import BytesParser
from pathlib import Path

import pytest

from wqscore.version import __version__

ROOT = Path(__file__).parent.parent
#: What is written into the package's folder when it runs, and no part of it.
_MADE = {".pyc", ".nbi", ".nbc"}
#: A path of somebody's machine; an example in a docstring has the home `/home/me`.
_OF_A_MACHINE = re.compile(rb"/(home/(?!me\b)|root/|Users/|work/|tmp/[a-z0-9_]{8}/)[\w.-]")

pytestmark = [pytest.mark.oracle("hatchling"), pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


def sources(folder: str) -> set[str]:
    """The files of a folder of the repository, by their path in it."""
    files = (file for file in (ROOT / folder).rglob("*") if file.is_file() and file.suffix not in _MADE)
    return {file.relative_to(ROOT / folder).as_posix() for file in files}


def test_it_holds_the_package_and_nothing_else(wheel: Path) -> None:
    package = {f"wqscore/{name}" for name in sources("wqscore")}
    lists = {f"wqscore/data/model_lists/{name}" for name in sources("model_lists")}
    assert len(package) > 300 and len(lists) > 20
    info = f"wqscore-{__version__}.dist-info"
    about = {f"{info}/{name}" for name in ("METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE")}
    with zipfile.ZipFile(wheel) as archive:
        assert set(archive.namelist()) == package | lists | about
        assert archive.testzip() is None


def test_its_files_are_whole_and_name_no_machine(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            content = archive.read(name)
            assert not _OF_A_MACHINE.search(content), name
            if name.endswith(".py"):
                ast.parse(content, name)
            if name.startswith("wqscore/data/model_lists/"):
                assert content == (ROOT / "model_lists" / Path(name).name).read_bytes()
        metadata = BytesParser().parsebytes(archive.read(f"wqscore-{__version__}.dist-info/METADATA"))
    assert (metadata["Name"], metadata["Version"], metadata["License-Expression"]) == (
        "wqscore",
        __version__,
        "Apache-2.0",
    )
    required = [each for each in metadata.get_all("Requires-Dist", []) if "extra ==" not in each]
    assert all(">=" in each and "@" not in each for each in required), required


def test_installed_by_itself_it_works(wheel: Path, tmp_path: Path) -> None:
    """In a fresh environment, which finds the libraries here but not this repository."""
    venv.create(tmp_path / "fresh", symlinks=True)
    python = tmp_path / "fresh" / "bin" / "python"
    install = ["-m", "pip", "--quiet", "--python", str(python), "install", "--no-deps", "--no-index", str(wheel)]
    subprocess.run([sys.executable, *install], check=True, capture_output=True)
    (packages,) = (tmp_path / "fresh").glob("lib/python*/site-packages")
    (packages / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")

    def output(*arguments: str) -> str:
        command = [str(tmp_path / "fresh" / "bin" / "wqscore"), *arguments]
        return subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stdout

    where = [str(python), "-c", "import wqscore; print(wqscore.__file__)"]
    found = subprocess.run(where, cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    assert Path(found.strip()).is_relative_to(tmp_path)
    assert output("--version").strip() == __version__
    lists = output("models")
    assert all(Path(name).stem in lists for name in sources("model_lists"))
