"""The zoo of trained networks: its plan, its damages, its table that survives being killed, and one tiny training."""

import doctest
import fcntl
import json
import os
import signal
import subprocess
import sys
from collections import Counter, defaultdict
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest

from benchmarks.zoo.damage import DAMAGES, damaged, noised, pruned, rounded
from benchmarks.zoo.families import Family, families, mlp, transformer
from benchmarks.zoo.plan import CHECKPOINTS, FINE_TUNES, Recipe, Run, plan
from benchmarks.zoo.score import metric_columns
from benchmarks.zoo.table import COLUMNS, Table, csv_text, read_csv
from benchmarks.zoo.tasks import load_task
from tests.oracles import Oracle

torch = Oracle("torch")
networks, rescore, sample, train, work = (
    Oracle(f"benchmarks.zoo.{name}") for name in ("networks", "rescore", "sample", "train", "work")
)
pytestmark = pytest.mark.oracle("torch", "sklearn")

#: CRC-32 of all planned runs: the committed table was trained from this plan.
PINNED = 2989465012
ROOT = Path(__file__).parents[2]
NO_WHEELS = Path("no-wheels")
TINY = Family("mlp", 2, "digits", "adamw", (64, 64, 64), 4, (1e-3, 1e-3, 1e-3), (8, 8, 8))
RECIPE = Recipe("r00", 1e-3, 8, 0.1, 0.1, 0.1, 0.3)
RUN = Run(TINY, 64, RECIPE, 0, checkpoints=(50, 100), damages=("int4", "reinit-last"), fine_tunes=FINE_TUNES)

#: Trains, and after that many rows writes half of one and kills its parent, which takes the worker with it.
KILLED = """
import os, signal, sys
from pathlib import Path
from benchmarks.zoo import workers
from benchmarks.zoo.table import Table
from tests_zoo import RUNS
append, left = Table.append, [int(sys.argv[2])]
def append_until(self, row):
    if not left[0]:
        with self.path.open("ab") as out:
            out.write(b'{"model": "torn')
        os.kill(os.getppid(), signal.SIGKILL)
        signal.pause()
    left[0] -= 1
    append(self, row)
Table.append = append_until
sys.exit(workers.train_all(RUNS, Path(sys.argv[1]), Path("no-wheels"), 1))
"""


def digest(runs: list[Run]) -> int:
    return crc32("\n".join(map(repr, runs)).encode())


def test_the_plan_is_the_same_always():
    assert plan() == plan()
    assert digest(plan()) == PINNED


def test_no_two_runs_and_no_two_rows_share_a_name():
    runs = plan()
    models = [model for run in runs for model in run.models()]
    assert len(runs) >= 600
    assert len({run.name for run in runs}) == len(runs)
    assert len({*models}) == len(models)
    assert {*sample.SAMPLED} <= {run.name for run in runs}


def test_every_part_of_the_plan_is_balanced_over_families():
    count = len(list(families()))
    for turn in range(0, len(plan()), count):
        assert len({run.family.name for run in plan()[turn : turn + count]}) == count


def test_runs_of_a_family_take_equal_steps_and_cover_every_level():
    by_family = defaultdict(list)
    for run in plan():
        by_family[run.family].append(run)
    for family, runs in by_family.items():
        assert len({run.family.steps for run in runs}) == 1
        assert {run.recipe.lr for run in runs} == {*family.learning_rates}
        assert {run.recipe.batch for run in runs} == {*family.batch_sizes}
        assert {run.recipe.weight_decay for run in runs} == {*family.weight_decays}
        assert {run.recipe.label_noise for run in runs} == {0, 0.1, 0.3}
        assert {run.recipe.share for run in runs} == {0.1, 0.3, 1}
        assert {run.width for run in runs} == {*family.widths}
        assert {damage for run in runs for damage in run.damages} == {*DAMAGES}
        assert {percent for run in runs for percent in run.checkpoints} == {*CHECKPOINTS}


