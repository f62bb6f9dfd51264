"""The keys of spectra: those of version 0.5.0 while the code is the same, new ones once it changes."""

from __future__ import annotations

import json
import shutil
from functools import partial
from importlib.metadata import version
from pathlib import Path

import pytest

import wqscore
from wqscore.checkpoints.dtypes import STORED_DTYPES
from wqscore.checkpoints.tensor import TensorRef
from wqscore.fits.sampling import USUAL
from wqscore.matrices.weight_matrix import Cut, WeightMatrix
from wqscore.presets.registry import DEFAULT, find_preset
from wqscore.scoring import cache_keys, code_digest
from wqscore.scoring.cache import ScoreCache
from wqscore.scoring.cache_keys import SPECTRUM_SOURCES, spectrum_key
from wqscore.scoring.code_digest import digest_code
from wqscore.stores.records import SpectrumKey
from wqscore.stores.store import Store

CODE_OF_0_5_0 = "5e036f9935c965b7c4d9e293814ebff7da2ab03c5db3962831051b615d491624"


def key() -> SpectrumKey:
    tensor = TensorRef("w", (8, 4), STORED_DTYPES["F32"], Path("f"), 0)
    return spectrum_key(WeightMatrix("w", tensor, Cut((8, 4)), "other", 8, 4), "blake3:0", find_preset("default"))


def test_a_spectrum_is_under_the_key_that_0_5_0_gave_it() -> None:
    """Written down from version 0.5.0; the solver's version is that of the package installed here."""
    part = '{"cut":"Cut(shape=(8, 4), index=(), axes=None)","dtype":["F32",5.960464477539063e-08],"shape":[1,8,4]}'
    solver = f"dsyevd of OpenBLAS {version('scipy-openblas32')}"
    recipe = f'{{"code":"{CODE_OF_0_5_0}","exact":false,"gram":512,"scale":1.0,"solver":"{solver}"}}'
    assert key() == SpectrumKey("blake3:0", part, recipe)


def test_code_that_changes_finds_no_spectrum_of_0_5_0(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = Path(wqscore.__file__).parent
    for source in SPECTRUM_SOURCES:
        (tmp_path / source).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(package / source, tmp_path / source)
    monkeypatch.setattr(cache_keys, "digest_code", partial(digest_code.__wrapped__, package=tmp_path))
    assert json.loads(key().recipe)["code"] == CODE_OF_0_5_0, "a copy of the same code has the same key"
    file = tmp_path / "spectra" / "spectrum.py"
    text = file.read_text(encoding="utf-8")
    file.write_text("# Reworded.\n" + text, encoding="utf-8")
    assert json.loads(key().recipe)["code"] == CODE_OF_0_5_0
    changed = text.replace("_GRAM_RESOLUTION = 1e-10", "_GRAM_RESOLUTION = 1e-11")
    assert changed != text
    file.write_text(changed, encoding="utf-8")
    assert json.loads(key().recipe)["code"] == digest_code.__wrapped__(SPECTRUM_SOURCES, tmp_path) != CODE_OF_0_5_0


def test_no_source_is_parsed_once_threads_may_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python 3.11 raises a SystemError where two threads parse, and numba parses in whichever compiles."""
    digest_code.cache_clear()
    with Store.open(tmp_path / "store.sqlite") as store:
        ScoreCache(store, DEFAULT, USUAL)
    monkeypatch.setattr(code_digest.ast, "parse", None)
    assert key().recipe
