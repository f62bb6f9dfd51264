"""All files of a site except its history and the models' data: pages, tables, feed, badges and assets."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from functools import partial

from wqscore.leaderboards.columns import columns, models_csv, models_json
from wqscore.leaderboards.pages.cells import site_environment
from wqscore.leaderboards.pages.index import family_pages, index_data, index_pages
from wqscore.leaderboards.pages.model import badge_text, model_page
from wqscore.leaderboards.site import ListedState, Site
from wqscore.metrics.metric import Metric
from wqscore.presets.registry import DEFAULT
from wqscore.rendering.html.page import asset
from wqscore.rendering.html.palette import BLUE, GREEN, SLATE, VERMILLION
from wqscore.reports.overview import headline
from wqscore.version import __version__

#: The feed lists this many of the latest events.
_MAX_ENTRIES = 200
#: Average width of a character in the badge's font, in pixels.
_CHARACTER = 6.6
_ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><rect width="16" height="16" rx="3" fill="'
    + BLUE
    + '"/>'
    '<path d="M3 12V6m5 6V3m5 9V8" stroke="#fff" stroke-width="2.5" stroke-linecap="round"/></svg>\n'
)

#: The palette as the stylesheet names it.
_COLOURS = f":root {{ --blue: {BLUE}; --green: {GREEN}; --vermillion: {VERMILLION}; --slate: {SLATE}; }}\n"


def site_pages(site: Site) -> dict[str, Callable[[], str]]:
    """Return for each file, by its path relative to the site's folder, the function that makes its text."""
    return dict(_files(site))


def _files(site: Site) -> Iterator[tuple[str, Callable[[], str]]]:
    yield "assets/style.css", lambda: asset("page.css") + _COLOURS + asset("site.css", __package__)
    yield "assets/site.js", partial(asset, "site.js", __package__)
    yield "assets/icon.svg", lambda: _ICON
    frame = {"site": site, "version": __version__, "statistic": headline(site.by, DEFAULT)}
    yield from index_pages(site, frame)
    yield "data/index.js", partial(index_data, site)
    for family in dict.fromkeys(m.family for m in (*site.models, *site.withdrawn) if m.family):
        yield from family_pages(site, family, frame)
    for model in (*site.models, *site.withdrawn):
        yield f"models/{model.slug}.html", partial(model_page, site, model, frame)
        yield f"badges/{model.slug}.svg", partial(_badge, model, site.by)
    yield "data/models.csv", partial(models_csv, site)
    yield "data/models.json", partial(models_json, site)
    yield "data/schema.html", partial(_schema, site, frame)
    yield "feed.xml", partial(_feed, site)


def _schema(site: Site, frame: dict[str, object]) -> str:
    made = columns(site.metrics, site.known)
    return site_environment().get_template("site_schema.html.j2").render(root="../", columns=made, **frame)


def _feed(site: Site) -> str:
    def identity(what: str) -> str:
        """An id that is the same for the same event of the same site, wherever it is built."""
        return uuid.uuid5(uuid.NAMESPACE_URL, f"{site.url or site.title}#{what}").urn

    template = site_environment().get_template("site_feed.xml.j2")
    base = f"{site.url.rstrip('/')}/" if site.url else ""
    events = site.events[:_MAX_ENTRIES]
    return template.render(site=site, events=events, identity=identity, base=base, version=__version__) + "\n"


def _badge(model: ListedState, by: Metric) -> str:
    value, colour = badge_text(model, by)
    label = f"wqscore {by.name}"
    left, right = (round(len(text) * _CHARACTER) + 12 for text in (label, value))
    template = site_environment().get_template("site_badge.svg.j2")
    return template.render(label=label, value=value, left=left, right=right, colour=colour) + "\n"
