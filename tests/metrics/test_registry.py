"""The registry's entries, and the metrics that a choice selects."""

from __future__ import annotations

import pytest

from wqscore.errors import UsageError
from wqscore.metrics.metric import COSTS
from wqscore.metrics.registry import CORE, METRICS, choose_metrics, find_metric


def test_the_registry_says_everything_about_each_metric() -> None:
    for name, metric in METRICS.items():
        assert metric.name == name
        assert metric.better in {"lower", "higher"}
        assert metric.level in {"matrix", "model"}
        assert metric.cost in COSTS
        assert all((metric.formula, metric.unit, metric.source, metric.caveat, metric.undefined))


def test_an_unknown_metric_names_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean stable_rank"):
        find_metric("stablerank")
    with pytest.raises(UsageError, match="wqscore metrics lists them"):
        find_metric("🤷")


def test_a_choice_is_in_the_order_of_the_columns_and_names_each_once() -> None:
    assert choose_metrics("stable_rank, alpha,alpha,") == ("alpha", "stable_rank")
    assert choose_metrics(["core", "tpl_alpha"]) == (*CORE, "tpl_alpha")
    assert choose_metrics("core", core=("entropy", "D")) == ("D", "entropy")
    for nothing in ("", ",", []):
        with pytest.raises(UsageError, match="no metric chosen"):
            choose_metrics(nothing)


def test_all_is_everything_but_what_needs_more_than_the_weights() -> None:
    left_out = {name for name, metric in METRICS.items() if metric.cost in ("vectors", "base")}
    assert set(choose_metrics("all")) == set(METRICS) - left_out
    assert set(choose_metrics("all,vectors,base")) == set(METRICS)
