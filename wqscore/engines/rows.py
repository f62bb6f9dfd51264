"""Score a checkpoint with WeightWatcher: wqscore's plan of matrices, WeightWatcher's numbers."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite, isnan, nan

import numpy as np

from wqscore.checkpoints.checkpoint import Checkpoint
from wqscore.engines.weightwatcher import WatchedLayer, WeightWatcherResult, run_weightwatcher
from wqscore.fits.power_law import PowerLawFit
from wqscore.fits.sampling import Sampling
from wqscore.matrices.architecture import architecture_of
from wqscore.matrices.checkpoint_plan import plan_checkpoint
from wqscore.matrices.plan import by_tensor, tied_copy
from wqscore.matrices.uncounted import parameters_of
from wqscore.matrices.weight_matrix import SkippedTensor, WeightMatrix
from wqscore.presets.weightwatcher import WW_0_7
from wqscore.scoring.layer_score import FLIPPED_SIGN, LayerScore
from wqscore.scoring.model_score import ModelScore
from wqscore.scoring.summary import summarise
from wqscore.spectra.spectrum import Spectrum

Row = LayerScore | SkippedTensor


def weightwatcher_score(checkpoint: Checkpoint, family: str, metrics: Sequence[str], seed: int) -> ModelScore:
    """Score a checkpoint with WeightWatcher.

    Args:
        checkpoint: opened with its weights on disk.
        family: the family given in a model list.
        metrics: of `COMPARED`.
        seed: recorded in the result; WeightWatcher's numbers here have no random step.

    Raises:
        UsageError: WeightWatcher is not installed.
        CheckpointError: WeightWatcher failed.
    """
    watched = run_weightwatcher(checkpoint)
    rows = watched_rows(checkpoint, watched, metrics)
    parameters = parameters_of(checkpoint, rows)
    return ModelScore(
        ref=checkpoint.ref,
        revision=checkpoint.revision,
        declared_family=family,
        architecture=architecture_of(checkpoint),
        parameters=parameters,
        preset=WW_0_7,
        sampling=Sampling(seed, bootstrap=0, gof=0),
        metrics=tuple(metrics),
        rows=rows,
        summary=summarise(rows, parameters, WW_0_7, metrics, {}, seed),
        engine=f"weightwatcher {watched.version}",
    )


def watched_rows(checkpoint: Checkpoint, watched: WeightWatcherResult, metrics: Sequence[str]) -> tuple[Row, ...]:
    """Return a row per tensor, with WeightWatcher's numbers, in the order of the preset `ww-0.7`.

    Tied copies and quantised codes stay skipped, though WeightWatcher scores them as stored; a tensor that
    WeightWatcher leaves out is skipped with that reason.

    Args:
        checkpoint: the one that WeightWatcher scored.
        watched: WeightWatcher's result.
        metrics: names of the metrics that each row has; NaN where WeightWatcher has no such column.
    """
    outcomes = plan_checkpoint(checkpoint, WW_0_7.matrices)
    layers = {layer.tensor: layer for layer in watched.layers}
    first_with: dict[object, str] = {}
    rows: list[Row] = []
    for group in by_tensor(outcomes):
        first = group[0]
        if isinstance(first, SkippedTensor):
            rows.append(first)
            continue
        layer = layers.get(first.name)
        if layer is None:
            rows.append(_left_out([matrix for matrix in group if isinstance(matrix, WeightMatrix)]))
            continue
        # Recognise tied copies without a digest of their values: equal values give exactly equal numbers.
        content = (first.tensor.shape, *(layer.columns.get(name) for name in ("norm", "sv_max", "sv_min")))
        source = first_with.setdefault(content, first.name) if isfinite(layer.columns["alpha"]) else first.name
        rows.append(
            _scored(first, layer, metrics) if source == first.name else tied_copy(first.tensor, source, first)
        )
    return tuple(rows)


def _scored(matrix: WeightMatrix, layer: WatchedLayer, metrics: Sequence[str]) -> LayerScore:
    values = {name: layer.columns.get(WW_0_7.label(name), nan) for name in metrics}
    columns = layer.columns
    failed = isnan(columns["alpha"])
    fit = PowerLawFit(
        alpha=columns["alpha"],
        xmin=columns["xmin"],
        D=columns["D"],
        sigma=columns["sigma"],
        n_tail=0 if failed else int(columns["num_pl_spikes"]),
    )
    return LayerScore(
        matrix=matrix,
        metrics=values,
        verdict="degenerate" if failed else "ok",
        reason="WeightWatcher's fit failed" if failed else "",
        flags=(*matrix.flags, *((FLIPPED_SIGN,) if columns["lambda_max"] < 1 else ())),
        spectrum=Spectrum(np.empty(0), matrix.rows, matrix.columns, matrix.slices, 0.0, "unknown"),
        fit=None if failed else fit,
    )


def _left_out(matrices: Sequence[WeightMatrix]) -> SkippedTensor:
    """Skip a tensor that WeightWatcher did not score; one that is too small belongs in no average anyway."""
    first = matrices[0]
    minimum = WW_0_7.matrices.min_eigenvalues
    too_small = min(first.rows, first.columns) * first.slices < minimum
    return SkippedTensor(
        name=first.tensor.name,
        shape=first.tensor.shape,
        dtype=first.tensor.dtype.name,
        role=first.role,
        reason=f"fewer than {minimum} eigenvalues" if too_small else "WeightWatcher does not score it",
        kind="not-a-matrix" if too_small else "unread",
        weights=0 if too_small else sum(matrix.parameters for matrix in matrices),
        depth=first.depth,
    )