@pytest.mark.parametrize("bits", [8, 4, 3, 2])
def test_rounding_leaves_as_many_levels_and_is_off_by_half_a_step_at_most(bits):
    weights = np.random.default_rng(0).standard_normal((5, 3, 7, 7)).astype(np.float32)
    found = rounded(weights, bits)
    steps = np.abs(weights).max(axis=(1, 2, 3)) / (2 ** (bits - 1) - 1)
    assert found.dtype == weights.dtype
    for row, changed, step in zip(weights, found, steps, strict=True):
        assert np.unique(changed).size <= 2**bits - 1
        np.testing.assert_allclose(changed / step, np.rint(changed / step), atol=1e-5)
        assert np.abs(changed - row).max() <= step / 2 * (1 + 1e-5)
    assert not rounded(np.zeros((2, 2)), bits).any()


def test_pruning_takes_the_smallest_weights_and_no_other():
    weights = np.random.default_rng(0).permutation(np.arange(1.0, 101)).reshape(4, 25) * np.array(
        [[1], [-1], [1], [-1]]
    )
    for percent in (30, 50, 70, 90):
        found = pruned(weights, percent)
        assert np.array_equal(found, np.where(np.abs(weights) > percent, weights, 0))


def test_noise_is_a_share_of_the_root_mean_square():
    weights = np.full((400, 400), -3.0)
    added = noised(weights, 10, np.random.default_rng(0)) - weights
    assert added.std() == pytest.approx(0.3, rel=0.01)
    assert added.mean() == pytest.approx(0, abs=0.005)


def test_damage_stays_inside_the_layers():
    rng = np.random.default_rng(0)
    shapes = {
        **{"embedding.weight": (9, 4), "layers.0.fc.weight": (4, 4), "layers.0.fc.bias": (4,)},
        **{"layers.10.fc.weight": (4, 4), "layers.10.fc.bias": (4,), "head.weight": (3, 4)},
    }
    weights = {name: rng.standard_normal(shape) for name, shape in shapes.items()}
    fresh = {name: rng.standard_normal(shape) for name, shape in shapes.items()}

    def changed(damage):
        found = damaged(weights, damage, fresh, 0)
        return {name for name in weights if not np.array_equal(found[name], weights[name])}

    matrices = {"layers.0.fc.weight", "layers.10.fc.weight"}
    assert all(changed(damage) == matrices for damage in DAMAGES if not damage.startswith("reinit"))
    assert changed("reinit-first") == {"layers.0.fc.weight", "layers.0.fc.bias"}
    assert changed("reinit-last") == {"layers.10.fc.weight", "layers.10.fc.bias"}
    again = damaged(weights, "noise30", fresh, 0)
    assert np.array_equal(again["layers.0.fc.weight"], damaged(weights, "noise30", fresh, 0)["layers.0.fc.weight"])


def test_a_part_of_the_examples_and_a_part_of_the_labels():
    task = load_task("digits", "mlp", NO_WHEELS)
    examples = train.training_examples(task, 0.5, 0.3, 7)
    truth = {row.tobytes(): label for row, label in zip(task.inputs, task.labels, strict=True)}
    wrong = np.mean([truth[x.numpy().tobytes()] != int(y) for x, y in zip(*vars(examples).values(), strict=True)])
    assert len(examples.labels) == 600
    assert wrong == pytest.approx(0.27, abs=0.05)  # a random class is the right one in a tenth
    held_out = {row.tobytes() for row in task.held_out_inputs}
    assert not held_out & {*truth}


@pytest.mark.parametrize(
    "family", [mlp(6, "digits"), mlp(2, "text"), transformer(2, "digits"), transformer(6, "text")]
)
def test_every_matrix_that_counts_has_fifty_eigenvalues(family):
    task = load_task(family.task, family.architecture, NO_WHEELS)
    for width in family.widths:
        weights = networks.weights_of(networks.build(family, width, 0.0, task, 0))
        matrices = [array for name, array in weights.items() if name.startswith("layers.") and array.ndim > 1]
        assert len(matrices) == family.depth * (1 if family.architecture == "mlp" else 6)
        assert min(min(array.shape) for array in matrices) >= 50


