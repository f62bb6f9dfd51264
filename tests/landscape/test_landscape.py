"""A run over models and pairs: what it gives, keeps when it is interrupted, and says when it can't."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import wqscore
from tests import test_results as door
from tests.landscape.made import landscape, network, task_of, torch
from tests.oracles import Oracle
from wqscore.errors import UsageError
from wqscore.reports.glossary import explain
from wqscore.results import rendered

pytestmark = pytest.mark.oracle("torch", "scipy")
run = Oracle("wqscore.landscape.landscape")
registry = Oracle("wqscore.landscape.registry")


class Heard:
    """A progress that keeps what it is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.failures: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def failed(self, reason: str) -> None:
        self.failures.append(reason)


def make(ref: str) -> Any:
    """`wide-1`: width 60, seed 1; `narrow-2`: width 5, seed 2; `bad-3`: NaN weights."""
    kind, seed = ref.split("-")
    task = task_of(network(8, {"wide": 60, "narrow": 5, "bad": 5}[kind], 3, seed=int(seed)))
    if kind == "bad":
        task.model[0].weight.data.fill_(float("nan"))
    return task


def measured(refs: list[str], task: Callable[[str], Any] = make, **options: Any) -> tuple[Any, dict[str, Any]]:
    found = run.landscape(refs, task, **{"metrics": "none", **options})
    return found, json.loads(found.to_json())


