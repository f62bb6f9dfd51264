"""A store written by version 0.5.0 opens, and no spectrum in it is solved again."""

from __future__ import annotations

import gzip
import json
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.golden.kept import EPOCH, KEPT, RANKS, copy_models, differences, environment, texts
from wqscore.cli import app
from wqscore.spectra import spectrum

#: The models whose matrices 0.5.0 read in the order that they are read in now.
MODELS = [argument for argument in RANKS["formats"] if argument != "model.npz"]
#: The kernel that the store's eigenvalues are of.
KERNEL = "Haswell"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A copy of the store, as if the OpenBLAS that is installed here had been there.

    Eigenvalues of another OpenBLAS are solved again, and should be; what is asked here is what the code does.
    """
    path = tmp_path / "store.sqlite"
    path.write_bytes(gzip.decompress((KEPT / "store.sqlite.gz").read_bytes()))
    set_openblas(path, version("scipy-openblas32"))
    return path


def set_openblas(store: Path, wanted: str) -> None:
    """Put a version of OpenBLAS into every recipe. If it was another one, seal the spectra anew and drop all rows."""
    with closing(sqlite3.connect(store)) as connection, connection:
        changes = {}
        for (recipe,) in connection.execute("SELECT DISTINCT recipe FROM keys"):
            driver, _, found = json.loads(recipe)["solver"].partition(" of OpenBLAS ")
            assert driver and found
            if found != wanted:
                changes[recipe] = recipe.replace(f" of OpenBLAS {found}", f" of OpenBLAS {wanted}")
        if not changes:
            return
        connection.executemany(
            "UPDATE keys SET recipe = ? WHERE recipe = ?", [(new, old) for old, new in changes.items()]
        )
        fields = "content, part, recipe, rows, columns, slices, unit_roundoff, state, eigenvalues"
        rows = list(connection.execute(f"SELECT k.id, {fields} FROM spectra AS s JOIN keys AS k ON k.id = s.key"))
        connection.executemany(
            "UPDATE spectra SET checksum = ? WHERE key = ?", [(checksum(values), key) for key, *values in rows]
        )
        connection.execute("DELETE FROM results")


def checksum(fields: list[Any]) -> bytes:
    """The checksum of a row, as version 0.5.0 has it."""
    text = repr([("blob", len(field)) if isinstance(field, bytes) else field for field in fields])
    digest = blake2b(text.encode(), digest_size=16)
    for field in fields:
        if isinstance(field, bytes):
            digest.update(field)
    return digest.digest()


@pytest.fixture
def ranked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, str]]:
    """Rank a copy of the checkpoints that the store is of."""
    copy_models(tmp_path / "models")
    monkeypatch.chdir(tmp_path / "models")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", EPOCH)
    # The page is no part of what is compared, and takes most of the time.
    monkeypatch.setattr("wqscore.reports.folder.report_html", lambda *_: "")

    def run(*options: str) -> dict[str, str]:
        out = tmp_path / "out"
        done = CliRunner().invoke(app, ["rank", *MODELS, "--quiet", f"--out={out}", *options])
        assert (done.exit_code, done.stderr) == (0, f"report: {out / 'index.html'}\n"), done.stderr
        return texts(out)

    return run


def count_solves(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note each matrix that is solved: wherever the functions have been imported, but for shuffles and windows."""
    calls: list[str] = []
    for name in ("compute_spectrum", "low_rank_spectrum"):
        solve = getattr(spectrum, name)

        def counting(*arguments: Any, name: str = name, solve: Any = solve, **options: Any) -> Any:
            calls.append(name)
            return solve(*arguments, **options)

        for home, module in list(sys.modules.items()):
            is_caller = home.startswith("wqscore.") and not home.startswith("wqscore.spectra.")
            if is_caller and getattr(module, name, None) is solve:
                monkeypatch.setattr(module, name, counting)
    return calls


def spectra_in(store: Path) -> set[tuple[str, str, str]]:
    """The keys of all spectra in a store."""
    with closing(sqlite3.connect(store)) as connection:
        query = "SELECT content, part, recipe FROM keys JOIN spectra ON spectra.key = keys.id"
        return set(connection.execute(query))


def test_nothing_is_solved(
    store: Path, ranked: Callable[..., dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh = ranked("--no-store")
    same_bits = environment() == json.loads((KEPT / KERNEL / "environment.json").read_text(encoding="utf-8"))
    solved = count_solves(monkeypatch)
    before = spectra_in(store)
    assert len(before) > 40
    for is_of_another_openblas in (False, True):
        if is_of_another_openblas:
            set_openblas(store, "0.0")
            assert not before & spectra_in(store)
            set_openblas(store, version("scipy-openblas32"))
        found = ranked(f"--store={store}")
        assert solved == []
        assert spectra_in(store) == before, "spectra were looked for under other keys"
        assert differences(fresh, found, exactly=same_bits) == []
    ranked("--no-store", "--metrics=alpha")
    assert set(solved) == {"compute_spectrum", "low_rank_spectrum"}, "solves are not counted where they are now"


def test_every_spectrum_is_under_the_code_of_0_5_0(store: Path) -> None:
    (code,) = {json.loads(recipe)["code"] for _, _, recipe in spectra_in(store)}
    assert code == (KEPT / "spectrum_code.txt").read_text(encoding="utf-8").strip()
