"""The `Settings` record: Python's keywords, the command line's options and the refusals all come from it."""

from __future__ import annotations

import inspect
import re
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from safetensors.numpy import save_file
from typer.testing import CliRunner

import wqscore
from wqscore.api.settings import Device, Precision, Settings, SettingsKeywords, changed
from wqscore.cli import app
from wqscore.cli.records import _TYPED
from wqscore.errors import UsageError
from wqscore.spectra import in_single, on_device

NAMES = [each.name for each in fields(Settings)]


def test_the_keywords_are_the_fields() -> None:
    assert list(SettingsKeywords.__annotations__) == NAMES
    assert {name: str(kind) for name, kind in SettingsKeywords.__annotations__.items()} == {
        each.name: f"ForwardRef({each.type!r}, module='wqscore.api.settings')" for each in fields(Settings)
    }


def test_the_devices_are_those_that_solve() -> None:
    assert get_args(Device) == get_args(on_device.Device)
    assert get_args(Precision) == get_args(in_single.Precision)


@pytest.mark.parametrize("function", [wqscore.score, wqscore.rank])
def test_help_and_signature_list_every_keyword_with_its_default(function: Any) -> None:
    parameters = inspect.signature(function).parameters
    assert {name: parameters[name].default for name in NAMES} == {
        each.name: each.default for each in fields(Settings)
    }
    assert all(parameters[name].kind is inspect.Parameter.KEYWORD_ONLY for name in NAMES)
    assert not any(each.kind is inspect.Parameter.VAR_KEYWORD for each in parameters.values())


@pytest.mark.parametrize("command", ["score", "rank"])
def test_the_command_line_offers_every_setting(command: str) -> None:
    text = " ".join(CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "300"}).stdout.split())
    for each in fields(Settings):
        assert f"--{each.name} " in text
        assert each.metadata["help"] in text
        if each.default not in (None, False):
            assert re.search(rf"{re.escape(each.metadata['help'])} \[default: {each.default}[;\]]", text)


def test_settings_without_a_typed_default_say_what_is_typed() -> None:
    untyped = {each.name for each in fields(Settings) if each.default is None}
    assert untyped <= set(_TYPED) <= set(NAMES)


def test_an_unknown_keyword_names_the_nearest() -> None:
    with pytest.raises(TypeError, match=r"unexpected keyword 'bootstraps': did you mean 'bootstrap'\?"):
        wqscore.score("./nowhere", bootstraps=3)  # type: ignore[call-arg]


def test_keywords_go_over_the_settings() -> None:
    settings = changed(Settings(seed=3, jobs=2), {"jobs": 1})
    assert (settings.seed, settings.jobs, settings.gof) == (3, 1, 100)
    assert changed(None, {}) == Settings()


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"seed": -1}, "seed is -1: give a number from 0 on"),
        ({"bootstrap": 10_001}, "bootstrap is 10001: give a number from 0 to 10,000"),
        ({"jobs": 0}, "jobs is 0: give a number from 1 to 256"),
        ({"engine": "powerlaw"}, "no such engine: 'powerlaw': choose from wqscore, weightwatcher"),
        ({"backend": "slurm"}, "no such backend: 'slurm': choose from threads, dask, ray"),
        ({"device": "tpu"}, "no such device: 'tpu': choose from cpu, cuda"),
    ],
)
def test_what_is_out_of_range_is_wrong_usage(given: dict[str, Any], complaint: str) -> None:
    with pytest.raises(UsageError, match=f"^{re.escape(complaint)}$"):
        Settings(**given)


def test_a_record_and_keywords_give_the_same_score(tmp_path: Path) -> None:
    weights = np.random.default_rng(0).standard_t(3, (80, 60)).astype(np.float32)
    save_file({"layers.0.fc1.weight": weights}, tmp_path / "model.safetensors")
    settings = Settings(seed=7, bootstrap=5, gof=3, metrics=["alpha", "stable_rank"])
    one = wqscore.score(str(tmp_path), settings=settings)
    assert (
        one.to_csv() == wqscore.score(str(tmp_path), seed=7, bootstrap=5, gof=3, metrics="alpha,stable_rank").to_csv()
    )
    assert one.sampling.seed == 7
    assert one.metrics == ("alpha", "stable_rank")
