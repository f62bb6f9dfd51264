"""The site's charts: small SVG made during the build, without ids, scripts or inline styles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor
from statistics import median

from markupsafe import Markup, escape

from wqscore.escaping import printable
from wqscore.leaderboards.record import Figure, MatrixRecord
from wqscore.rendering.numbers import figure
from wqscore.reports.html.verdict_shares import COLOURS

#: Beyond this many marks, each layer and kind is one mark at their median.
MAX_MARKS = 300
#: Longest name of a mark, in characters.
_LONGEST = 60
#: Steps of the axis under intervals, the first with few enough ticks.
_AXIS_STEPS = tuple(digit * 10.0**power for power in range(-9, 12) for digit in (1, 2, 5))
_AXIS_TICKS = 6
_KINDS = {"attention": "circle", "mlp": "square"}
_OTHER = "other"


@dataclass(frozen=True)
class Scale:
    """A linear map from values to positions."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """Return the position of a value, with one decimal."""
        share = (value - self.low) / (self.high - self.low) if self.high > self.low else 0.5
        return round(self.start + share * (self.end - self.start), 1)


def common_scale(figures: Sequence[Figure | None], width: float = 120) -> Scale:
    """Return one scale for the values and intervals of several models."""
    ends = [end for f in figures if f for end in (f.value, *(f.interval or ())) if end is not None] or [0.0]
    return Scale(min(ends), max(ends), 5, width - 5)


def interval(found: Figure | None, scale: Scale) -> Markup:
    """Draw a value as a dot and its interval as a bar; empty without a value."""
    if found is None or found.value is None:
        return Markup()
    bar = Markup()
    if found.interval is not None:
        bar = Markup('<line x1="{}" x2="{}" y1="6" y2="6"/>').format(*map(scale.at, found.interval))
    dot = Markup('<circle cx="{}" cy="6" r="3.5"/>').format(scale.at(found.value))
    return Markup('<svg class="interval" width="120" height="12" aria-hidden="true">{}{}</svg>').format(bar, dot)


def axis(scale: Scale) -> Markup:
    """Draw the axis under a column of intervals: a line with ticks at round numbers and at most seven labels."""
    if scale.high <= scale.low:
        return Markup()
    step = next(each for each in _AXIS_STEPS if (scale.high - scale.low) / each <= _AXIS_TICKS)
    ticks = [step * n for n in range(ceil(scale.low / step), floor(scale.high / step) + 1)]
    tick = Markup('<line x1="{0}" x2="{0}" y1="1" y2="5"/><text x="{0}" y="15">{1}</text>')
    drawn = Markup().join(tick.format(scale.at(value), figure(value)) for value in ticks)
    return Markup(
        '<svg class="axis" width="120" height="18" aria-hidden="true"><line x1="5" x2="115" y1="1" y2="1"/>{}</svg>'
    ).format(drawn)


def verdict_bar(verdicts: Mapping[str, int]) -> Markup:
    """Draw the shares of the verdicts as one bar, in the report's order and colours."""
    total = sum(verdicts.values()) or 1
    parts, start = Markup(), 0.0
    for name, count in in_order(verdicts):
        width = 100 * count / total
        parts += Markup('<rect x="{}" y="0" width="{}" height="10" fill="{}"/>').format(
            round(start, 2), round(width, 2), _colour(name)
        )
        start += width
    return Markup(
        '<svg class="shares" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">{}</svg>'
    ).format(parts)


def verdict_mark(verdict: str) -> Markup:
    """Draw the mark of a verdict's colour."""
    return Markup(
        '<svg class="mark" viewBox="0 0 1 1" aria-hidden="true"><path fill="{}" d="M0 0h1v1H0z"/></svg>'
    ).format(_colour(verdict))


def in_order(verdicts: Mapping[str, int]) -> list[tuple[str, int]]:
    """Return the verdicts with their counts in the report's order, unknown ones of other versions last."""
    order = list(COLOURS)
    return sorted(verdicts.items(), key=lambda each: order.index(each[0]) if each[0] in order else len(order))


def _colour(verdict: str) -> str:
    return COLOURS.get(verdict, "currentColor")


def sparkline(values: Sequence[float | None], name: str) -> Markup:
    """Draw values night by night as a line; empty with fewer than two."""
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return Markup()
    across = Scale(0, len(known) - 1, 6, 234)
    up = Scale(min(known), max(known), 42, 6)
    points = [(across.at(i), up.at(value)) for i, value in enumerate(known)]
    line = " ".join(f"{x},{y}" for x, y in points)
    x, y = points[-1]
    label = f"{name} from {figure(known[0])} to {figure(known[-1])} over {len(known)} changes"
    return Markup(
        '<svg class="spark" viewBox="0 0 240 48" width="240" height="48" role="img" aria-label="{}">'
        '<polyline points="{}"/><circle cx="{}" cy="{}" r="4"/></svg>'
    ).format(label, line, x, y)


