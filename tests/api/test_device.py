"""`--device`: refused before anything is fetched; and a whole run through torch, kept apart from LAPACK's results.

torch's own CPU stands in for a GPU: only the name of the device differs.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from safetensors.numpy import save_file
from typer.testing import CliRunner

import wqscore
from tests.hub_server import HubServer
from tests.oracles import Oracle
from wqscore.checkpoints.opening import open_checkpoint
from wqscore.cli import app
from wqscore.fits.sampling import USUAL
from wqscore.matrices.plan import matrices_of
from wqscore.presets.registry import DEFAULT
from wqscore.ranking.ranking import rank_alone, rank_models
from wqscore.refs.parsing import parse_ref
from wqscore.scoring.cache import ScoreCache
from wqscore.scoring.cache_keys import spectrum_key
from wqscore.scoring.layer_score import IN_SINGLE
from wqscore.scoring.model_score import ModelScore
from wqscore.scoring.score_checkpoint import Work, planned, score_checkpoint
from wqscore.stores.store import Store

torch = Oracle("torch")

TORCH = "cpu:0"


@pytest.fixture
def no_gpu() -> None:
    if torch.cuda.is_available():
        pytest.skip("a GPU is here")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    weights = {f"layers.{i}.fc1.weight": rng.standard_t(3, (96, 64)).astype("f4") for i in range(3)}
    weights["layers.3.fc1.weight"] = np.full((96, 64), np.nan, "f4")
    folder = tmp_path / "model"
    folder.mkdir()
    save_file(weights, folder / "model.safetensors")
    return folder


def refusal(*arguments: str) -> str:
    """The one line of what is refused as wrong usage."""
    result = CliRunner().invoke(app, [*arguments])
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.count("\n") == 1
    return result.stderr


@pytest.mark.oracle("torch")
@pytest.mark.usefixtures("no_gpu")
@pytest.mark.parametrize("arguments", [["score", "--base", "org/base"], ["rank", "--known", "cards"]])
def test_without_a_gpu_nothing_is_fetched(arguments: list[str], tmp_path: Path) -> None:
    command = [str(Path(sys.executable).with_name("wqscore")), *arguments, "org/name", "--device", "cuda"]
    with HubServer() as hub:
        env = hub.environment(tmp_path)
        run = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr == (
        f"wqscore: --device cuda: torch {torch.__version__} finds no GPU here: leave it out (device= in Python)\n"
    )
    assert not hub.requests


@pytest.mark.oracle("torch")
@pytest.mark.usefixtures("no_gpu")
def test_a_shard_without_a_gpu_is_refused(model: Path, tmp_path: Path) -> None:
    store = tmp_path / "part.sqlite"
    line = refusal("score", str(model), "--device", "cuda", "--shard", "1/2", "--store", str(store))
    assert "finds no GPU here" in line
    assert not store.exists()


def test_without_torch_it_says_what_to_install(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    assert "(torch): pip install 'wqscore[cuda]'" in refusal("score", str(model), "--device", "cuda", "--no-store")


@pytest.mark.parametrize("backend", ["dask", "ray"])
def test_a_cluster_is_refused(model: Path, backend: str) -> None:
    line = refusal("score", str(model), "--device", "cuda", "--backend", backend, "--no-store")
    assert f"leave --backend {backend} out" in line


@pytest.mark.oracle("torch")
def test_another_engine_and_another_device_are_refused(model: Path) -> None:
    with pytest.raises(wqscore.UsageError, match="weightwatcher solves by itself"):
        wqscore.score(str(model), engine="weightwatcher", device="cuda")
    with pytest.raises(wqscore.UsageError, match="no such device: 'tpu': choose from cpu, cuda"):
        wqscore.score(str(model), device="tpu")  # type: ignore[arg-type]


def run(model: Path, store: Store, device: str) -> ModelScore:
    memory = ScoreCache(store, DEFAULT, USUAL, device=device)
    return score_checkpoint(open_checkpoint(parse_ref(str(model))), work=Work(cache=memory, device=device))


@pytest.mark.oracle("torch")
def test_the_store_keeps_devices_apart(model: Path, tmp_path: Path) -> None:
    matrix = matrices_of(planned(open_checkpoint(parse_ref(str(model))), DEFAULT))[0]
    keys = {spectrum_key(matrix, "blake3:0", DEFAULT, device) for device in ("cpu", TORCH, "cpu:1")}
    assert len(keys) == 3
    assert sum(torch.__version__ in key.recipe for key in keys) == 2
    with Store.open(tmp_path / "store.sqlite") as store:
        kept = []
        for device in ("cpu", TORCH):
            run(model, store, device)
            kept.append(sum(1 for _ in store.all_spectra()))
        assert kept == [4, 8]


@pytest.mark.oracle("torch")
def test_a_run_on_a_device_gives_the_same_rows_but_for_the_last_bits_and_says_what_solved(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from wqscore.spectra import spectrum

    with Store.open(tmp_path / "store.sqlite") as store:
        plain = run(model, store, "cpu")
        # Nothing of the matrices is solved by LAPACK; shuffles are, and so these stay as they are.
        solved: list[str] = []
        solve = spectrum.eigenvalues_on
        monkeypatch.setattr(
            spectrum, "eigenvalues_on", lambda device, matrix: solved.append(device) or solve(device, matrix)
        )
        found = run(model, store, TORCH)
        assert solved == [TORCH] * 4
        again = run(model, store, TORCH)
        assert solved == [TORCH] * 4
    assert again.to_csv() == found.to_csv()
    for ours, other in zip(plain.layers, found.layers, strict=True):
        assert (ours.verdict, ours.flags) == (other.verdict, other.flags)
        assert list(other.metrics.values()) == pytest.approx(list(ours.metrics.values()), rel=1e-9, nan_ok=True)
    solver = {"any side": f"torch.linalg.eigvalsh of torch {torch.__version__} on {TORCH}"}
    assert json.loads(found.to_json())["eigensolver"] == solver
    assert json.loads(rank_alone(found).to_json())["eigensolver"] == solver
    assert json.loads(plain.to_json())["eigensolver"] == {
        "side < 2048": "dsyevd",
        "larger": "dsyevd_2stage, band of 48",
    }


def test_single_precision_is_for_a_gpu(model: Path) -> None:
    line = refusal("score", str(model), "--precision", "single", "--no-store")
    assert line == "wqscore: --precision single is for --device cuda: on a processor float32 gains nothing\n"
    assert refusal("rank", str(model), "--precision", "single", "--known", "cards", "--no-store") == line
    with pytest.raises(wqscore.UsageError, match="no such precision: 'half': choose from double, single"):
        wqscore.score(str(model), precision="half")  # type: ignore[arg-type]


@pytest.mark.oracle("torch")
@pytest.mark.usefixtures("no_gpu")
@pytest.mark.parametrize("command", [["score"], ["rank", "--no-report"], ["leaderboard", "build", "--out", "site"]])
def test_single_precision_without_a_gpu_says_so(command: list[str], model: Path, tmp_path: Path) -> None:
    """The same line as for --device alone, before anything is read or made."""
    if command[0] == "leaderboard":
        command = [*command[:-1], str(tmp_path / "site")]
    line = refusal(*command, str(model), "--device", "cuda", "--precision", "single", "--no-store")
    assert "--device cuda" in line
    assert "finds no GPU here" in line
    assert not (tmp_path / "site").exists()


@pytest.fixture
def half(tmp_path: Path) -> Path:
    """A model of F16 matrices, and one of F32, which float32 is not good enough for."""
    rng = np.random.default_rng(5)
    folder = tmp_path / "half"
    folder.mkdir()
    mixed = {f"layers.{i}.fc1.weight": rng.standard_normal((160, 64)) * np.linspace(1, 3, 64) for i in range(3)}
    weights = {name: each.astype("f2") for name, each in mixed.items()}
    weights["layers.3.fc1.weight"] = mixed["layers.0.fc1.weight"].astype("f4")
    save_file(weights, folder / "model.safetensors")
    return folder


@pytest.mark.oracle("torch")
def test_what_is_solved_in_float32_is_recorded_and_kept_apart(
    half: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from wqscore.scoring import score_matrix

    tried: list[float] = []
    solve = score_matrix.single_spectrum
    monkeypatch.setattr(score_matrix, "single_spectrum", lambda *given: tried.append(given[1]) or solve(*given))
    with Store.open(tmp_path / "store.sqlite") as store:

        def scored(precision: Literal["double", "single"], seed: int = 0) -> ModelScore:
            sampling = replace(USUAL, seed=seed)
            memory = ScoreCache(store, DEFAULT, sampling, device=TORCH, precision=precision)
            work = Work(cache=memory, device=TORCH, precision=precision)
            return score_checkpoint(open_checkpoint(parse_ref(str(half))), sampling=sampling, work=work)

        double, single = scored("double"), scored("single")
        assert len(tried) == 4
        assert sum(1 for _ in store.all_spectra()) == 8
        again = scored("single")
        assert len(tried) == 4, "found in the store"
        # A row computed anew says what solved its spectrum, so it is solved with it.
        other = scored("single", seed=1)
        assert len(tried) == 8
        assert sum(1 for _ in store.all_spectra()) == 8
    assert [IN_SINGLE in row.flags for row in single.layers] == [True, True, True, False]
    assert not any(IN_SINGLE in row.flags for row in double.layers)
    assert again.to_csv() == single.to_csv()
    assert [row.flags for row in other.layers] == [row.flags for row in single.layers]
    assert "float32" in single.to_csv()
    for ours, theirs in zip(single.layers, double.layers, strict=True):
        assert ours.verdict == theirs.verdict
        assert list(ours.metrics.values()) == pytest.approx(list(theirs.metrics.values()), rel=1e-3, nan_ok=True)
    assert list(single.layers[3].metrics.values()) == list(double.layers[3].metrics.values())
    solver = json.loads(single.to_json())["eigensolver"]["any side"]
    assert solver.startswith("float32")
    assert solver.endswith(json.loads(double.to_json())["eigensolver"]["any side"])
    with pytest.raises(wqscore.UsageError, match="of different --precision can't share a ranking"):
        rank_models([double, single], "alpha", DEFAULT, single.metrics)


@pytest.mark.oracle("torch")
def test_other_tails_have_spectra_of_their_own_in_single(half: Path) -> None:
    """Whether float32 will do depends on the tail that is fitted."""
    matrix = matrices_of(planned(open_checkpoint(parse_ref(str(half))), DEFAULT))[0]
    presets = [DEFAULT, replace(DEFAULT, fit_floor=1e-5)]
    assert len({spectrum_key(matrix, "blake3:0", preset, TORCH, "single") for preset in presets}) == 2
    assert len({spectrum_key(matrix, "blake3:0", preset, TORCH, "double") for preset in presets}) == 1


@pytest.mark.oracle("torch")
def test_a_real_gpu_scores_a_model(model: Path) -> None:
    if not torch.cuda.is_available():
        pytest.skip("torch finds no GPU here")
    result = CliRunner().invoke(app, ["score", str(model), "--device", "cuda", "--no-store", "--format", "json"])
    assert result.exit_code == 0, result.stderr
    assert torch.cuda.get_device_name() in json.loads(result.stdout)["eigensolver"]["any side"]
    rows = [row.metrics["alpha"] for row in wqscore.score(str(model)).layers]
    found = [row.metrics["alpha"] for row in wqscore.score(str(model), device="cuda", jobs=4).layers]
    assert found == pytest.approx(rows, rel=1e-9, nan_ok=True)