def test_a_tiny_run_gives_the_rows_of_its_plan_and_the_same_ones_again(tmp_path):
    torch.set_num_threads(1)
    rows = list(work.rows_of(RUN, work.Folders(NO_WHEELS, tmp_path)))
    assert [row["model"] for row in rows] == RUN.models()
    assert all({*row} == {*COLUMNS, *metric_columns()} for row in rows)
    assert Counter(row["kind"] for row in rows) == {"run": 1, "recipe": 1, "damage": 2, "fine-tune": 5}
    assert {row["status"] for row in rows} == {"not trained"}
    whole = rows[1]
    assert (whole["model"], whole["step"], whole["matrices"]) == (RUN.name, 4, 2)
    assert np.isfinite(whole["alpha_median"])
    # The parent on the shifted task has the parent's weights, so its metrics.
    shifted = next(row for row in rows if row["weights"] == RUN.name)
    assert shifted["alpha_median"] == whole["alpha_median"]
    assert shifted["quality_name"] == "digits-shifted accuracy"
    kept = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.safetensors")}
    ends = ("@50", "", "~gentle", "~rough")
    assert kept == {f"{RUN.name}{end}.safetensors" for end in ends}

    last = RUN.models()[-1]
    again = list(work.rows_of(RUN, work.Folders(NO_WHEELS), lambda model: model != last))
    assert json.dumps(again) == json.dumps(rows[-1:])

    scores = dict.fromkeys(metric_columns(), 0.0)
    forgotten = [{**row, **scores} for row in rows]
    assert json.dumps(list(rescore.rescored(RUN, forgotten, tmp_path, NO_WHEELS))) == json.dumps(rows)

    text = tmp_path / "zoo.csv"
    text.write_text(csv_text(rows, metric_columns()))
    known = read_csv(text)
    assert sample.is_same(whole, known[RUN.name])
    assert not list(sample.out_of_tolerance(whole, known[RUN.name]))
    assert list(sample.out_of_tolerance({**whole, "alpha_median": 99.0}, known[RUN.name]))


def test_a_table_loses_no_row_and_keeps_none_that_is_torn(tmp_path):
    table = Table(tmp_path / "rows.jsonl")
    table.repair()
    assert table.models() == set()
    table.append({"model": "a", "alpha": float("nan")})
    with table.path.open("ab") as out:
        out.write(b'{"model": "b"')
    assert table.models() == {"a"}
    table.repair()
    table.append({"model": "b"})
    assert [row["model"] for row in table.rows()] == ["a", "b"]
    with pytest.raises(ValueError, match="two rows"):
        csv_text([{"family": "f", "model": "a"}] * 2, [])


def test_killed_and_resumed_no_row_is_lost_or_there_twice(tmp_path):
    runs = [replace(RUN, fine_tunes=(), seed=seed) for seed in (0, 1)]
    imports = "from benchmarks.zoo.families import Family\nfrom benchmarks.zoo.plan import Recipe, Run\n"
    (tmp_path / "tests_zoo.py").write_text(f"{imports}RUNS = {runs!r}\n")
    out = tmp_path / "out"
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}"}

    def train(rows: int) -> int:
        command = [sys.executable, "-c", KILLED, str(out), str(rows)]
        return subprocess.run(command, check=False, env=environment, timeout=120).returncode

    assert train(3) == -signal.SIGKILL
    with (out / "lock").open() as lock:
        # The worker dies with its parent, and the lock with both.
        fcntl.flock(lock, fcntl.LOCK_EX)
    first = list(Table(out / "rows.jsonl").rows())
    assert len(first) == 3
    assert not (out / "rows.jsonl").read_bytes().endswith(b"\n")
    assert train(99) == 0
    rows = list(Table(out / "rows.jsonl").rows())
    assert json.dumps(rows[:3]) == json.dumps(first)
    assert [row["model"] for row in rows] == [model for run in runs for model in run.models()]


@pytest.mark.parametrize("module", ["families", "plan", "damage", "table", "train"])
def test_examples_in_docstrings(module):
    assert doctest.testmod(import_module(f"benchmarks.zoo.{module}")).failed == 0
