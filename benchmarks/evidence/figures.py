"""Figures of the zoo for docs/evidence.md, in the style of Yang et al. (KDD 2023).

Usage: python -m benchmarks.evidence.figures
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import altair as alt
import numpy as np
from vl_convert import vegalite_to_svg

from wqscore.metrics.registry import METRICS
from wqscore.ranking.rank_correlation import spearman

_ZOO = Path("benchmarks/zoo/zoo.csv")
_FOLDER = Path("docs/images")
#: Metrics of shape, and of scale, as Yang et al. divide them.
_SHAPE = ("alpha", "alpha_hill", "D", "stable_rank", "entropy", "e_tpl_beta", "e_tpl_lambda", "exp_lambda")
_SCALE = ("log_norm", "log_spectral_norm", "alpha_weighted", "log_alpha_norm", "log_prod_fro", "param_norm")
_ALONG = ("alpha_median", "stable_rank_median", "log_spectral_norm_median", "quality")
_LEAST = 6

Row = Mapping[str, str]


def main() -> None:
    """Draw all figures."""
    rows = [row for row in csv.DictReader(_ZOO.open(encoding="utf-8", newline="")) if row["status"] == "trained"]
    _FOLDER.mkdir(exist_ok=True)
    for name, chart in (
        ("quality-and-gap", quality_and_gap(rows)),
        ("shape-and-scale", shape_and_scale(rows)),
        ("along-training", along_training(rows)),
    ):
        file = _FOLDER / f"evidence-{name}.svg"
        file.write_text(vegalite_to_svg(chart.to_dict()), encoding="utf-8")
        print(f"wrote {file}")


def quality_and_gap(rows: Sequence[Row]) -> alt.Chart:
    """Test quality against the generalisation gap of whole runs, a panel for each task."""
    points = [
        {"task": row["task"], "quality": float(row["quality"]), "gap": float(row["gap"]), "depth": row["depth"]}
        for row in rows
        if row["kind"] == "recipe"
    ]
    return (
        alt.Chart(alt.Data(values=points))
        .mark_point(opacity=0.6)
        .encode(
            alt.X("gap:Q", title="test loss − training loss"),
            alt.Y("quality:Q", title="quality", scale=alt.Scale(zero=False)),
            alt.Color("depth:N", title="layers"),
        )
        .properties(width=170, height=150)
        .facet("task:N", columns=5, title="Quality and generalisation gap of the zoo's trained networks")
        .resolve_scale(x="independent", y="independent")
    )


def shape_and_scale(rows: Sequence[Row]) -> alt.Chart:
    """For each metric the median over series of its rank correlation with quality and with a small gap."""
    bars = []
    for kind, names in (("shape", _SHAPE), ("scale", _SCALE)):
        for name in names:
            for target, values in _correlations(rows, name).items():
                bars.append({"metric": name, "kind": kind, "with": target, "rho": median(values)})
    return (
        alt.Chart(alt.Data(values=bars))
        .mark_bar()
        .encode(
            alt.X("rho:Q", title="Spearman's rho, median over series"),
            alt.Y("metric:N", sort=[*_SHAPE, *_SCALE], title=None),
            alt.Color("kind:N", title=None),
            alt.Column("with:N", title=None),
        )
        .properties(width=260, height=220)
    )


def _correlations(rows: Sequence[Row], metric: str) -> dict[str, list[float]]:
    """Spearman's rho in each series, so that positive means that the better value goes with the better model."""
    found: dict[str, list[float]] = {"quality": [], "a small gap": []}
    column = metric if metric in rows[0] else f"{metric}_median"
    sign = 1 if METRICS[metric].better == "higher" else -1
    for members in _groups(rows, "series").values():
        runs = [row for row in members if row["kind"] == "recipe" and row[column]]
        if len(runs) < _LEAST:
            continue
        values = np.array([sign * float(row[column]) for row in runs])
        better = 1 if runs[0]["better"] == "higher" else -1
        targets = {"quality": [better * float(row["quality"]) for row in runs]}
        targets["a small gap"] = [-float(row["gap"]) for row in runs]
        for name, target in targets.items():
            rho = spearman(values, np.array(target))
            found[name] += [] if rho is None else [rho]
    return found


def along_training(rows: Sequence[Row]) -> alt.Chart:
    """Metrics and quality over the steps of a run, in units of the run's own range; medians over runs of a task."""
    points = list(_along(rows))
    return (
        alt.Chart(alt.Data(values=points))
        .mark_line(point=True)
        .encode(
            alt.X("progress:Q", title="percent of training", scale=alt.Scale(type="log")),
            alt.Y("value:Q", title="share of the run's range"),
            alt.Color("what:N", title=None),
        )
        .properties(width=170, height=150)
        .facet("task:N", columns=5, title="Along training")
    )


def _along(rows: Sequence[Row]) -> Iterator[dict[str, Any]]:
    scaled: dict[tuple[str, str, int], list[float]] = defaultdict(list)
    for members in _groups(rows, "run").values():
        steps = [row for row in members if row["kind"] in ("run", "recipe")]
        if len(steps) < _LEAST:
            continue
        for column in _ALONG:
            sign = -1 if column == "quality" and steps[0]["better"] == "lower" else 1
            known = [(int(row["progress"]), sign * float(row[column])) for row in steps if row[column]]
            values = [value for _, value in known]
            if known and max(values) > min(values):
                for progress, value in known:
                    share = (value - min(values)) / (max(values) - min(values))
                    scaled[steps[0]["task"], column.removesuffix("_median"), progress].append(share)
    for (task, what, progress), shares in scaled.items():
        yield {"task": task, "what": what, "progress": progress, "value": median(shares)}


def _groups(rows: Sequence[Row], column: str) -> dict[str, list[Row]]:
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row[column]].append(row)
    return groups


if __name__ == "__main__":
    main()