def by_name(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {row["measure"]: row for row in rows}


def test_a_row_for_each_model_and_each_measure_between_two() -> None:
    found, document = measured(["narrow-1", "narrow-2"], pairs=["linear", "aligned", "cka", "l2"])
    first = by_name(document["models"][0]["measures"])
    assert {"loss", "error", "weight_norm", "hessian_top", "hessian_least", "hessian_trace"} == {*first}
    assert [*first["hessian_trace"]] == [
        *("measure", "value", "low", "high", "estimator", "n_used", "seconds", "reason")
    ]
    alone = landscape.hessian(make("narrow-1"))
    assert first["hessian_top"]["value"] == alone.top[0]
    assert (first["hessian_trace"]["low"], first["hessian_trace"]["n_used"]) == (alone.trace_low, 60)
    pairs = by_name(document["pairs"])
    assert {*pairs} == {"linear_mc_loss", "linear_mc_error", "aligned_mc_loss", "cka", "l2"}
    assert [*pairs["cka"]][:4] == ["a", "b", "measure", "value"]
    a, b = (make(ref).model.state_dict() for ref in ("narrow-1", "narrow-2"))
    assert pairs["l2"]["value"] == pytest.approx(sum(float((a[name] - b[name]).square().sum()) for name in a) ** 0.5)
    assert found.reasons == []


def test_the_head_is_that_of_every_study() -> None:
    _, document = measured(["narrow-1"], measures=["none"])
    assert [*document][:4] == ["schema_version", "wqscore", "created", "seed"]
    assert [*document["models"][0]][:2] == ["model", "revision"]


def test_data_free_metrics_are_those_of_score() -> None:
    _, document = measured(["wide-1"], measures=["none"], metrics="stable_rank,log_norm")
    scored = wqscore.score(make("wide-1").model, metrics="stable_rank,log_norm", jobs=1)
    found = by_name(document["models"][0]["measures"])
    for name in ("stable_rank", "log_norm"):
        expected = scored.summary.headline(name, scored.preset)
        assert found[name]["value"] == (pytest.approx(expected, rel=1e-12) if np.isfinite(expected) else None)
        assert found[name]["n_used"] == 0


def test_a_model_without_a_large_matrix_says_why_no_metric_has_a_number() -> None:
    line = "narrow-1, narrow-2: no matrix is large enough for a data-free metric"
    small, _ = measured(["narrow-1", "narrow-2"], measures=["none"], pairs=["none"], metrics="core")
    assert line in str(rendered(small, "md"))
    assert "large enough" not in str(rendered(measured(["narrow-1"], measures=["none"])[0], "md"))
    assert small.reasons == []


def test_a_bad_model_is_a_row_with_a_reason_and_stops_no_other() -> None:
    heard = Heard()
    found, document = measured(["bad-1", "narrow-1"], pairs=["l2"], progress=heard)
    assert document["models"][0]["reason"] == "bad-1: the loss is nan: nothing can be measured around it"
    assert document["models"][0]["measures"] == []
    assert by_name(document["models"][1]["measures"])["hessian_top"]["value"] > 0
    assert document["pairs"] == []
    assert heard.failures == found.reasons == ["bad-1: the loss is nan: nothing can be measured around it"]


def test_two_that_don_t_match_are_named_before_anything_is_measured() -> None:
    heard, order = Heard(), []

    class Ordered(Heard):
        def note(self, text: str) -> None:
            order.append(text)

        def failed(self, reason: str) -> None:
            order.append(reason)

    _, document = measured(["narrow-1", "wide-1"], pairs=["linear", "cka", "aligned"], progress=Ordered())
    assert order[0].startswith("narrow-1 and wide-1: the two models don't match: 0.weight has the shapes")
    pairs = by_name(document["pairs"])
    assert pairs["linear_mc_loss"]["value"] is None
    assert "don't match" in pairs["aligned_mc_loss"]["reason"]
    assert 0 < pairs["cka"]["value"] <= 1
    assert not heard.failures


@pytest.mark.parametrize("broken", ["type", "sum"])
def test_a_task_that_is_none_ends_the_run_at_once(broken: str) -> None:
    def bad(ref: str) -> Any:
        task = make("narrow-1")
        summed = torch.nn.CrossEntropyLoss(reduction="sum")
        return 3 if broken == "type" else landscape.Task(task.model, task.batches, summed)

    with pytest.raises((UsageError, AttributeError)):
        measured(["a"], bad)


def test_what_was_measured_is_kept_when_it_is_interrupted() -> None:
    calls = []

    def once(ref: str) -> Any:
        calls.append(ref)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return make("narrow-1")

    with pytest.raises(KeyboardInterrupt) as caught:
        measured(["a", "b"], once, pairs=["none"])
    kept = json.loads(caught.value.found.to_json())
    assert kept["complete"] is False
    assert by_name(kept["models"][0]["measures"])["hessian_top"]["value"] > 0
    assert kept["models"][1]["reason"] == "b: interrupted before it was measured"


def test_it_passes_the_door_like_every_result() -> None:
    found, _ = measured(["narrow-1", "wide-1", "bad-1"], metrics="stable_rank")
    kinds = {"Landscape": found}
    door.test_rows_are_the_same_in_every_format(kinds, "Landscape")
    door.test_every_kind_is_shown_to_people_and_to_machines(kinds, "Landscape")


def test_every_number_is_explained() -> None:
    gives = {name for measure in registry.MODEL_MEASURES.values() for name in measure.gives}
    gives |= {name for measure in registry.PAIR_MEASURES.values() for name in measure.gives}
    assert all(any(found.kind == "column" for found in explain(name)) for name in gives)


def test_every_format_has_the_numbers() -> None:
    found, document = measured(["narrow-1", "narrow-2"], pairs=["cka"])
    (row, _) = csv.DictReader(io.StringIO(found.to_csv()))
    first = by_name(document["models"][0]["measures"])
    assert float(row["hessian_trace_low"]) == first["hessian_trace"]["low"]
    (pair,) = csv.DictReader(io.StringIO(str(rendered(found, "pairs-csv"))))
    assert float(pair["value"]) == document["pairs"][0]["value"]
    for text in (found.to_markdown(), str(rendered(found, "table")), found._repr_html_()):
        assert "hessian_trace" in text.replace("\\", "")
        assert "cka" in text
        assert "this table can" in text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"measures": ["hesian"]}, "--measure: no measure 'hesian': did you mean hessian"),
        ({"pairs": ["alined"]}, "--pairs: no measure 'alined': did you mean aligned"),
        ({"metrics": "alhpa"}, "no metric called 'alhpa'"),
        ({"pairs": ["cka"]}, "--pairs needs two models or more"),
    ],
)
def test_unknown_measures_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        measured(["narrow-1"], **options)
