"""Charts of one matrix, or of all matrices of a model side by side: spectra, and the scan for xmin."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from wqscore.errors import CheckpointError
from wqscore.rendering.html import charts, figures
from wqscore.rendering.numbers import figure
from wqscore.reports.html.explorer import log_histogram
from wqscore.reports.plots.picture import USUAL, Look, Picture, Rows, picture
from wqscore.scoring.layer_score import LayerScore
from wqscore.scoring.matrix_spectrum import MatrixSpectrum
from wqscore.scoring.model_score import ModelScore

#: Small charts beside each other, and their sizes in points.
_COLUMNS, _SMALL_WIDTH, _SMALL_HEIGHT = 5, 120, 80
#: Around the small charts of a row: labels, and the space between them.
_AROUND = 30
#: Characters of the label of a small chart, and the least eigenvalue in it, as a share of the largest.
_LABEL, _DOWN_TO = 22, 1e-6
#: The law of a bulk is drawn where it is above this share of the least density of a bin.
_LEAST = 0.1


def spectrum_picture(score: ModelScore, found: MatrixSpectrum, bulk: bool = False) -> Picture:
    """The density of a matrix's eigenvalues with its fitted tail, and that of its shuffle where it has one.

    Args:
        score: the model, for the title.
        found: the spectrum.
        bulk: whether the Marchenko–Pastur law of the bulk is drawn too.
    """
    data = _datasets(found, bulk)
    row = next(row for row in score.layers if row.matrix.name == found.name)
    spec = figures.spectrum(charts.spectrum(), list(data))
    return picture(spec, data, found.name, _below(score, row))


def distance_picture(score: ModelScore, row: LayerScore) -> Picture:
    """The KS distance at every candidate for xmin of a matrix with eigenvalues."""
    eigenvalues = row.spectrum.eigenvalues
    scan = score.preset.fits.scan(eigenvalues, score.preset.floor(row.spectrum), eigenvalues.size, row.fit)
    rows = [{"eigenvalue": float(x), "D": float(d)} for x, d in zip(scan.xmin, scan.D, strict=True)]
    least = [{"eigenvalue": row.fit.xmin, "D": row.fit.D}] if row.fit else []
    return picture(charts.distance(), {"scan": rows, "xmin": least}, row.matrix.name, _below(score, row))


def spectra_picture(score: ModelScore, spectra: Sequence[MatrixSpectrum], bulk: bool, look: Look = USUAL) -> Picture:
    """The spectra of many matrices on common axes, a small chart each.

    Args:
        score: the model.
        spectra: at least one, each with eigenvalues above the floor or not.
        bulk: as for `spectrum_picture`.
        look: its width is shared by the small charts.

    Raises:
        CheckpointError: no matrix has a spectrum.
    """
    if not spectra:
        raise CheckpointError(f"{score.ref.label}: no matrix has a spectrum to draw: wqscore score says why")
    labels = _labels(score, spectra)
    rows = [
        {"matrix": label, "kind": kind, **row}
        for label, found in zip(labels, spectra, strict=True)
        for kind, dataset in _datasets(found, bulk).items()
        for row in dataset
        if float(str(row["eigenvalue"])) >= _DOWN_TO * found.spectrum.largest
    ]
    across = _SMALL_WIDTH if look.width is None else max(40.0, look.width * 72 / _COLUMNS - _AROUND)
    one = figures.spectrum(charts.spectrum(), list(dict.fromkeys(str(row["kind"]) for row in rows)))
    spec = figures.spectra_grid(one, labels, _COLUMNS, across, across * _SMALL_HEIGHT / _SMALL_WIDTH)
    below = [f"{len(spectra)} matrices: density against eigenvalue λ, down to 1e-6 of the largest"]
    return picture(spec, {"spectra": rows}, score.ref.label, below, width=None)


def _labels(score: ModelScore, spectra: Sequence[MatrixSpectrum]) -> list[str]:
    """Layer and role of each matrix; the end of its name where another has the same, or it is in no layer."""
    depths = {row.matrix.name: row.matrix.depth for row in score.layers}
    short = [found.name if depths[found.name] is None else f"{depths[found.name]} {found.role}" for found in spectra]
    times = Counter(short)
    own = [found.name if times[label] > 1 else label for found, label in zip(spectra, short, strict=True)]
    ends = [label if len(label) <= _LABEL else f"…{label[1 - _LABEL :]}" for label in own]
    return own if len(set(ends)) < len(own) else ends


def _datasets(found: MatrixSpectrum, bulk: bool) -> Rows:
    """The rows of `charts.spectrum` and of the shuffle, by dataset; those without rows are left out."""
    density = _density(found.fitted)
    data = {"density": density, "tail": _tail(found), "xmin": _xmin(found)}
    if bulk and density:
        least = _LEAST * min(row["density"] for row in density)
        points = zip(*(values.tolist() for values in found.bulk_density), strict=True)
        data["law"] = [{"eigenvalue": x, "density": y} for x, y in points if y > least]
        data["edge"] = [{"eigenvalue": found.bulk.bulk_max}] if data["law"] else []
    if found.shuffled is not None:
        data["shuffled"] = _density(found.shuffled[found.shuffled > found.floor])
    return {name: rows for name, rows in data.items() if rows}


def _below(score: ModelScore, row: LayerScore) -> list[str]:
    fit = row.fit
    numbers = "no fitted tail"
    if fit is not None:
        lo, hi = (row.metrics.get(name) for name in ("alpha_lo", "alpha_hi"))
        interval = f" ({figure(lo)} to {figure(hi)})" if lo is not None and hi is not None else ""
        numbers = (
            f"alpha {figure(fit.alpha)}{interval} · xmin {figure(fit.xmin)} · D {figure(fit.D)} · n {fit.n_tail}"
        )
    return [score.ref.label, f"{numbers} · {row.verdict}"]


def _xmin(found: MatrixSpectrum) -> list[dict[str, float]]:
    return [{"eigenvalue": found.fit.xmin}] if found.fit else []


def _density(eigenvalues: np.ndarray) -> list[dict[str, float]]:
    """Count and density of each bin of log λ that is not empty."""
    if not eigenvalues.size:
        return []
    counts, edges = log_histogram(eigenvalues)
    return [
        {
            "eigenvalue": float(10 ** ((left + right) / 2)),
            "density": float(count / eigenvalues.size / (10**right - 10**left)),
            "count": int(count),
        }
        for count, left, right in zip(counts, edges[:-1], edges[1:], strict=True)
        if count
    ]


def _tail(found: MatrixSpectrum) -> list[dict[str, float]]:
    """The ends of the fitted density, scaled to the tail's share of the eigenvalues: a line on log axes."""
    fit, fitted = found.fit, found.fitted
    if fit is None or not fitted.size:
        return []
    height = fit.n_tail / fitted.size * (fit.alpha - 1) / fit.xmin
    end = float(fitted[-1])
    return [
        {"eigenvalue": fit.xmin, "density": height},
        {"eigenvalue": end, "density": height * (end / fit.xmin) ** -fit.alpha},
    ]
