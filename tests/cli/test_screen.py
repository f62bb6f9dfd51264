"""`wqscore screen` and gates over it: what is printed and written, and the exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from tests.studies.screen.made import factors, planted, write

Invoke = Callable[..., Result]
SPIKED = "model.layers.4.self_attn.v_proj"


@pytest.fixture
def adapters(tmp_path: Path) -> tuple[str, str]:
    return write(tmp_path / "clean", factors(0)), write(tmp_path / "odd", planted(factors(1), SPIKED))


def test_tables_and_sentences(adapters: tuple[str, str], invoke: Invoke) -> None:
    done = invoke("screen", *adapters, "--jobs", "1", "-q")
    assert (done.exit_code, done.stderr) == (0, "")
    shown = " ".join(done.stdout.split())
    assert "clean: 0 of 30 modules stand out from their siblings" in shown
    assert f"1 of 30 modules stands out from their siblings (|z| beyond 13.4); most: {SPIKED}.weight" in shown
    assert "no proof of anything wrong" in shown


def test_a_bank_of_json_and_the_files_of_out(adapters: tuple[str, str], tmp_path: Path, invoke: Invoke) -> None:
    trusted = [write(tmp_path / f"t{seed}", factors(20 + seed)) for seed in range(7)]
    (tmp_path / "bank.json").write_text(invoke("screen", *trusted, "--format", "json", "-q").stdout)
    done = invoke(
        "screen", adapters[1], "--bank", "bank.json", "--format", "json", "--out", "out", "-q", SOURCE_DATE_EPOCH="0"
    )
    assert done.exit_code == 0, done.stderr
    assert (tmp_path / "out" / "screen.json").read_text() == done.stdout
    told = json.loads(done.stdout)
    assert told["bank"] == trusted
    assert told["adapters"][0]["bank_limit"] > 10


def test_exit_codes(adapters: tuple[str, str], tmp_path: Path, invoke: Invoke) -> None:
    assert invoke("screen", adapters[0], "gone", "-q").exit_code == 3
    wrong = invoke("screen", adapters[0], "--bank", "gone.json", "-q")
    assert (wrong.exit_code, wrong.stderr.count("\n")) == (2, 1)


def test_a_gate_over_outliers(adapters: tuple[str, str], tmp_path: Path, invoke: Invoke) -> None:
    rule = ("--rule", "outlier(entropy) > 14", "--no-store", "-q")
    assert invoke("gate", adapters[0], *rule).exit_code == 0
    done = invoke("gate", adapters[1], *rule)
    assert done.exit_code == 1
    assert f"outlier(entropy) is 60.73 ({SPIKED}.weight)" in " ".join(done.stdout.split())
    missing = invoke("gate", adapters[1], "--rule", "bank_outlier(any)>30", "-q")
    assert missing.exit_code == 2
    assert "bank_outlier(any) needs adapters to compare with: name their screening with --bank" in missing.stderr
    trusted = [write(tmp_path / f"t{seed}", factors(20 + seed)) for seed in range(7)]
    (tmp_path / "bank.json").write_text(invoke("screen", *trusted, "--format", "json", "-q").stdout)
    (tmp_path / "policy.toml").write_text(
        'rules = ["bank_outlier(any) > 45", "outlier(any) > 20"]\nbank = "bank.json"\n'
    )
    assert invoke("gate", adapters[0], "--policy", "policy.toml", "--no-store", "-q").exit_code == 0
    assert invoke("gate", adapters[1], "--policy", "policy.toml", "--no-store", "-q").exit_code == 1


def test_what_has_no_modules_never_passes_a_gate(tmp_path: Path, invoke: Invoke) -> None:
    few = write(tmp_path / "few", factors(0, layers=2))
    done = invoke("gate", few, "--rule", "outlier(any) > 14", "--no-store", "-q")
    assert done.exit_code != 0
    assert "too few modules of one role and shape" in " ".join(done.stdout.split())
    wrong = invoke("gate", few, "--rule", "outlier(kurt) > 1", "-q")
    assert wrong.exit_code == 2
    assert "no statistic of modules called 'kurt': did you mean kurtosis?" in wrong.stderr
