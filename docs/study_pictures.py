"""Draw the pictures of the studies' pages: `python -m docs.study_pictures`.

Those of docs/diff.md, docs/compress.md and docs/screen.md come from the demo's models, those of docs/track.md from
what `python -m benchmarks.digits_run` and `python -m benchmarks.landscape.plateaus` train.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import altair as alt
import vl_convert

import wqscore
from benchmarks.digits_run import write_run
from benchmarks.landscape.plateaus import course
from wqscore.studies.compress.low_rank import error_at, kept_rank
from wqscore.studies.kin.report import cosine_text
from wqscore.studies.track.condensed_chart import condensation_chart

ROOT = Path(__file__).parent.parent
BASE, TUNED = "rxnfp-bert_pretrained", ("rxnfp-bert_ft", "rxnfp-bert_ft_10k_25s")
DEMO = (BASE, *TUNED, "all-MiniLM-L6-v2", "rxnmapper-albert")
#: The metrics whose moves are drawn.
MOVING = ("alpha", "stable_rank")
#: Shares of the weights that are kept.
RATIOS = [share / 20 for share in range(1, 21)]
#: What widths are drawn of, and at which tolerances.
WIDE = (BASE, TUNED[0], "all-MiniLM-L6-v2", "rxnmapper-albert")
TOLERANCES = (1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.03, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3)
#: Only changes and spectra are drawn.
QUICK: dict[str, Any] = {"metrics": "stable_rank", "bootstrap": 0, "gof": 0}
_WIDTH, _HEIGHT = 320, 220


def changes() -> alt.Chart:
    """The change of each matrix of the layers, by depth, of both fine-tunes."""
    points = [
        {"layer": each.base.matrix.depth, "role": each.base.matrix.role, "change": each.delta.relative, "model": name}
        for name in TUNED
        for each in wqscore.diff(_folder(BASE), _folder(name), **QUICK).matrices
        if each.base.matrix.depth is not None
    ]
    return (
        _chart(points)
        .mark_point(filled=True, size=45)
        .encode(
            x=alt.X("layer:O", axis=alt.Axis(labelAngle=0)),
            y=alt.Y("change:Q", title="‖ΔW‖ / ‖W‖", axis=alt.Axis(format="%")),
            color=alt.Color("role:N", title=None),
            shape=alt.Shape("role:N", title=None),
            column=alt.Column("model:N", title=None),
        )
    )


def errors() -> alt.Chart:
    """What the matrices of each role lose at least, by the share of their weights that two factors keep."""
    found = wqscore.compress(_folder(TUNED[0]), **QUICK)
    points = [
        {"kept": ratio, "role": each.row.matrix.role, "error": error_at(spectrum, kept_rank(spectrum, ratio))}
        for each in found.matrices
        if each.row.matrix.depth is not None and (spectrum := each.row.spectrum)
        for ratio in RATIOS
    ]
    return (
        _chart(points)
        .mark_line()
        .encode(
            x=alt.X("kept:Q", title="weights kept", axis=alt.Axis(format="%")),
            y=alt.Y("mean(error):Q", title="norm lost", axis=alt.Axis(format="%")),
            color=alt.Color("role:N", title=None),
            strokeDash=alt.StrokeDash("role:N", title=None),
        )
    )


def cosines() -> alt.LayerChart:
    """The cosine of every two of the demo's models."""
    found = wqscore.kin([_folder(name) for name in DEMO])
    points = [
        {"a": a, "b": b, "size": abs(pair.cosine), "shown": cosine_text(pair)}
        for pair in found.pairs
        for a, b in ((DEMO[pair.a], DEMO[pair.b]), (DEMO[pair.b], DEMO[pair.a]))
    ]
    chart = _chart(points).encode(
        x=alt.X("a:O", title=None, sort=DEMO, axis=alt.Axis(labelAngle=-30, labelLimit=200)),
        y=alt.Y("b:O", title=None, sort=DEMO, axis=alt.Axis(labelLimit=200)),
    )
    scale = alt.Scale(domain=[0, 1], range=[0.04, 0.75])
    shades = chart.mark_rect(color="#0072B2").encode(opacity=alt.Opacity("size:Q", scale=scale, legend=None))
    return alt.layer(shades, chart.mark_text().encode(text="shown:N"))


