"""The store in use: the same rows as without it, nothing read or solved twice, and stores that fail during a run."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from typer.testing import CliRunner

import wqscore
from tests.hub_server import HubServer
from tests.warm_processes import run_python
from wqscore.checkpoints.tensor import TensorRef
from wqscore.cli import app
from wqscore.scoring import cache_keys as store_keys
from wqscore.scoring import score_matrix as layers
from wqscore.spectra import eigenvalues, spectrum
from wqscore.stores.store import Store

METRICS = "core,e_tpl_lambda,alpha_farms,rand_distance"


def settle(folder: Path) -> None:
    """Make files as old as those that people score: a fresh one may be changed again under the same time."""
    old = time.time() - 60
    for file in folder.iterdir():
        os.utime(file, (old, old))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    tensors = {
        f"layers.{i}.fc1.weight": (rng.standard_t(3, (96, 64)) @ rng.standard_normal((64, 64)) * 0.01).astype("f4")
        for i in range(4)
    }
    tensors["layers.4.fc1.weight"] = np.zeros((96, 64), "f4")
    tensors["layers.5.fc1.weight"] = tensors["layers.0.fc1.weight"].copy()
    tensors["layers.6.fc1.weight"] = rng.standard_normal((96, 64)).astype("f4")
    tensors["layers.7.fc1.weight"] = np.full((96, 64), np.nan, "f4")
    folder = tmp_path / "model"
    folder.mkdir()
    save_file(tensors, folder / "model.safetensors")
    settle(folder)
    return folder


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "store.sqlite"


@pytest.fixture
def solved(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of the Gram matrices that were solved."""
    sizes: list[int] = []
    solve = eigenvalues.gram_eigenvalues

    def counting(product: np.ndarray) -> np.ndarray:
        sizes.append(len(product))
        return solve(product)

    monkeypatch.setattr(spectrum, "gram_eigenvalues", counting)
    return sizes


