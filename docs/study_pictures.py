"""Draw the pictures of the studies' pages: `python -m docs.study_pictures`.

Those of docs/diff.md, docs/compress.md and docs/screen.md come from the demo's models, that of docs/track.md from the
run that `python -m benchmarks.digits_run` trains.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import altair as alt
import vl_convert

import wqscore
from benchmarks.digits_run import write_run
from wqscore.studies.compress.low_rank import error_at, kept_rank

ROOT = Path(__file__).parent.parent
BASE, TUNED = "rxnfp-bert_pretrained", ("rxnfp-bert_ft", "rxnfp-bert_ft_10k_25s")
#: Shares of the weights that are kept.
RATIOS = [share / 20 for share in range(1, 21)]
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
    draw(errors(), ROOT / "docs" / "images" / "compress-by-role.svg")
    draw(along(), ROOT / "docs" / "images" / "track-digits.svg")
    draw(outliers(), ROOT / "docs" / "images" / "screen-by-layer.svg")