def moves() -> alt.Chart:
    """How far two numbers of a fine-tune move under each transformation that keeps its function."""
    found = wqscore.symmetry(_folder(TUNED[1]), metrics=",".join(MOVING))
    points = [
        {"transformation": each.name, "metric": metric, "moves": moved.spread / stored}
        for each in found.transformations
        for metric, moved in each.metrics.items()
        if (stored := found.score.summary.headline(metric, found.score.preset))
    ]
    return (
        alt.Chart(alt.Data(values=points), width=_WIDTH * 2 // 3, height=_HEIGHT * 2 // 3)
        .mark_bar()
        .encode(
            x=alt.X("moves:Q", title="of the stored number", axis=alt.Axis(format="%", tickCount=4)),
            y=alt.Y("transformation:N", title=None, sort=None),
            color=alt.Color("transformation:N", legend=None),
            column=alt.Column("metric:N", title=None),
        )
    )


def widths() -> alt.Chart:
    """The share of neurons that is left by the tolerance at which they are merged, of each model."""
    found = {name: wqscore.width(_folder(name), tolerances=TOLERANCES) for name in WIDE}
    points = [
        {"tolerance": tolerance, "left": left / each.stored, "model": name}
        for name, each in found.items()
        for tolerance, left in zip(each.tolerances, each.effective, strict=True)
    ]
    return (
        _chart(points)
        .mark_line(point=True)
        .encode(
            x=alt.X("tolerance:Q", scale=alt.Scale(type="log"), axis=alt.Axis(grid=False, values=TOLERANCES[::3])),
            y=alt.Y("left:Q", title="neurons left", axis=alt.Axis(format="%"), scale=alt.Scale(domain=[0, 1])),
            color=alt.Color("model:N", title=None),
            strokeDash=alt.StrokeDash("model:N", title=None),
        )
    )


def along() -> alt.HConcatChart:
    """Norm, alpha and test accuracy over the steps of a network that learns digits."""
    with TemporaryDirectory() as folder:
        write_run(Path(folder))
        found = wqscore.track(folder, known=Path(folder) / "known.csv", bootstrap=0, gof=0)
    frame = found.to_frame()
    names = {"log_spectral_norm": "log spectral norm", "alpha": "alpha", "accuracy": "test accuracy"}
    points = [
        {"step": int(row["step"]), "value": float(row[name]), "what": what}
        for name, what in names.items()
        for _, row in frame.iterrows()
    ]
    charts = [
        _chart([point for point in points if point["what"] == what])
        .mark_line(point=True)
        .encode(
            x=alt.X("step:Q", scale=alt.Scale(type="log")),
            y=alt.Y("value:Q", title=what, scale=alt.Scale(zero=False)),
        )
        .properties(width=_WIDTH * 2 // 3)
        for what in names.values()
    ]
    return alt.hconcat(*charts)


def condensing() -> str:
    """The effective width and the loss of a wide network from a small start, as the page of `track` draws them."""
    with TemporaryDirectory() as above:
        folder = Path(above) / "run"
        course("width 50, small start", folder)
        given: dict[str, Any] = {"known": folder / "known.csv", "condensation": True, "activation": "tanh"}
        drawing = condensation_chart(wqscore.track(folder, **given, **QUICK))
    assert drawing is not None, "the run has many steps"
    return str(drawing).replace("<svg ", '<svg style="background: white" ', 1)


def outliers() -> alt.LayerChart:
    """How far each module of a fine-tune is from its siblings, by depth, with the limit."""
    (adapter,) = wqscore.screen(_folder(TUNED[0]), base=_folder(BASE)).adapters
    points = [
        {"layer": each.module.matrix.depth, "role": each.module.matrix.role, "z": each.z["energy_share"]}
        for each in adapter.modules
        if each.z
    ]
    y = alt.Y("z:Q", title="z of energy share")
    marks = (
        _chart(points)
        .mark_point(filled=True, size=45)
        .encode(
            x=alt.X("layer:O", axis=alt.Axis(labelAngle=0)),
            y=y,
            color=alt.Color("role:N", title=None),
            shape=alt.Shape("role:N", title=None),
        )
    )
    limit = alt.Chart(alt.Data(values=[{"z": adapter.limit}])).mark_rule(strokeDash=[5, 4]).encode(y=y)
    return alt.layer(limit, marks)


def _folder(name: str) -> str:
    return str(ROOT / "checkpoints" / name)


def _chart(points: list[dict[str, Any]]) -> alt.Chart:
    return alt.Chart(alt.Data(values=points), width=_WIDTH, height=_HEIGHT)


def draw(chart: alt.TopLevelMixin, file: Path) -> None:
    """Write a chart as SVG on white, for the light and the dark page alike."""
    document = chart.to_dict() | {"background": "white"}
    file.write_text(vl_convert.vegalite_to_svg(document), encoding="utf-8")


if __name__ == "__main__":
    draw(changes(), ROOT / "docs" / "images" / "diff-by-layer.svg")
    draw(cosines(), ROOT / "docs" / "images" / "kin-cosines.svg")
    draw(errors(), ROOT / "docs" / "images" / "compress-by-role.svg")
    draw(moves(), ROOT / "docs" / "images" / "symmetry-moves.svg")
    draw(widths(), ROOT / "docs" / "images" / "width-by-tolerance.svg")
    draw(along(), ROOT / "docs" / "images" / "track-digits.svg")
    (ROOT / "docs" / "images" / "track-condensation.svg").write_text(condensing(), encoding="utf-8")
    draw(outliers(), ROOT / "docs" / "images" / "screen-by-layer.svg")
