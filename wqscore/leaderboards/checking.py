"""Check a site before it is published: links resolve, data match the schema, pages are small."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree

from wqscore.errors import WqscoreError, read_small
from wqscore.leaderboards.columns import SCHEMA_VERSION, Column, columns
from wqscore.leaderboards.errors import SiteError
from wqscore.leaderboards.folder import MANIFEST, MAX_TABLE, listed_files, read_history
from wqscore.leaderboards.record_files import read_record, record_path
from wqscore.leaderboards.site import MAX_BYTES, Known
from wqscore.metrics.registry import METRICS

_ATOM = "{http://www.w3.org/2005/Atom}"
#: Elements and attributes whose target the browser loads by itself, unlike the link of an `a`.
_LOADING = {("link", "href"), ("script", "src"), ("img", "src"), ("image", "href"), ("use", "href")}
_HUB = re.compile(r"https://huggingface\.co/")


def check_site(folder: Path) -> list[str]:
    """Return the problems of a site, a line each; nothing is changed.

    Raises:
        SiteError: the folder does not hold a site.
    """
    files = listed_files(folder)
    if not files:
        raise SiteError(f"{folder}: is not a leaderboard: it has no {MANIFEST}")
    missing = [f"{name}: is missing" for name in files if not (folder / name).is_file()]
    present = [name for name in files if (folder / name).is_file()]
    pages = {name: _Page((folder / name).read_text("utf-8", "replace")) for name in present if name.endswith(".html")}
    return [
        *missing,
        *(finding for name in pages for finding in _page_findings(folder, name, pages)),
        *_data_findings(folder),
        *_record_findings(folder),
        *_feed_findings(folder),
    ]


class _Page(HTMLParser):
    """The links, the loaded resources and the ids of a page."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.ids: set[str] = set()
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id" and value:
                self.ids.add(value)
            elif (tag, name) in _LOADING:
                self.loaded.append(value or "")
            elif tag == "a" and name == "href":
                self.links.append(value or "")


def _page_findings(folder: Path, name: str, pages: dict[str, _Page]) -> Iterator[str]:
    size = (folder / name).stat().st_size
    if size > MAX_BYTES:
        yield f"{name}: has {size:,} bytes, more than {MAX_BYTES:,}"
    page = pages[name]
    for target in page.loaded:
        if urlsplit(target).scheme or target.startswith("//"):
            yield f"{name}: loads {target}, from elsewhere"
    for target in dict.fromkeys((*page.links, *page.loaded)):
        parts = urlsplit(target)
        if parts.scheme or parts.netloc:
            if not _HUB.match(target):
                yield f"{name}: links to {target}, which is neither the site nor the Hub"
            continue
        found = (folder / name).parent / unquote(parts.path) if parts.path else folder / name
        if not found.is_file():
            yield f"{name}: links to {target}, which is not there"
            continue
        other = _inside(folder, found)
        if other is None:
            yield f"{name}: links to {target}, which is outside the site"
        elif parts.fragment and other in pages and unquote(parts.fragment) not in pages[other].ids:
            yield f"{name}: links to {target}, where there is no {parts.fragment!r}"


def _inside(folder: Path, file: Path) -> str | None:
    """A file's path relative to the site's folder; `None` for one outside."""
    found, root = file.resolve(), folder.resolve()
    return found.relative_to(root).as_posix() if found.is_relative_to(root) else None


def _data_findings(folder: Path) -> Iterator[str]:
    try:
        document: Any = json.loads(read_small(folder / "data/models.json", MAX_TABLE).decode())
        models, metrics = document["models"], document["metrics"]
        unknown = [name for name in metrics if name not in METRICS]
        if document["schema_version"] != SCHEMA_VERSION or unknown or not all(isinstance(m, dict) for m in models):
            raise ValueError(f"schema version {document['schema_version']}, metrics {', '.join(metrics)}")
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        yield f"data/models.json: is not a table of models: {error}"
        return
    known = Known("", {}, ()) if models and "known" in models[0] else None
    made = columns(metrics, known)
    for model in models:
        yield from _model_findings(folder, model, made)
    yield from _csv_findings(folder, [column.name for column in made], len(models))


def _model_findings(folder: Path, model: dict[str, Any], made: tuple[Column, ...]) -> Iterator[str]:
    label = str(model.get("model"))
    if list(model) != [column.name for column in made]:
        yield f"data/models.json: {label}: has other columns than the schema"
        return
    for column in made:
        if not column.takes(model[column.name]):
            yield f"data/models.json: {label}: {column.name} is {model[column.name]!r}, not a {column.kind}"
    if isinstance(model["page"], str) and not (folder / model["page"]).is_file():
        yield f"data/models.json: {label}: its page {model['page']} is missing"


def _csv_findings(folder: Path, names: list[str], models: int) -> Iterator[str]:
    try:
        text = StringIO(read_small(folder / "data/models.csv", MAX_TABLE).decode(), newline="")
        header, *rows = csv.reader(text)
    except (OSError, ValueError, csv.Error) as error:
        yield f"data/models.csv: can't be read: {error}"
        return
    if header != names:
        yield "data/models.csv: has other columns than the schema"
    if len(rows) != models or any(len(row) != len(header) for row in rows):
        yield f"data/models.csv: does not have the {models} rows of data/models.json"


def _record_findings(folder: Path) -> Iterator[str]:
    try:
        history = read_history(folder)
    except WqscoreError as error:
        yield f"data/history.json: {error}"
        return
    if not history.nights:
        yield "data/history.json: has no night"
    for name, points in history.models.items():
        try:
            record = read_record(folder, name)
        except WqscoreError as error:
            yield str(error)
            continue
        if record is None and points[-1].values:
            yield f"{record_path(name)}: is missing, the record of {name!r}"


def _feed_findings(folder: Path) -> Iterator[str]:
    try:
        root = ElementTree.fromstring(read_small(folder / "feed.xml"))
    except (OSError, ElementTree.ParseError) as error:
        yield f"feed.xml: is not well-formed: {error}"
        return
    for element in (root, *root.iter(f"{_ATOM}entry")):
        lacking = [name for name in ("id", "title", "updated") if not element.findtext(f"{_ATOM}{name}")]
        if lacking:
            yield f"feed.xml: {element.tag.removeprefix(_ATOM)} without {', '.join(lacking)}"
    identities = [entry.findtext(f"{_ATOM}id") for entry in root.iter(f"{_ATOM}entry")]
    if len(set(identities)) != len(identities):
        yield "feed.xml: two entries have one id"
