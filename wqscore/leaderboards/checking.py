"""Check a site before it is published: links resolve, data match the schema, pages are small."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree

from wqscore.errors import UsageError, WqscoreError, read_small
from wqscore.leaderboards.columns import SCHEMA_VERSION, Column, columns
from wqscore.leaderboards.errors import SiteError
from wqscore.leaderboards.folder import MANIFEST, MAX_TABLE, listed_files, read_history
from wqscore.leaderboards.record_files import read_record, record_path
from wqscore.leaderboards.site import MAX_BYTES, Known
from wqscore.leaderboards.slugs import file_names
from wqscore.metrics.registry import METRICS

_ATOM = "{http://www.w3.org/2005/Atom}"
#: Elements and attributes whose target the browser loads by itself, unlike the link of an `a`.
_LOADING = {("link", "href"), ("script", "src"), ("img", "src"), ("image", "href"), ("use", "href")}
#: Characters of a finding: names in a site's files may be of any length.
_LONGEST = 500
#: Larger pages are not parsed, nor those of many tags without an end: the parser looks for each end through the page.
_MAX_PARSED = 2 * MAX_BYTES
_MAX_OPEN = 100
#: Unscored models that are named.
_MAX_NAMES = 5
_HUB = re.compile(r"https://huggingface\.co/")


def parse_share(text: str) -> float:
    """Parse a share, written in percent or as a number from 0 to 1.

    Raises:
        UsageError: it is none.

    Example:
        >>> parse_share("20%"), parse_share("0.2")
        (0.2, 0.2)
    """
    match = re.fullmatch(r"\s*(\d{1,3}(?:\.\d{1,6})?)\s*(%?)\s*", text, re.ASCII)
    share = float(match[1]) / (100 if match[2] else 1) if match else -1.0
    if not 0 <= share <= 1:
        raise UsageError(f"--max-failed {text[:40]}: no share: write it as 20% or 0.2")
    return share


def check_site(folder: Path, max_failed: float | None = None) -> list[str]:
    """Return the problems of a site, a line each; nothing is changed.

    Args:
        folder: the site's folder.
        max_failed: the largest share of the listed models that tonight may leave unscored; any but all if `None`.

    Raises:
        SiteError: the folder does not hold a site.
    """
    files = listed_files(folder)
    if not files:
        raise SiteError(f"{folder}: is not a leaderboard: it has no {MANIFEST}")
    missing = [f"{name}: is missing" for name in files if not _is_file(folder / name)]
    pages, unread = _read_pages(
        folder, [name for name in files if name.endswith(".html") and _is_file(folder / name)]
    )
    findings = [
        *missing,
        *unread,
        *(finding for name in pages for finding in _page_findings(folder, name, pages)),
        *_data_findings(folder, max_failed),
        *_record_findings(folder),
        *_feed_findings(folder),
    ]
    return [finding if len(finding) <= _LONGEST else f"{finding[:_LONGEST]}…" for finding in findings]


def _is_file(path: Path) -> bool:
    """Whether a file is there; a name that no file can have is none."""
    try:
        return path.is_file()
    except OSError:
        return False


def _read_pages(folder: Path, names: list[str]) -> tuple[dict[str, _Page], list[str]]:
    """The pages by name, and a finding for each that is too large to be one, or can't be read."""
    pages, findings = {}, []
    for name in names:
        try:
            text = read_small(folder / name, _MAX_PARSED).decode("utf-8", "replace")
            if sum(">" not in piece for piece in text.split("<")[1:]) > _MAX_OPEN:
                raise ValueError("has many tags without an end")
            pages[name] = _Page(text)
        # The parser raises the second for declarations that are none.
        except (OSError, AssertionError, ValueError) as error:
            findings.append(f"{name}: can't be read: {getattr(error, 'strerror', None) or error}")
    return pages, findings


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
    for target in dict.fromkeys((*page.links, *page.loaded)):
        try:
            parts = urlsplit(target)
        except ValueError:
            yield f"{name}: links to {target}, which is no address"
            continue
        if target in page.loaded and (parts.scheme or target.startswith("//")):
            yield f"{name}: loads {target}, from elsewhere"
        if parts.scheme or parts.netloc:
            if not _HUB.match(target):
                yield f"{name}: links to {target}, which is neither the site nor the Hub"
            continue
        found = (folder / name).parent / unquote(parts.path) if parts.path else folder / name
        if not _is_file(found):
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


def _data_findings(folder: Path, max_failed: float | None) -> Iterator[str]:
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
    yield from _failures(models, max_failed)
    yield from _csv_findings(folder, [column.name for column in made], len(models))


def _failures(models: Sequence[Mapping[str, Any]], max_failed: float | None) -> Iterator[str]:
    """Findings where tonight left all models unscored, or more than may be."""
    unscored = [str(model.get("model")) for model in models if model.get("status") != "scored"]
    if models and len(unscored) == len(models):
        of = f"none of its {len(models)} models" if len(models) > 1 else "its only model"
        yield f"data/models.json: {of} was {'not ' * (len(models) == 1)}scored tonight"
    elif max_failed is not None and len(unscored) > max_failed * len(models):
        names = ", ".join(unscored[:_MAX_NAMES]) + (", …" if len(unscored) > _MAX_NAMES else "")
        yield (
            f"data/models.json: {len(unscored)} of its {len(models)} models were not scored tonight, more than "
            f"{max_failed:.0%}: {names}"
        )


def _model_findings(folder: Path, model: dict[str, Any], made: tuple[Column, ...]) -> Iterator[str]:
    label = str(model.get("model"))
    if list(model) != [column.name for column in made]:
        yield f"data/models.json: {label}: has other columns than the schema"
        return
    for column in made:
        if not column.takes(model[column.name]):
            yield f"data/models.json: {label}: {column.name} is {model[column.name]!r}, not a {column.kind}"
    if isinstance(model["page"], str) and not _is_file(folder / model["page"]):
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
    files = file_names(history.first_nights)
    for name, points in history.models.items():
        try:
            record = read_record(folder, name, files[name])
        except WqscoreError as error:
            yield str(error)
            continue
        if record is None and points[-1].values:
            yield f"{record_path(files[name])}: is missing, the record of {name!r}"


def _feed_findings(folder: Path) -> Iterator[str]:
    try:
        root = ElementTree.fromstring(read_small(folder / "feed.xml"))
    except (OSError, ElementTree.ParseError, LookupError, ValueError) as error:  # the last two: an odd encoding
        yield f"feed.xml: is not well-formed: {error}"
        return
    for element in (root, *root.iter(f"{_ATOM}entry")):
        lacking = [name for name in ("id", "title", "updated") if not element.findtext(f"{_ATOM}{name}")]
        if lacking:
            yield f"feed.xml: {element.tag.removeprefix(_ATOM)} without {', '.join(lacking)}"
    identities = [entry.findtext(f"{_ATOM}id") for entry in root.iter(f"{_ATOM}entry")]
    if len(set(identities)) != len(identities):
        yield "feed.xml: two entries have one id"
