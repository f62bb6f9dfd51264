"""One model's result: its rows and its summary; or why there is none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from wqscore.fits.sampling import Sampling
from wqscore.matrices.architecture import Architecture
from wqscore.matrices.weight_matrix import SkippedTensor
from wqscore.presets.preset import Preset
from wqscore.refs.reference import Model, ModelRef
from wqscore.rendering.numbers import beside, ends
from wqscore.results import Result, opened
from wqscore.scoring.layer_score import LayerScore
from wqscore.scoring.matrix_spectrum import MatrixSpectrum
from wqscore.scoring.summary import ModelSummary
from wqscore.spectra.in_single import DOUBLE, Precision

if TYPE_CHECKING:
    import altair as alt


@dataclass(frozen=True, repr=False)
class ModelScore(Result):
    """A scored model: a row for each matrix and each skipped tensor, and the summary.

    Attributes:
        ref: the requested model.
        revision: the 40-hex commit on the Hub, `None` for files on disk.
        declared_family: the family that a model list gives it; empty if none does.
        architecture: its architecture and size.
        parameters: weights of all tensors, shared bytes once; `None` where it can't be told.
        preset: the constants used.
        sampling: the seed of every random step, and how much random work was done.
        metrics: names of the requested metrics, in the order of their columns.
        rows: the rows, embeddings first, then by layer, heads last.
        summary: statistics over the rows that count.
        engine: what computed the rows.
        base: what distances were measured from, as `label@revision`; empty without.
        solver: what solved on a device of torch; empty for LAPACK.
        precision: in what that solved; of `single`, the rows with the flag `float32` alone.
        remarks: lines that say what was taken as the model where its files hold more than one, and what was left out.
        selection: which matrices were chosen, as on the command line; empty for all.
        declared_base: the model on the Hub that its configuration says it comes from; empty if it names none.
        gauge: the form of the weights that was scored: `none` for the stored one, or `balanced`.
        gauge_spread: how far the number that ranks moves where the function doesn't; 0 where that is not known.
    """

    ref: ModelRef
    revision: str | None
    declared_family: str
    architecture: Architecture
    parameters: int | None
    preset: Preset
    sampling: Sampling
    metrics: tuple[str, ...]
    rows: tuple[LayerScore | SkippedTensor, ...]
    summary: ModelSummary
    engine: str = "wqscore"
    base: str = ""
    solver: str = ""
    precision: Precision = DOUBLE
    remarks: tuple[str, ...] = ()
    selection: str = ""
    declared_base: str = ""
    gauge: str = "none"
    gauge_spread: float = 0.0

    def __repr__(self) -> str:
        """The model, what its preset ranks by, and how many matrices are behind it."""
        summary, by = self.summary, self.preset.by
        value = ""
        if by in summary.statistics:
            interval = summary.interval(by)
            found = f" ({ends(interval)})" if interval else ""
            value = f"{by} {beside(summary.headline(by, self.preset), interval)}{found}, "
        fitted = f"{summary.n_fitted} of {summary.n_matrices} matrices fitted, {summary.n_ok} ok"
        return f"<ModelScore {self.ref.label:.80}: {value}{fitted}>"

    @property
    def family(self) -> str:
        """The model's family, from a list, or else from its configuration; empty if neither names one."""
        return self.declared_family or self.architecture.family

    @property
    def family_id(self) -> str:
        """The family from this model alone, for joining tables of several runs.

        The name from a list or from `--family`; else architecture and padded vocabulary; else a digest of the
        tensors' names and shapes. The family that it is ranked with may depend on the other models (`families`).
        """
        return self.family or self.architecture.structure

    @property
    def seed(self) -> int:
        """The seed of every random step."""
        return self.sampling.seed

    @property
    def layers(self) -> tuple[LayerScore, ...]:
        """The scored matrices."""
        return tuple(row for row in self.rows if isinstance(row, LayerScore))

    @property
    def skipped(self) -> tuple[SkippedTensor, ...]:
        """The skipped tensors."""
        return tuple(row for row in self.rows if isinstance(row, SkippedTensor))

    def plot(
        self,
        chart: Literal["depth", "spectrum", "distance"] = "depth",
        *,
        layer: str | None = None,
        metric: str = "alpha",
        bulk: bool = False,
        shuffled: bool = False,
        model: Model = None,
    ) -> alt.TopLevelMixin:
        """Draw the model, or one of its matrices, as an Altair chart; `chart.save("x.svg")` writes it.

        Args:
            chart: `depth`, a metric layer by layer; `spectrum`, the density of eigenvalues with the fitted tail; or
                `distance`, the KS distance of every candidate for xmin.
            layer: the matrix of the last two: its name, or a part that is in no other's. Without it `spectrum` draws
                all matrices, small.
            metric: what `depth` shows, one of the metrics of matrices that were computed.
            bulk: draw the Marchenko–Pastur law of the bulk over a spectrum.
            shuffled: draw the spectrum of the shuffled weights behind it; reads the weights again.
            model: where to read them, for a model that was in memory.

        Raises:
            UsageError: there is no such chart, matrix or metric, or an argument is not for this chart.
            CheckpointError: there is nothing to draw, or the weights are not at hand any more.

        Example:
            `score.plot("spectrum", layer="3.attention.self.query", bulk=True)`
        """
        drawn: alt.TopLevelMixin = opened(self, "chart", chart, layer, metric, bulk, shuffled, model)
        return drawn

    def spectrum(self, name: str, *, shuffled: bool = False, model: Model = None) -> MatrixSpectrum:
        """The spectrum of one matrix as arrays: eigenvalues, the fitted tail, and the bulk.

        Nothing is solved again: a score holds the eigenvalues of its matrices.

        Args:
            name: the matrix's name, or a part that is in no other's.
            shuffled: also solve the matrix with its entries shuffled; reads the weights again.
            model: where to read them, for a model that was in memory.

        Raises:
            UsageError: no matrix has the name, or several.
            CheckpointError: the matrix has no spectrum; its weights are not at hand any more, or have changed.

        Example:
            `score.spectrum("3.attention.self.query").eigenvalues`
        """
        found: MatrixSpectrum = opened(self, "spectrum", name, shuffled, model)
        return found


@dataclass(frozen=True)
class Failure:
    """A requested model that could not be scored, and why in one line."""

    ref: ModelRef
    reason: str
