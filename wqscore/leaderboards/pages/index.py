"""The pages of many models, complete without scripts: the index and the families, split into pages by size."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from markupsafe import Markup

from wqscore.escaping import printable
from wqscore.fits.interval import MIN_VALUES
from wqscore.leaderboards.pages.cells import counted, last_change, packed, site_environment
from wqscore.leaderboards.pages.charts import common_scale
from wqscore.leaderboards.pages.meaning import meaning_of
from wqscore.leaderboards.record import Figure
from wqscore.leaderboards.site import MAX_BYTES, ListedState, Site
from wqscore.metrics.registry import METRICS
from wqscore.reports.tables import has_interval_columns

#: Events and withdrawn models listed on the first page, and families.
_MAX_EVENTS, _MAX_FAMILIES = 25, 80
#: With more families than this, their answers stand below the table.
_MAX_IN_HEADER = 3
#: Bytes for the rows; the rest of a page is for the frame and the lists of the first page.
_ROWS = MAX_BYTES - 60_000
#: Digits of the numbers that the script sorts by and shows four of; enough that rounding twice does not show.
_DIGITS = 9

Frame = Mapping[str, Any]
Pages = Iterator[tuple[str, Callable[[], str]]]


def index_pages(site: Site, frame: Frame) -> Pages:
    """Return the pages of the index: `index.html`, `index-2.html` and so on."""
    scale = common_scale([_figure(model, site.by.name) for model in site.models])
    rows = _rows()
    firsts = [before is not None and before.family != model.family for before, model in _with_before(site.models)]
    made = packed(
        [rows.index_row(model, site, scale, first) for model, first in zip(site.models, firsts, strict=True)], _ROWS
    )
    template = site_environment().get_template("site_index.html.j2")
    for page, chunk in enumerate(made, 1):
        yield (
            f"index{f'-{page}' if page > 1 else ''}.html",
            partial(
                template.render,
                root="",
                rows=_joined(chunk),
                scale=scale,
                page=page,
                pages=len(made),
                summary=_summary(site),
                answers=_answers(site),
                in_header=len(site.families) <= _MAX_IN_HEADER,
                meaning=meaning_of(site.by),
                sizes=Counter(model.family for model in site.models),
                most_events=_MAX_EVENTS,
                most_families=_MAX_FAMILIES,
                **frame,
            ),
        )


def family_pages(site: Site, family: str, frame: Frame) -> Pages:
    """Return the pages of one family, with every metric of its models; withdrawn models are left out."""
    members = [model for model in site.models if model.family == family]
    scale = common_scale([_figure(model, site.by.name) for model in members])
    metrics = sorted(site.metrics, key=lambda name: name != site.by.name)
    rows = _rows()
    made = packed([rows.family_row(model, metrics, site, scale) for model in members], _ROWS)
    template = site_environment().get_template("site_family.html.j2")
    for page, chunk in enumerate(made, 1):
        yield (
            f"families/{site.family_files[family]}{f'~p{page}' if page > 1 else ''}.html",
            partial(
                template.render,
                root="../",
                family=family,
                count=len(members),
                metrics=metrics,
                answer=site.answers.get(family, site.answers.get("", "")),
                rows=_joined(chunk),
                scale=scale,
                page=page,
                pages=len(made),
                **frame,
            ),
        )


def index_data(site: Site) -> str:
    """Return the data that the index's script filters and sorts; a script too, since a page on disk can't fetch."""
    data = {
        "night": site.night,
        "by": site.by.name,
        "metrics": [{"name": name, "better": METRICS[name].better} for name in site.metrics],
        "known": bool(site.known),
        "models": [_model(site, model) for model in site.models],
    }
    return f"const leaderboard = {json.dumps(data, separators=(',', ':'), allow_nan=False)};\n"


def _model(site: Site, model: ListedState) -> dict[str, Any]:
    record = model.record
    return {
        "name": printable(model.name),
        "page": f"models/{model.slug}.html",
        "status": model.status,
        "since": model.since,
        "reason": printable(model.reason),
        "warning": printable(record.warning) if record else "",
        "family": printable(model.family),
        "families": f"families/{site.family_files[model.family]}.html" if model.family else "",
        "rank": record.rank if record else None,
        "best": record.rank_best if record else None,
        "worst": record.rank_worst if record else None,
        "tied": bool(record and record.tied),
        "ties": " ".join(record.ties) if record and model.status == "scored" else "",
        "size": record.parameters if record else None,
        "licence": printable(model.licence),
        "year": model.year,
        "coverage": record.coverage if record else None,
        "changed": last_change(model),
        "known": _short(site.known.values.get(model.name)) if site.known else None,
        "figures": [_short_figure(_figure(model, name), name) for name in site.metrics],
    }


def _with_before(models: Sequence[ListedState]) -> Iterator[tuple[ListedState | None, ListedState]]:
    return zip((None, *models), models, strict=False)


def _answers(site: Site) -> list[tuple[str, str]]:
    """Each family with what the ranking answers of it; models of several families together come first."""
    together = [("", site.answers[""])] if "" in site.answers else []
    return [*together, *((family, site.answers.get(family, "")) for family in site.families)]


def _figure(model: ListedState, name: str) -> Figure | None:
    return model.record.figures.get(name) if model.record else None


def _short_figure(found: Figure | None, name: str) -> list[float | None]:
    """The value and both ends; a fourth number where there are too few matrices for an interval."""
    if found is None:
        return [None] * 3
    lo, hi = found.interval or (None, None)
    few = [1.0] if has_interval_columns(name) and 0 < found.count < MIN_VALUES else []
    return [_short(found.value), _short(lo), _short(hi), *few]


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.{_DIGITS}g}")


def _summary(site: Site) -> str:
    counts = Counter(model.status for model in site.models)
    words = [f"{counts['scored']:,} scored tonight"]
    words += [f"{counts[status]:,} {status}" for status in ("stale", "failed") if counts[status]]
    words += [f"{counted(len(site.withdrawn), 'model')} withdrawn"] if site.withdrawn else []
    return f"{', '.join(words)}."


def _rows() -> Any:
    return site_environment().get_template("site_rows.html.j2").module


def _joined(rows: Sequence[str]) -> Markup:
    """Join rows, each of which is markup already."""
    return Markup().join(rows)
