"""`track(condensation=True)`: networks made wider at known steps, trainings that condense, and what can't be told."""

from __future__ import annotations

import csv
import io
import json
import sys
import time
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import wqscore
from tests.examples import examples
from tests.oracles import Oracle
from tests.reports.html.parsed import Page
from tests.saved_models import saved
from tests.small_models import HOSTILE
from tests.studies.diff.made import adapter
from tests.studies.width.embedded import drawn, widened
from wqscore.checkpoints.tensor import TensorRef
from wqscore.errors import UsageError
from wqscore.results import render
from wqscore.studies.track.condensation import Condensation
from wqscore.studies.track.track import RunTrack, track
from wqscore.studies.watching.track import Track
from wqscore.studies.width.width import BlockWidth, Width

QUICK: dict[str, Any] = {"metrics": "log_norm", "bootstrap": 0, "gof": 0, "jobs": 1}
STORED = 24
#: The neurons of the narrow network that each step's network of 24 computes.
COURSE = {1: 3, 2: 3, 10: 6, 100: 24, 900: 24}
LOSS = {1: 4.0, 2: 3.99, 10: 2.0, 100: 0.01, 900: 0.0}

torch = Oracle("torch")


def layer(place: str, narrow: int, seed: int = 0) -> dict[str, np.ndarray]:
    """A pair of layers of 24 neurons that computes what a narrow one does: copies with shares of outgoing weights."""
    rng = np.random.default_rng(seed)
    block = widened(rng, drawn(rng, narrow, 40, 40), STORED // narrow, signs=True)
    values = {"fc1.weight": block.into, "fc1.bias": block.bias, "fc2.weight": block.out, "fc2.bias": block.out_bias}
    return {f"{place}.{name}": value.astype("f4") for name, value in values.items() if value is not None}


def run(folder: Path, course: Mapping[int, int] = COURSE) -> str:
    """A run of two pairs of layers: one of the course, and one that needs all of its neurons at every step."""
    for step, narrow in course.items():
        saved(folder / f"step_{step}", layer("layers.0", narrow, step) | layer("layers.1", STORED, step + 1))
    return str(folder)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return run(tmp_path_factory.mktemp("run") / "a")


@pytest.fixture(scope="module")
def found(folder: str) -> RunTrack:
    loss = pd.DataFrame({"step": list(LOSS), "loss": list(LOSS.values())})
    return track(folder, known=loss, better="lower", condensation=True, activation="tanh", **QUICK)


def test_the_narrow_networks_widths_are_found_at_every_step(found: RunTrack) -> None:
    told = json.loads(found.to_json())
    for step in told["steps"]:
        narrow = COURSE[step["step"]]
        assert (step["stored_width"], step["effective_width"]) == (2 * STORED, narrow + STORED)
        assert step["pairs"] == [
            {"name": "layers.0", "activation": "tanh", "stored_width": STORED, "effective_width": narrow},
            {"name": "layers.1", "activation": "tanh", "stored_width": STORED, "effective_width": STORED},
        ]
    assert told["condensation"] == {
        "tolerance": 0.05,
        "low": [1, 2, 10],
        "changed": [10, 100],
        "plateaus": [{"first": 1, "last": 2}, {"first": 100, "last": 900}],
    }
    rows = list(csv.DictReader(io.StringIO(found.to_csv())))
    columns = ("stored_width", "effective_width", "effective_width_layers.0", "effective_width_layers.1")
    assert [tuple(int(row[name]) for name in columns) for row in rows] == [
        (2 * STORED, narrow + STORED, narrow, STORED) for narrow in COURSE.values()
    ]


def test_the_sentences_say_where_it_is_low_and_whether_plateaus_are_there(found: RunTrack) -> None:
    widths, loss = json.loads(found.to_json())["notes"][-2:]
    assert widths == (
        "effective width at a tolerance of 0.05: 27 of 48 at step 1, 48 of 48 at step 900; the least share is 3 of "
        "24 (pair layers.0, step 1); low (at most half of a pair's most) at steps 1 to 10; changes by a tenth of a "
        "pair's neurons or more at steps 10, 100"
    )
    assert loss == (
        "loss has 2 plateaus, where it moves by at most 2 % of its range from one step to the next: steps 1 to 2, "
        "100 to 900; the effective width is low at 2 of the 4 steps on plateaus, and at 1 of the other 1"
    )
    for text in (found.to_markdown().replace("\\", ""), Page(found.to_html()).text, render(found, "table")):
        assert "changes by a tenth of a pair's neurons" in " ".join(text.split())
        assert "27 of 48" in text


def test_both_lines_are_in_one_picture(found: RunTrack, folder: str) -> None:
    page = found.to_html()
    _, _, section = page.partition('<section id="condensation">')
    section = section.partition("</section>")[0]
    assert section.count("<svg") == 1
    assert ">effective over stored width</text>" in section and ">loss</text>" in section
    without = track(folder, condensation=True, activation="tanh", **QUICK).to_html()
    assert ">effective over stored width</text>" in without and ">loss</text>" not in without
    assert "effective over stored width over the steps" in found.to_markdown()


def test_nothing_else_changes_with_the_flag_and_nothing_without_it(found: RunTrack, folder: str) -> None:
    loss = pd.DataFrame({"step": list(LOSS), "loss": list(LOSS.values())})
    plain = json.loads(track(folder, known=loss, better="lower", **QUICK).to_json())
    told = json.loads(found.to_json())
    assert told.pop("condensation")
    assert told.pop("notes")[:-2] == plain.pop("notes")
    for step in told["steps"]:
        del step["stored_width"], step["effective_width"], step["pairs"]
    del told["created"], plain["created"]
    assert told == plain


def test_weights_of_pairs_are_read_once_beside_stored_scores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    later = time.time_ns() + 10**9  # A file is recorded only once its time of change lies in the past.
    monkeypatch.setattr("time.time_ns", lambda: later)
    place = "encoder.layer.0"
    weights = {name.replace("fc1", "intermediate.dense"): value for name, value in layer(place, 6).items()}
    weights = {name.replace("fc2", "output.dense"): value for name, value in weights.items()}
    pair = set(weights)
    rng = np.random.default_rng(0)
    for name in ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"):
        weights[f"{place}.{name}.weight"] = rng.standard_normal((40, 40)).astype("f4")
    config = {"model_type": "bert", "hidden_act": "gelu", "hidden_size": 40, "num_attention_heads": 4}
    for step in (1, 2):
        folder = saved(tmp_path / "a" / f"step_{step}", weights)
        (Path(folder) / "config.json").write_text(json.dumps(config))
    store = tmp_path / "store.sqlite"
    track(str(tmp_path / "a"), store=store, **QUICK)
    done: list[str] = []
    read = TensorRef.read
    monkeypatch.setattr(TensorRef, "read", lambda self: done.append(self.name) or read(self))
    told = json.loads(track(str(tmp_path / "a"), store=store, condensation=True, **QUICK).to_json())
    assert sorted(done) == sorted([*pair] * 2)
    assert [each["pairs"][0]["activation"] for each in told["steps"]] == ["gelu"] * 2


def test_what_has_no_width_is_a_line_and_stops_nothing(tmp_path: Path) -> None:
    model = run(tmp_path / "a", {1: 3, 2: 3, 5: 24})
    spoilt = layer("layers.0", 3) | layer("layers.1", STORED)
    spoilt["layers.1.fc1.weight"][0, 0] = np.nan
    saved(tmp_path / "a" / "step_3", spoilt)
    saved(tmp_path / "a" / "step_4", {"head.weight": np.eye(60, dtype="f4")})
    (tmp_path / "a" / "step_6").mkdir()
    told = json.loads(track(model, condensation=True, activation="tanh", **QUICK).to_json())
    widths = [(each["step"], each["stored_width"], each["effective_width"]) for each in told["steps"]]
    assert widths == [(1, 48, 27), (2, 48, 27), (3, 24, 3), (4, None, None), (5, 48, 48), (6, None, None)]
    assert told["notes"][-1] == (
        "without an effective width: layers.1: a weight is not finite (step 3), no pair of layers with neurons "
        "between them is found (step 4)"
    )
    none = json.loads(track(model, condensation=True, **QUICK).to_json())
    assert {each["effective_width"] for each in none["steps"]} == {None}
    assert none["condensation"] == {"tolerance": 0.05, "low": [], "changed": [], "plateaus": []}
    assert "the configuration names no activation: name it with --activation (steps 1 to 3, 5)" in none["notes"][-1]


@pytest.mark.parametrize(
    ("narrow", "words"),
    [(24, "nothing condenses, which is usual for published models"), (12, "nowhere low, and no change by a tenth")],
)
def test_a_width_that_stays_is_said_in_honest_words(tmp_path: Path, narrow: int, words: str) -> None:
    found = track(run(tmp_path / "a", {1: narrow, 2: narrow}), condensation=True, activation="tanh", **QUICK)
    (*_, note) = json.loads(found.to_json())["notes"]
    assert note.endswith(f"; the least share is {narrow} of 24 (pair layers.0, step 1); {words}")
    assert "effective over stored width over the steps" not in found.to_markdown()


def test_adapters_alone_have_no_width(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for step in (1, 2):
        a, b = rng.standard_normal((4, 64)), rng.standard_normal((96, 4))
        adapter(tmp_path / "runs" / f"checkpoint-{step}", "layers.0.fc1", a.astype("f4"), b.astype("f4"), 4)
    told = track(str(tmp_path / "runs"), condensation=True, activation="relu", **QUICK)
    assert len(told.track.scored) == 2
    assert "is an adapter without its base: name it as base+adapter" in json.loads(told.to_json())["notes"][-1]


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    name = HOSTILE.replace("/", "")
    for step in (1, 2):
        saved(tmp_path / "a" / f"step_{step}", layer(f"{name}.0", 3) | layer(f"{name}.1", 4))
    found = track(str(tmp_path / "a"), condensation=True, activation="tanh", **QUICK)
    page = Page(found.to_html())
    assert "script" not in [kind for kind, _ in page.elements]
    assert not any(word.startswith("on") for _, attributes in page.elements for word in attributes)
    assert "3 of 24" in page.text


def test_bad_input_is_refused_before_scoring(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # The package's `track` is the function.
    monkeypatch.setattr(sys.modules["wqscore.studies.track.track"], "score", lambda *a, **k: pytest.fail("scored"))
    with pytest.raises(UsageError, match="no such activation: 'tahn'"):
        track(folder, condensation=True, activation="tahn", **QUICK)
    with pytest.raises(UsageError, match=r"give condensation too \(--condensation\)"):
        track(folder, activation="tanh", **QUICK)
    with pytest.raises(UsageError, match="a watch's track has no weights"):
        track(Track("live", "alpha", ()), condensation=True, **QUICK)


@given(
    st.dictionaries(
        st.integers(0, 99),
        st.dictionaries(st.sampled_from("abc"), st.integers(0, 20), min_size=1),
        min_size=1,
        max_size=8,
    )
)
@settings(max_examples=examples(60))
def test_low_and_changed_by_their_definitions(course: dict[int, dict[str, int]]) -> None:
    ref, steps = wqscore.track.__module__, sorted(course)
    widths = {
        step: Width(
            ref, None, (0.05,), tuple(BlockWidth(n, "tanh", 20, effective=(e,)) for n, e in pairs.items()), ()
        )
        for step, pairs in sorted(course.items())
    }
    found = Condensation(widths, {})
    most = {
        name: max(each[name] for each in course.values() if name in each) for name in "abc" if name in found.pairs
    }
    assert found.low == [step for step in steps if any(2 * e <= most[n] for n, e in course[step].items())]
    assert found.changed == [
        after
        for before, after in pairwise(steps)
        if any(abs(course[after][n] - course[before][n]) >= 2 for n in {*course[after]} & {*course[before]})
    ]


@pytest.mark.oracle("torch")
def test_a_small_start_condenses_in_training_and_an_ordinary_one_does_not(tmp_path: Path) -> None:
    width, inputs = 40, 5
    left, low = {}, {}
    for name, size, rate in (("small", width**-2.0, 0.05), ("ordinary", 0.5, 0.01)):
        torch.manual_seed(0)
        x = torch.randn(60, inputs)
        y = torch.tanh(x[:, :1] - x[:, 1:2])
        net = torch.nn.Sequential(torch.nn.Linear(inputs, width), torch.nn.Tanh(), torch.nn.Linear(width, 1))
        with torch.no_grad():
            for each in net.parameters():
                each.normal_().mul_(size)
        optimizer = torch.optim.SGD(net.parameters(), lr=rate)
        for step in range(301):
            if step % 100 == 0:
                state = {key: value.numpy().copy() for key, value in net.state_dict().items()}
                saved(tmp_path / name / f"step_{step}", state)
            optimizer.zero_grad()
            torch.nn.functional.mse_loss(net(x), y).backward()
            optimizer.step()
        found = track(str(tmp_path / name), condensation=True, activation="tanh", **QUICK).condensation
        assert found is not None
        left[name], low[name] = [each.effective[0] for each in found.widths.values()], found.low
    assert min(left["small"][0], *left["ordinary"]) >= 30
    assert max(left["small"][1:]) <= 12
    assert low == {"small": [100, 200, 300], "ordinary": []}
