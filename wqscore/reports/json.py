"""`ranking.json`: everything a report holds, for machines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

from wqscore.matrices.weight_matrix import SkippedTensor
from wqscore.metrics.registry import MATRIX_METRICS
from wqscore.presets.preset import Preset
from wqscore.ranking.ranked_model import RankedModel
from wqscore.ranking.ranking import Ranking, rank_alone
from wqscore.refs.reference import ModelRef
from wqscore.rendering.numbers import number
from wqscore.rendering.timestamp import created_at
from wqscore.reports.tables import PAIR_COLUMNS, has_interval_columns, has_steps, pair_rows, step_number
from wqscore.scoring.expert_spread import ExpertSpread
from wqscore.scoring.layer_score import LayerScore
from wqscore.scoring.model_score import ModelScore
from wqscore.scoring.role_summary import RoleSummary, summarise_roles
from wqscore.scoring.selection import LeftOut
from wqscore.spectra import lapack
from wqscore.spectra.eigenvalues import BLOCK_ROWS
from wqscore.version import __version__

#: Increases when a field changes its name or its meaning.
SCHEMA_VERSION = 6


def ranking_document(ranking: Ranking) -> dict[str, Any]:
    """The document of `ranking.json`; undefined values are `null`."""
    solver = next((score.solver for score in ranking.scores), "")
    return {
        **_provenance(ranking.preset, ranking.metrics, ranking.seed, solver),
        "by": ranking.by.name,
        "better": ranking.by.better,
        "across_families": ranking.across_families,
        **({"gauge": ranking.gauge} if ranking.gauge != "none" else {}),
        "conclusion": ranking.conclusion.document(),
        "odds": asdict(ranking.odds) if ranking.odds else None,
        **({"unrelated": [asdict(each) for each in ranking.unrelated]} if ranking.unrelated else {}),
        **({"trends": [trend.document() for trend in ranking.trends]} if ranking.trends else {}),
        "models": [model_document(model, has_steps(ranking)) for model in ranking.models],
        "pairs": [dict(zip(PAIR_COLUMNS, row, strict=True)) for row in pair_rows(ranking)],
    }


def score_document(score: ModelScore) -> dict[str, Any]:
    """One model's rows and summary, with the fields it has in `ranking.json`."""
    provenance = _provenance(score.preset, score.metrics, score.seed, score.solver)
    warning = next((model.warning for model in rank_alone(score).models), "")
    return {**provenance, **_names(score.ref), "warning": warning or None, **_score(score)}


def _provenance(preset: Preset, metrics: Sequence[str], seed: int, solver: str) -> dict[str, Any]:
    drivers = {f"side < {lapack.TWO_STAGES}": lapack.driver(1), "larger": lapack.driver(lapack.TWO_STAGES)}
    return {
        "schema_version": SCHEMA_VERSION,
        "wqscore": __version__,
        "created": created_at().isoformat(),
        "versions": {name: version(name) for name in ("numpy", "numba", "scipy-openblas32")},
        "eigensolver": {"any side": solver} if solver else drivers,
        "gram_block_rows": BLOCK_ROWS,
        "preset": _preset(preset),
        "metrics": list(metrics),
        "seed": seed,
    }


def _names(ref: ModelRef) -> dict[str, Any]:
    return {"model": ref.label, "asked": ref.text, "repo": ref.repo}


def _preset(preset: Preset) -> dict[str, Any]:
    """The preset's constants, without its functions."""
    return {
        "name": preset.name,
        "headline": preset.headline,
        "fit_floor": "relative" if preset.fit_floor is None else preset.fit_floor,
        "fits": preset.fits.name,
        "eigenvalue_scale": preset.eigenvalue_scale,
        **asdict(preset.matrices),
    }


