"""The rows of `ranking.csv` and `layers.csv`: the columns of the output contract, for every format."""

from __future__ import annotations

from collections.abc import Sequence

from wqscore.matrices.weight_matrix import SkippedTensor
from wqscore.metrics.registry import MATRIX_METRICS, METRICS
from wqscore.presets.preset import Preset
from wqscore.presets.registry import DEFAULT
from wqscore.ranking.ranked_model import Pair, RankedModel
from wqscore.ranking.ranking import Ranking
from wqscore.refs.steps import step_of
from wqscore.rendering.numbers import Cell, number
from wqscore.rendering.rows import Rows
from wqscore.scoring.layer_score import LayerScore
from wqscore.scoring.model_score import ModelScore

#: Suffixes of a metric's columns: the statistic that ranks, its interval, the two means, and the count of matrices.
_HEADLINE, _INTERVAL, _OTHERS = ("",), ("_interval_lo", "_interval_hi"), ("_mean", "_param_mean", "_count")
#: The header of `pairs.csv`.
PAIR_COLUMNS = [
    *("ahead", "behind", "metric", "difference", "lo", "hi", "delta", "tied"),
    *("matrices_paired", "matrices_lost", "lowest", "highest", "p", "p_holm"),
]
#: Of `ranking.csv`: the odds that a model is better than the next one of its family, what makes the two differ, the
#: families that this rests on, and the version of the record.
ODDS_COLUMNS = ["odds_over_next", "odds_kind", "odds_families", "record"]
#: The columns of words; all others hold numbers.
_LAYER_WORDS = ("model", "name", "role", "gauge", "verdict", "flags", "reason")
_RANKING_WORDS = frozenset(
    {"model", "revision", "family", "family_id", "gauge", "ties", "odds_kind", "record", "status", "reason"}
)
_PAIR_WORDS = frozenset({"ahead", "behind", "metric", "tied"})
#: The columns of words of which there are few.
_LAYER_CATEGORIES = ("role", "verdict")
#: The columns of whole numbers besides those of metrics that count.
_LAYER_COUNTS = ("rows", "columns")
_RANKING_COUNTS = frozenset(
    {"rank", "params", "hidden_size", "depth", "n_matrices", "n_fitted", "rank_best", "rank_worst", "odds_families"}
)


def of_matrices(metrics: Sequence[str]) -> list[str]:
    """Those of the metrics that are computed per matrix."""
    return [name for name in metrics if name in MATRIX_METRICS]


def layer_columns(preset: Preset, metrics: Sequence[str], gauge: str = "none") -> list[str]:
    """The header of `layers.csv`; with a column for a gauge where there is one."""
    names = ["model", "name", "role", "rows", "columns", *_gauge_column(gauge)]
    names += [*of_matrices(metrics), "verdict", "flags", "reason"]
    return [preset.label(name) for name in names]


def layer_rows(score: ModelScore) -> list[list[Cell]]:
    """A row per matrix and per skipped tensor, in the model's order."""
    return [_layer_row(score, row) for row in score.rows]


def score_rows(score: ModelScore) -> Rows:
    """The table of `layers.csv` for one model."""
    counted = [*_LAYER_COUNTS, *(name for name in of_matrices(score.metrics) if MATRIX_METRICS[name].count)]
    words, categories, counts = (
        frozenset(score.preset.label(name) for name in names) for names in (_LAYER_WORDS, _LAYER_CATEGORIES, counted)
    )
    columns = layer_columns(score.preset, score.metrics, score.gauge)
    return Rows(columns, layer_rows(score), words, categories, counts)


def ranking_columns(ranking: Ranking) -> list[str]:
    """The header of `ranking.csv`; the metric that ranks comes before the others."""
    head = [
        *(
            "rank",
            "model",
            *_step_column(ranking),
            "revision",
            "family",
            "family_id",
            "params",
            "hidden_size",
            "depth",
        ),
        *("coverage", "n_matrices", "n_fitted", *_gauge_column(ranking.gauge)),
    ]
    columns = [
        f"{ranking.preset.label(name)}{suffix}" for name in summary_metrics(ranking) for suffix in _suffixes(name)
    ]
    return [*head, *columns, "rank_best", "rank_worst", "ties", *ODDS_COLUMNS, "status", "reason"]


def ranking_rows(ranking: Ranking) -> Rows:
    """The table of `ranking.csv`: a row per model, in the ranking's order."""
    rows = [_ranking_row(model, ranking) for model in ranking.models]
    counts = {f"{ranking.preset.label(name)}_count" for name in summary_metrics(ranking)}
    return Rows(ranking_columns(ranking), rows, _RANKING_WORDS, frozenset({"status"}), _RANKING_COUNTS | counts)


def pair_rows(ranking: Ranking) -> list[list[Cell]]:
    """A row per pair of models ranked together, in the ranking's order."""
    return [_pair_row(pair, ranking) for pair in ranking.pairs]


def pair_table(ranking: Ranking) -> Rows:
    """The table of `pairs.csv`."""
    return Rows(PAIR_COLUMNS, pair_rows(ranking), _PAIR_WORDS, counts=frozenset({"matrices_paired", "matrices_lost"}))


