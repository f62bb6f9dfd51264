"""What the columns of a report's tables mean, in words: their tooltips, which screen readers read too."""

from __future__ import annotations

from types import MappingProxyType

from wqscore.metrics.metric import MatrixMetric, Metric
from wqscore.metrics.registry import METRICS
from wqscore.presets.preset import Preset

#: Columns that are no metric, by their label.
COLUMN_WORDS = MappingProxyType(
    {
        "rank": "1 is best within the family. An equals sign marks a rank that models with equal numbers share.",
        "model": "The model; the link leads to everything about it.",
        "family": "Models of one architecture, trained differently. Only these can be compared.",
        "95 % interval": "Where the number lies when the model's matrices are drawn again within their roles. The "
        "dot is the number itself. Fewer than 6 matrices have no interval.",
        "from 0": "The number as a bar that begins at 0.",
        "could be": "The ranks that the model could have, given which others are ahead of it beyond doubt.",
        "ties": "Models that share a letter and a band can't be told apart over their layers.",
        "ok": "Matrices whose fit can be trusted, of all that were fitted.",
        "coverage": "The share of the weights behind the number that have a fit. Below 50 % a model is not ranked.",
        "parameters": "The number of weights in the file.",
        "fitted": "Matrices behind the number that have a fit, of those that should have one.",
        "layers": "The number of layers.",
        "hidden size": "The width of a layer.",
        "mean": "The mean over the model's matrices.",
        "median": "The median over the model's matrices.",
        "status": "Unranked: scored, but the score can't be trusted with a rank. Failed: could not be scored.",
        "reason": "Why, in words.",
        "matrix": "A weight matrix by its name in the file; a click shows it in the layer explorer.",
        "name": "The name of the weight matrix in the file; a click shows it in the layer explorer.",
        "role": "What the matrix does in the model.",
        "alpha": "How fast the upper tail of the eigenvalues falls; trained layers usually lie between 2 and 6.",
        "interval of alpha": "The 95 % interval of alpha if the matrix's eigenvalues were resampled.",
        "verdict": "Whether the fit means anything: only ok ones are sound.",
        "why": "Why the matrix is listed here, the most serious reason first.",
        "A": "The model with the better rank.",
        "B": "The model that it is compared with.",
        "A − B": "The difference of the numbers that rank.",
        "interval of A − B": "The 95 % interval of the shift of the matrices' values; too few matrices have none. A "
        "difference counts only if this excludes 0.",
        "smallest difference that counts": "A difference up to this is a tie: a thousandth of the metric's spread "
        "over the matrices, and what rounding in the file can do.",
        "p, Holm": "How often chance is as one-sided, with Holm's correction for all pairs of the family.",
        "result": "Tied unless the interval excludes 0, p is small enough and the difference is large enough.",
        "largest change": "The matrix that differs most, either way.",
        "pair": "The two models: the first one's number minus the second one's.",
        "typical change": "The median of the matrices' differences without their signs.",
        "in": "The matrix with the largest change.",
        "p": "The share of sign flips of the differences that are as one-sided, or of exchanges within roles where "
        "no matrices are paired.",
        "matrices": "How many matrices are counted.",
        "pairs": "Matrices of the same name and shape in both models.",
        "lost": "Matrices that only one of the two models has.",
        "lowest": "The difference if those that only one has took the worst value.",
        "highest": "The difference if those that only one has took the best value.",
        "layer": "The layer, counted from 0; a dash for a matrix outside the layers.",
        "first": "The value in the first model.",
        "second": "The value in the second model.",
        "difference": "The first value minus the second.",
        "verdicts": "The verdict in both models, or the first's and the second's.",
        "shares": "The verdicts as shares of a bar, in the order of the columns.",
        "order": "1 is the largest.",
        "singular value": "A singular value of the weights.",
        "of the largest": "As a share of the largest.",
        "beyond the bulk’s edge": "Whether it is larger than noise of the bulk's variance would have.",
        "metric": "What is measured; its formula is under How it was computed.",
        "of ok ones": "The median over the matrices with the verdict ok.",
        "interval of the headline": "Where the number lies when the matrices are drawn again within their roles.",
        "trimmed": "The mean without the lowest and the highest tenth.",
        "weighted": "The mean in which each matrix counts by its number of weights.",
        "value": "The model's number.",
        "rows": "The rows of the matrix.",
        "columns": "The columns of the matrix.",
        "gauge": "The form of the weights that was scored: balanced, the one that equal functions share.",
        "flags": "What else a reader should know; a flag takes no matrix out of an average.",
        "tensor": "The name of the tensor in the file.",
        "shape": "The sides of the tensor.",
        "dtype": "The type that the file stores.",
        "kind": "Unread: should have been scored. Tied: scored elsewhere. Not-a-matrix: nothing to score.",
        "tensors": "How many tensors are skipped for this reason.",
        "missing weights": "Weights that belong in the averages and are missing from them.",
        "of a": "Whether the metric is one of a matrix or of the whole model.",
        "formula": "λ are the eigenvalues of WᵀW, log is to base 10.",
        "unit": "w is the unit of the weights.",
        "claimed better": "The direction that the literature claims to be better.",
        "source": "Where the definition comes from.",
        "known to fail": "Where the claim is known to fail.",
        "cost": "What the metric needs beyond the eigenvalues.",
    }
)

#: Columns of counts: matrices with a verdict.
VERDICT_WORDS = MappingProxyType(
    {
        "ok": "Matrices with a sound fit.",
        "unstable": "Matrices that other, quite different alphas fit almost as well.",
        "undecided": "Matrices too close to a limit for a verdict.",
        "no-power-law": "Matrices whose spectrum is far from a power law, and improbably so.",
        "trap": "Matrices with single entries so large that they alone become eigenvalues.",
        "random": "Matrices that look the same after their entries are shuffled.",
        "too-small": "Matrices with too few eigenvalues for a fit that means anything.",
        "degenerate": "Matrices whose eigenvalues are nearly all equal.",
        "zero": "Matrices in which every weight is 0.",
        "non-finite": "Matrices with weights that are no numbers.",
    }
)


def metric_words(metric: Metric) -> str:
    """A metric's definition, and which way it is claimed to be better."""
    whole = "" if isinstance(metric, MatrixMetric) else " Of the whole model."
    return f"{metric.formula}.{whole} Claimed better: {metric.better}."


def words_by_label(preset: Preset) -> dict[str, str]:
    """What a column of numbers means, by the label that a preset gives it; columns that are no metric included."""
    return {**{preset.label(name): metric_words(metric) for name, metric in METRICS.items()}, **COLUMN_WORDS}