def model_document(model: RankedModel, steps: bool = False) -> dict[str, Any]:
    """One model of a ranking, with the fields it has in `ranking.json`."""
    head = {
        **_names(model.ref),
        **({"step": step_number(model)} if steps else {}),
        "status": model.status,
        "rank": model.rank,
        "tied": model.tied,
        "rank_best": model.best,
        "rank_worst": model.worst,
        "ties": list(model.ties),
        "reason": model.reason or None,
        "warning": model.warning or None,
    }
    return head if model.score is None else {**head, **_score(model.score), "family": model.family or None}


def _score(score: ModelScore) -> dict[str, Any]:
    summary = score.summary
    return {
        "revision": score.revision,
        "engine": score.engine,
        "bootstrap": score.sampling.bootstrap,
        "gof": score.sampling.gof,
        "base": score.base or None,
        "family": score.family or None,
        "family_id": score.family_id or None,
        "params": score.parameters,
        "hidden_size": score.architecture.hidden_size,
        "depth": score.architecture.depth,
        "coverage": number(summary.coverage),
        "coverage_all": number(summary.coverage_all),
        "n_matrices": summary.n_matrices,
        "n_fitted": summary.n_fitted,
        "n_ok": summary.n_ok,
        "n_random": summary.n_random,
        "verdicts": dict(sorted(summary.verdicts.items())),
        "summary": {
            name: {
                "median": number(statistic.median),
                **({"interval": statistic.interval} if has_interval_columns(name) else {}),
                "mean": number(statistic.mean),
                "param_mean": number(statistic.weighted_mean),
                "trimmed_mean": number(statistic.trimmed_mean),
                "ok_median": number(statistic.ok_median),
                "lowest": number(statistic.lowest),
                "highest": number(statistic.highest),
                **({"total": number(statistic.total)} if MATRIX_METRICS[name].summed else {}),
                "count": statistic.count,
            }
            for name, statistic in summary.statistics.items()
        },
        "roles": [_role(role) for role in summarise_roles(score.layers, score.metrics, score.preset)],
        "experts": None if summary.experts is None else _experts(summary.experts),
        "model_metrics": {
            name: {"value": number(value.value), "count": value.count, "reason": value.reason or None}
            for name, value in summary.values.items()
        },
        **({"remarks": list(score.remarks)} if score.remarks else {}),
        **({"selection": score.selection} if score.selection else {}),
        **({"gauge": score.gauge} if score.gauge != "none" else {}),
        **({"gauge_spread": score.gauge_spread} if score.gauge_spread else {}),
        "layers": [_layer(row) if isinstance(row, LayerScore) else _skip(row) for row in score.rows],
    }


def _role(found: RoleSummary) -> dict[str, Any]:
    values = {
        name: {"median": median, "lowest": number(found.lowest[name]), "highest": number(found.highest[name])}
        for name, median in found.medians.items()
    }
    counts = {"n_matrices": found.n_matrices, "n_fitted": found.n_fitted, "n_ok": found.n_ok}
    return {"role": found.role, "counted": found.counted, **counts, "summary": values}


def _experts(found: ExpertSpread) -> dict[str, Any]:
    spread = {name: number(value) for name, value in found.spread.items()}
    return {"stacks": found.stacks, "experts": found.experts, "spread": spread}


def _layer(row: LayerScore) -> dict[str, Any]:
    matrix = row.matrix
    return {
        "name": matrix.name,
        "role": matrix.role,
        "depth": matrix.depth,
        "rows": matrix.rows,
        "columns": matrix.columns,
        "slices": matrix.slices,
        "dtype": matrix.tensor.dtype.name,
        **{name: number(value, MATRIX_METRICS[name].count) for name, value in row.metrics.items()},
        "verdict": row.verdict,
        "flags": list(row.flags),
        "reason": row.reason or None,
    }


def _skip(row: SkippedTensor) -> dict[str, Any]:
    return {
        "name": row.name,
        "role": row.role,
        "depth": row.depth,
        "shape": list(row.shape),
        "dtype": row.dtype,
        "verdict": "skipped",
        "kind": "left-out" if isinstance(row, LeftOut) else row.kind,
        "reason": row.reason,
    }