@pytest.fixture
def no_reading(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    def refuse(self: TensorRef) -> np.ndarray:
        raise AssertionError(f"{self.name} is read")

    return lambda: monkeypatch.setattr(TensorRef, "read", refuse)


def test_a_warm_run_gives_the_same_rows_and_reads_nothing(
    model: Path, store: Path, no_reading: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    plain = wqscore.score(str(model), metrics=METRICS)
    cold = wqscore.score(str(model), metrics=METRICS, store=store)
    no_reading()
    warm = wqscore.score(str(model), metrics=METRICS, store=store)
    assert plain.to_csv() == cold.to_csv() == warm.to_csv()
    assert warm.to_html() == plain.to_html()


def test_fewer_metrics_are_a_part_of_what_is_known_and_the_others_stay(
    model: Path, store: Path, no_reading: Callable[[], None]
) -> None:
    fewer, all_of_them = (wqscore.score(str(model), metrics=metrics).to_csv() for metrics in ("alpha", METRICS))
    wqscore.score(str(model), metrics=METRICS, store=store)
    no_reading()
    assert wqscore.score(str(model), metrics="alpha", store=store).to_csv() == fewer
    assert wqscore.score(str(model), metrics=METRICS, store=store).to_csv() == all_of_them


def test_a_new_metric_of_the_eigenvalues_needs_no_weights(
    model: Path, store: Path, no_reading: Callable[[], None]
) -> None:
    expected = wqscore.score(str(model), metrics="alpha,e_tpl_lambda")
    wqscore.score(str(model), metrics="alpha", store=store)
    no_reading()
    assert wqscore.score(str(model), metrics="alpha,e_tpl_lambda", store=store).to_csv() == expected.to_csv()


def test_a_new_metric_of_the_weights_reads_them(model: Path, store: Path) -> None:
    expected = wqscore.score(str(model), metrics="alpha,alpha_farms,rand_distance").to_csv()
    wqscore.score(str(model), metrics="alpha", store=store)
    for _ in range(2):
        found = wqscore.score(str(model), metrics="alpha,alpha_farms,rand_distance", store=store)
        assert found.to_csv() == expected


def test_of_a_changed_model_only_what_changed_is_solved(model: Path, store: Path, solved: list[int]) -> None:
    wqscore.score(str(model), store=store)
    cold = len(solved)
    tensors = load_file(model / "model.safetensors")
    tensors["layers.2.fc1.weight"] = tensors["layers.2.fc1.weight"] * np.float32(1.5)
    save_file(tensors, model / "model.safetensors")
    settle(model)
    os.utime(model / "model.safetensors", (time.time() - 30,) * 2)
    changed = wqscore.score(str(model), store=store)
    assert len(solved) == cold + 1
    assert changed.to_csv() == wqscore.score(str(model)).to_csv()


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What spectra were computed of matrices themselves, not of their shuffles."""
    calls: list[str] = []
    for name in ("compute_spectrum", "low_rank_spectrum"):
        compute = getattr(layers, name)

        def counting(*arguments: Any, name: str = name, compute: Any = compute) -> Any:
            calls.append(name)
            return compute(*arguments)

        monkeypatch.setattr(layers, name, counting)
    return calls


def test_rows_of_other_code_are_computed_again_from_the_spectra_of_before(
    model: Path, store: Path, computed: list[str], no_reading: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = wqscore.score(str(model), metrics=METRICS).to_csv()
    wqscore.score(str(model), metrics=METRICS, store=store)
    assert computed
    # What another version of the sources would give.
    monkeypatch.setattr(store_keys, "ROW_SOURCES", store_keys.ROW_SOURCES[1:])
    computed.clear()
    assert wqscore.score(str(model), metrics=METRICS, store=store).to_csv() == plain
    assert computed == []
    no_reading()
    assert wqscore.score(str(model), metrics=METRICS, store=store).to_csv() == plain


def test_spectra_of_other_code_are_computed_again(
    model: Path, store: Path, computed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    wqscore.score(str(model), store=store)
    computed.clear()
    monkeypatch.setattr(store_keys, "SPECTRUM_SOURCES", store_keys.SPECTRUM_SOURCES[1:])
    wqscore.score(str(model), store=store)
    assert len(computed) in (7, 8), "the eighth is a copy, known as soon as the first is kept"


def test_the_sources_that_are_digested_are_there() -> None:
    package = Path(wqscore.__file__).parent
    for sources in (store_keys.ROW_SOURCES, store_keys.SPECTRUM_SOURCES):
        assert all((package / source).exists() for source in sources)


@pytest.mark.parametrize(
    "other", [{"seed": 1}, {"bootstrap": 50}, {"gof": 20}, {"preset": "alphapruning"}, {"preset": "tempbalance"}]
)
def test_other_constants_are_rows_of_their_own_from_the_same_spectra(
    model: Path, store: Path, computed: list[str], other: dict[str, Any]
) -> None:
    expected = wqscore.score(str(model), **other).to_csv()
    usual = wqscore.score(str(model), store=store).to_csv()
    computed.clear()
    for _ in range(2):
        assert wqscore.score(str(model), store=store, **other).to_csv() == expected
    assert wqscore.score(str(model), store=store).to_csv() == usual
    assert computed == []


@pytest.mark.parametrize("preset", ["ww-0.7", "ww-0.2.7"])
def test_a_preset_with_other_eigenvalues_solves_its_own(
    model: Path, store: Path, computed: list[str], preset: str
) -> None:
    wqscore.score(str(model), store=store)
    expected = wqscore.score(str(model), preset=preset).to_csv()
    computed.clear()
    assert wqscore.score(str(model), preset=preset, store=store).to_csv() == expected
    assert computed


def test_an_adapter_is_judged_again_without_a_solve(
    model: Path, store: Path, computed: list[str], tmp_path: Path
) -> None:
    low = str(adapter(tmp_path / "low", 16))
    expected = wqscore.score(low, seed=1).to_csv()
    wqscore.score(low, store=store)
    computed.clear()
    assert wqscore.score(low, seed=1, store=store).to_csv() == expected
    assert computed == []


def test_a_copy_elsewhere_is_known_by_its_content(
    model: Path, store: Path, solved: list[int], tmp_path: Path
) -> None:
    wqscore.score(str(model), store=store)
    before = len(solved)
    copy = tmp_path / "copy"
    copy.mkdir()
    (copy / "other.safetensors").write_bytes((model / "model.safetensors").read_bytes())
    wqscore.score(str(copy), store=store)
    assert len(solved) == before


def test_a_file_changed_under_its_name_is_read_again(model: Path, store: Path) -> None:
    wqscore.score(str(model), store=store)
    tensors = {name: value * np.float32(2) for name, value in load_file(model / "model.safetensors").items()}
    save_file(tensors, model / "model.safetensors")
    assert wqscore.score(str(model), store=store).to_csv() == wqscore.score(str(model)).to_csv()


def test_a_killed_run_goes_on_where_it_was(model: Path, store: Path) -> None:
    code = (
        "import os, sys, wqscore\n"
        "from wqscore.scoring import cache as remembering\n"
        "remembering._FLUSH_SECONDS = 0\n"
        "put, done = remembering.ScoreCache.put, []\n"
        "def remember(self, *args):\n"
        "    put(self, *args); done.append(1)\n"
        "    if len(done) == 3: os.kill(os.getpid(), 9)\n"
        "remembering.ScoreCache.put = remember\n"
        "wqscore.score(sys.argv[1], store=sys.argv[2], jobs=1)"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(model), str(store)], check=False, capture_output=True)
    assert killed.returncode == -9, killed.stderr
    with Store.open(store) as opened:
        assert len(list(opened.all_spectra())) == 3
    assert wqscore.score(str(model), store=store).to_csv() == wqscore.score(str(model)).to_csv()


def test_a_store_that_fails_does_not_end_the_run(
    model: Path, store: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    expected = wqscore.score(str(model)).to_csv()
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    with Store.open(store):
        pass
    resource.setrlimit(resource.RLIMIT_FSIZE, (store.stat().st_size, limit[1]))
    try:
        assert wqscore.score(str(model), store=store).to_csv() == expected
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, handler)


def test_the_command_keeps_and_looks_up(model: Path, store: Path) -> None:
    arguments = ["score", str(model), "--format", "csv", "-q"]
    plain = CliRunner().invoke(app, [*arguments, "--no-store"])
    assert (plain.exit_code, store.exists()) == (0, False)
    for _ in range(2):
        done = CliRunner().invoke(app, [*arguments, "--store", str(store)])
        assert (done.exit_code, done.stdout) == (0, plain.stdout)
    ranked = CliRunner().invoke(
        app, ["rank", str(model), "--no-report", "--store", str(store), "--format", "csv", "-q"]
    )
    assert ranked.exit_code == 0, ranked.output
    assert CliRunner().invoke(app, [*arguments, "--no-store", "--store", str(store)]).exit_code == 2
    store.write_bytes(b"not a store, but somebody's file")
    refused = CliRunner().invoke(app, [*arguments, "--store", str(store)])
    assert refused.exit_code == 3
    assert store.read_bytes() == b"not a store, but somebody's file"


def test_a_default_store_that_cannot_be_opened_costs_a_line(model: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    environment = {"WQSCORE_STORE": str(tmp_path / "file" / "store.sqlite")}
    done = CliRunner().invoke(app, ["score", str(model), "--format", "csv", "-q"], env=environment)
    assert done.exit_code == 0
    assert "nothing is kept for the next run" in done.stderr
    assert done.stdout == CliRunner().invoke(app, ["score", str(model), "--format", "csv", "-q", "--no-store"]).stdout


def adapter(folder: Path, alpha: int) -> Path:
    """An adapter of rank 64 for one of the model's matrices."""
    rng = np.random.default_rng(5)
    folder.mkdir(exist_ok=True)
    prefix = "base_model.model.layers.0.fc1.lora"
    factors = {f"{prefix}_A.weight": (64, 64), f"{prefix}_B.weight": (96, 64)}
    if not (folder / "adapter_model.safetensors").exists():
        tensors = {name: rng.standard_t(3, shape).astype("f4") for name, shape in factors.items()}
        save_file(tensors, folder / "adapter_model.safetensors")
    (folder / "adapter_config.json").write_text(f'{{"peft_type": "LORA", "r": 64, "lora_alpha": {alpha}}}')
    settle(folder)
    return folder


def test_a_base_its_adapter_and_both_are_never_taken_for_each_other(model: Path, store: Path, tmp_path: Path) -> None:
    low, high = adapter(tmp_path / "low", 16), adapter(tmp_path / "high", 64)
    refs = [str(model), str(low), str(high), f"{model}+{low}", f"{model}+{high}"]
    expected = [wqscore.score(ref).to_csv() for ref in refs]
    for order in (refs, refs[::-1]):
        for ref in order:
            assert wqscore.score(ref, store=store).to_csv() == expected[refs.index(ref)], ref
    # The same file with another setting beside it.
    adapter(low, 64)
    assert wqscore.score(str(low), store=store).to_csv() == expected[2].replace(str(high), str(low))


def test_a_streamed_model_is_not_taken_for_a_file_of_that_name_here(model: Path, store: Path, tmp_path: Path) -> None:
    other = tmp_path / "here"
    other.mkdir()
    tensors = {name: value * np.float32(3) for name, value in load_file(model / "model.safetensors").items()}
    save_file(tensors, other / "model.safetensors")
    settle(other)
    code = "import sys, wqscore; print(wqscore.score(sys.argv[1], store=sys.argv[2], stream=True).to_csv(), end='')"
    with HubServer() as hub:
        hub.add("org/name", {"config.json": b"{}", "model.safetensors": (model / "model.safetensors").read_bytes()})
        for _ in range(2):
            done = run_python(code, ["org/name", str(store)], hub.environment(tmp_path), other)
            assert done.stdout == wqscore.score(str(model)).to_csv().replace(str(model), "org/name")
    assert wqscore.score(str(other), store=store).to_csv() == wqscore.score(str(other)).to_csv()