def alpha_by_depth(matrices: Sequence[MatrixRecord], headline: float | None) -> Markup:
    """Draw alpha by layer, each kind of matrix with its shape and colour; empty without any alpha.

    Args:
        matrices: the model's matrices, embeddings and heads included.
        headline: the model's alpha, drawn as a line; `None` without one.
    """
    marks = _marks(matrices)
    if not marks:
        return Markup()
    alphas = [alpha for _, alpha, _, _ in marks] + ([] if headline is None else [headline])
    depths = [depth for depth, _, _, _ in marks]
    x = Scale(min(depths), max(depths), 56, 704)
    y = Scale(min(1.0, *alphas), max(alphas), 226, 28)
    body = Markup().join(_axis_y(y)) + Markup().join(_axis_x(x, sorted({int(d) for d in depths})))
    if headline is not None:
        body += Markup('<line class="median" x1="48" x2="712" y1="{0}" y2="{0}"/>').format(y.at(headline))
    body += Markup().join(_mark(x.at(depth), y.at(alpha), kind, title) for depth, alpha, kind, title in marks)
    label = f"alpha of {len(marks)} {'medians by layer' if len(matrices) > MAX_MARKS else 'matrices'} by layer"
    return Markup('<svg class="depth" viewBox="0 0 720 268" role="img" aria-label="{}">{}</svg>').format(label, body)


def kinds_of(matrices: Sequence[MatrixRecord]) -> list[str]:
    """Return the kinds that the chart by depth shows, in order."""
    present = {_kind(row) for row in matrices if row.alpha is not None}
    return [kind for kind in (*_KINDS, _OTHER) if kind in present]


def legend_mark(kind: str) -> Markup:
    """Draw a kind's mark for the legend."""
    return Markup('<svg class="depth mark" viewBox="-7 -7 14 14" aria-hidden="true">{}</svg>').format(
        _mark(0, 0, kind)
    )


def _marks(matrices: Sequence[MatrixRecord]) -> list[tuple[float, float, str, str]]:
    """Depth, alpha, kind and name of each mark; matrices outside layers are left of the first layer."""
    found = [(float(-1 if r.depth is None else r.depth), r.alpha, _kind(r), r.name) for r in matrices if r.alpha]
    if len(found) <= MAX_MARKS:
        return found
    groups: dict[tuple[float, str], list[float]] = {}
    for depth, alpha, kind, _ in found:
        groups.setdefault((depth, kind), []).append(alpha)
    return [(depth, median(alphas), kind, "") for (depth, kind), alphas in sorted(groups.items())]


def _kind(row: MatrixRecord) -> str:
    start = row.role.split(".")[0]
    return start if start in _KINDS else _OTHER


def _mark(x: float, y: float, kind: str, title: str = "") -> Markup:
    """A mark as formatted text, with its only string escaped; formatting `Markup` takes several times as long."""
    name, geometry = {
        "attention": ("circle", f'cx="{x}" cy="{y}" r="5"'),
        "mlp": ("rect", f'x="{x - 4.5:.1f}" y="{y - 4.5:.1f}" width="9" height="9"'),
        _OTHER: ("path", f'd="M{x} {y - 6:.1f}l5 9h-10z"'),
    }[kind]
    end = f"><title>{escape(printable(title)[:_LONGEST])}</title></{name}>" if title else "/>"
    return Markup(f'<{name} class="{kind}" {geometry}{end}')


def _axis_y(y: Scale) -> list[Markup]:
    step = _step(y.high - y.low)
    ticks = [step * n for n in range(int(y.low / step), int(y.high / step) + 1) if y.low <= step * n <= y.high]
    line = Markup(
        '<line class="grid" x1="48" x2="712" y1="{0}" y2="{0}"/><text x="40" y="{1}" class="end">{2}</text>'
    )
    texts = [line.format(y.at(tick), y.at(tick) + 4, f"{tick:g}") for tick in ticks]
    return [*texts, Markup('<text x="8" y="12">alpha</text>')]


def _axis_x(x: Scale, depths: Sequence[int]) -> list[Markup]:
    every = max(1, -(-len(depths) // 16))
    text = Markup('<text x="{}" y="246" class="middle">{}</text>')
    ticks = [text.format(x.at(depth), "–" if depth < 0 else depth) for depth in depths[::every]]
    return [
        *ticks,
        Markup('<text x="712" y="264" class="end">layer{}</text>').format(" (–: in none)" if depths[0] < 0 else ""),
    ]


def _step(extent: float) -> float:
    """A round distance that gives three to seven ticks."""
    for step in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100):
        if extent / step <= 7:
            return step
    return 10.0 ** len(str(int(extent)))