def _pair_row(pair: Pair, ranking: Ranking) -> list[Cell]:
    found = pair.difference
    return [
        *(pair.ahead.label, pair.behind.label, ranking.preset.label(ranking.by.name)),
        *(number(value) for value in (found.value, found.lo, found.hi, found.delta)),
        *("yes" if found.tied else "no", found.pairs, found.lost),
        *(number(value) for value in (found.lowest, found.highest, found.p, found.p_holm)),
    ]


def summary_metrics(ranking: Ranking) -> list[str]:
    """The metrics of which a model has numbers in `ranking.csv`, the one that ranks first.

    Bounds, p-values and nuisance parameters of a fit are left to `layers.csv`, but for the metric that ranks and in
    presets that reproduce other code.
    """
    by = ranking.by.name
    kept = [name for name in ranking.metrics if name == by or has_summary(name, ranking.preset)]
    return sorted(kept, key=lambda name: name != by)


def has_summary(name: str, preset: Preset) -> bool:
    """Whether tables of models have a metric; bounds and nuisance parameters are in those of other presets alone."""
    return METRICS[name].summarised or preset.name != DEFAULT.name


def has_interval_columns(name: str) -> bool:
    """Whether the numbers of a metric have an interval."""
    return name in MATRIX_METRICS and not METRICS[name].summed and METRICS[name].summarised


def has_steps(ranking: Ranking) -> bool:
    """Whether a model is a checkpoint of a training run, by its name."""
    return any(step_of(model.ref) for model in ranking.models)


def step_number(model: RankedModel) -> int | None:
    """The step, or epoch, that a checkpoint's name tells; `None` if it tells none."""
    step = step_of(model.ref)
    return step and step.number


def _step_column(ranking: Ranking) -> tuple[str, ...]:
    return ("step",) if has_steps(ranking) else ()


def _gauge_column(gauge: str) -> tuple[str, ...]:
    return () if gauge == "none" else ("gauge",)


def _suffixes(name: str) -> tuple[str, ...]:
    interval = _INTERVAL if has_interval_columns(name) else ()
    return (*_HEADLINE, *interval, *(_OTHERS if name in MATRIX_METRICS else ()))


def _layer_row(score: ModelScore, row: LayerScore | SkippedTensor) -> list[Cell]:
    label, metrics = score.ref.label, of_matrices(score.metrics)
    gauge = [score.gauge for _ in _gauge_column(score.gauge)]
    if isinstance(row, SkippedTensor):
        sides = _sides(*row.shape, score.preset) if len(row.shape) == 2 else (None, None)
        return [label, row.name, row.role, *sides, *gauge, *(None for _ in metrics), "skipped", None, row.reason]
    sides = _sides(row.matrix.rows, row.matrix.columns, score.preset)
    values = [number(row.metrics[name], MATRIX_METRICS[name].count) for name in metrics]
    flags = ";".join(row.flags) or None
    return [label, row.matrix.name, row.matrix.role, *sides, *gauge, *values, row.verdict, flags, row.reason or None]


def _odds(model: RankedModel, ranking: Ranking) -> list[Cell]:
    if ranking.odds is None:
        return [None] * len(ODDS_COLUMNS)
    pair = next((pair for pair in ranking.odds.pairs if pair.ahead == model.ref.label), None)
    found: list[Cell] = [pair.odds, pair.kind or None, pair.families] if pair else [None, None, None]
    return [*found, ranking.odds.record]


def _sides(rows: int, columns: int, preset: Preset) -> tuple[int, int]:
    return (max(rows, columns), min(rows, columns)) if preset.larger_side_first else (rows, columns)


def _ranking_row(model: RankedModel, ranking: Ranking) -> list[Cell]:
    ties = ";".join(model.ties) or None
    tail: list[Cell] = [model.best, model.worst, ties, *_odds(model, ranking)]
    tail += [model.status, model.reason or model.warning or None]
    if model.score is None:
        head: list[Cell] = [None, model.ref.label, *(step_number(model) for _ in _step_column(ranking))]
        return [*head, *[None] * (len(ranking_columns(ranking)) - len(head) - len(tail)), *tail]
    score, summary = model.score, model.score.summary
    head = [model.rank, score.ref.label, *(step_number(model) for _ in _step_column(ranking)), score.revision]
    head += [model.family or None, score.family_id or None]
    head += [score.parameters, score.architecture.hidden_size, score.architecture.depth]
    head += [number(summary.coverage), summary.n_matrices, summary.n_fitted]
    head += [score.gauge for _ in _gauge_column(ranking.gauge)]
    cells: list[Cell] = []
    for name in summary_metrics(ranking):
        cells.append(number(summary.headline(name, ranking.preset), METRICS[name].count))
        if has_interval_columns(name):
            cells += summary.interval(name) or (None, None)
        if name in MATRIX_METRICS:
            statistic = summary.statistics[name]
            cells += [number(statistic.mean), number(statistic.weighted_mean), statistic.count]
    return [*head, *cells, *tail]
