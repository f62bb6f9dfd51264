"""`rank` of a folder of checkpoints that a training run left, its turning point against independent answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file
from typer.testing import CliRunner

import wqscore
from tests.oracles import Oracle
from wqscore.api.settings import Settings
from wqscore.cli import app
from wqscore.ranking.ranking import Ranking

torch = Oracle("torch")

QUICK = Settings(bootstrap=0, gof=0, jobs=1)
#: The exponents of the spectra of a run made by hand: the sixth and seventh are the lowest, and the same.
ALPHAS = (6.0, 5.0, 4.0, 3.2, 2.6, 2.2, 2.2, 2.6, 3.2, 4.0, 5.0, 6.0)
#: The trained run: clean gradients up to a step, noise in the weights after it.
STEPS, CLEAN, EACH, LAYERS, SIDE = 12, 6, 30, 28, 64


def power_law(rng: np.random.Generator, alpha: float) -> np.ndarray:
    """A matrix whose squared singular values have a density that falls as λ^(−α)."""
    eigenvalues = (1 - rng.random(64)) ** (-1 / (alpha - 1))
    left, _ = np.linalg.qr(rng.standard_normal((96, 64)))
    right, _ = np.linalg.qr(rng.standard_normal((64, 64)))
    return ((left * np.sqrt(eigenvalues)) @ right.T).astype(np.float32)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Trainer's folder whose matrices are drawn from known power laws."""
    root = tmp_path_factory.mktemp("made") / "runs"
    for place, alpha in enumerate(ALPHAS):
        rng = np.random.default_rng(place)
        folder = root / f"checkpoint-{250 * (place + 1)}"
        folder.mkdir(parents=True)
        names = [f"encoder.layer.{layer}.intermediate.dense.weight" for layer in range(20)]
        save_file({name: power_law(rng, alpha) for name in names}, folder / "model.safetensors")
        (folder / "optimizer.pt").write_bytes(b"state")
    (root / "training_args.bin").write_bytes(b"arguments")
    return root


@pytest.fixture(scope="module")
def ranking(made: Path) -> Ranking:
    return wqscore.rank(made, settings=QUICK)


def test_the_turning_point_is_where_the_power_laws_turn(ranking: Ranking) -> None:
    (trend,) = ranking.trends
    assert trend.steps == tuple(range(250, 3001, 250))
    # A fit to 64 eigenvalues has a standard error of about α/8; the median over 20 matrices a fourth of that.
    np.testing.assert_allclose(trend.values, ALPHAS, rtol=0.12)
    assert trend.course == "turns"
    assert {trend.steps[trend.first], trend.steps[trend.last]} == {1500, 1750}
    assert list(ranking.to_frame().sort_values("step")["model"]) == [
        f"{trend.run}checkpoint-{s}" for s in trend.steps
    ]


def test_half_a_run_has_no_turning_point(made: Path) -> None:
    half = [made / f"checkpoint-{step}" for step in range(250, 1501, 250)]
    (trend,) = wqscore.rank(half, settings=QUICK).trends
    assert (trend.course, trend.document()["turning_point"]) == ("levels", None)
    assert trend.text.startswith("alpha still falls at the last step, 1500")


def test_several_runs_at_once_each_have_a_trend(made: Path, tmp_path: Path) -> None:
    for run, steps in (("a", (1500, 250)), ("b", (250, 1500))):
        for number, step in enumerate(steps, 1):
            (tmp_path / run).mkdir(exist_ok=True)
            (tmp_path / run / f"step_{number}").symlink_to(made / f"checkpoint-{step}")
    ranking = wqscore.rank([tmp_path / "a", tmp_path / "b"], settings=QUICK)
    assert [trend.run for trend in ranking.trends] == [f"{tmp_path}/a/", f"{tmp_path}/b/"]
    assert [trend.steps[trend.best] for trend in ranking.trends] == [1, 2]


def test_the_command_names_the_folder_and_draws_the_run(made: Path, tmp_path: Path) -> None:
    folder = tmp_path / "runs"
    folder.mkdir()
    for step in (250, 1500):
        (folder / f"checkpoint-{step}").symlink_to(made / f"checkpoint-{step}")
    arguments = [str(folder), "--out", str(tmp_path / "report"), "--no-store", "--bootstrap", "0", "--gof", "0"]
    done = CliRunner().invoke(app, ["rank", *arguments])
    assert done.exit_code == 0, done.stderr
    assert f"{folder}/: 2 checkpoints, steps 250 to 1500" in done.stderr.splitlines()
    (trend,) = json.loads((tmp_path / "report/ranking.json").read_text())["trends"]
    assert f"{trend['text']}." in done.stdout
    assert "└──┬" in done.stdout
    page = (tmp_path / "report/index.html").read_text()
    assert 'id="steps-1"' in page
    assert trend["text"].replace("'", "&#39;") in page


def training() -> Iterator[tuple[int, dict[str, np.ndarray]]]:
    """Train a net of residual layers for twelve checkpoints; the second half of the steps also adds noise."""
    torch.manual_seed(0)
    layers = torch.nn.ModuleList(torch.nn.Linear(SIDE, SIDE) for _ in range(LAYERS))
    optimizer = torch.optim.AdamW(layers.parameters(), lr=0.02, weight_decay=0.5)
    x = torch.randn(512, SIDE) @ (torch.randn(SIDE, SIDE) * torch.linspace(1, 30, SIDE) ** -1.0)
    y = 2 * torch.sin(x @ torch.randn(SIDE, SIDE) / 4)
    for step in range(1, STEPS * EACH + 1):
        hidden = x
        for layer in layers:
            hidden = hidden + torch.relu(layer(hidden)) / LAYERS**0.5
        optimizer.zero_grad()
        ((hidden - y) ** 2).mean().backward()
        optimizer.step()
        if step > CLEAN * EACH:
            with torch.no_grad():
                for parameter in layers.parameters():
                    parameter.add_(torch.randn_like(parameter) * 0.04)
        if step % EACH == 0:
            yield step, {f"layers.{i}.fc.weight": w.weight.detach().numpy().copy() for i, w in enumerate(layers)}


@pytest.mark.oracle("torch")
def test_the_turning_point_of_a_training_run_is_where_noise_begins(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    for step, weights in training():
        (tmp_path / f"checkpoint-{step}").mkdir()
        save_file(weights, tmp_path / f"checkpoint-{step}" / "model.safetensors")
    torch.set_num_threads(threads)
    (trend,) = wqscore.rank(tmp_path, settings=QUICK).trends
    steps = [EACH * number for number in range(1, STEPS + 1)]
    alone = [
        wqscore.score(tmp_path / f"checkpoint-{step}", settings=QUICK).summary.statistics["alpha"].median
        for step in trend.steps
    ]
    record_property("alpha", alone)
    assert trend.values == tuple(alone)
    assert set(steps) == {*trend.steps, *trend.unranked}
    assert trend.course == "turns"
    assert trend.steps[trend.best] == trend.steps[int(np.argmin(alone))]
    # On another processor's rounding the lowest may be a neighbour, but not one that differs beyond doubt.
    assert trend.steps[trend.first] <= CLEAN * EACH <= trend.steps[trend.last]
