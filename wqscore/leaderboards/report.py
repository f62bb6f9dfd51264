"""A built site as a table of its models, in every format."""

from __future__ import annotations

import json
from typing import Any

from wqscore.leaderboards.built import Built
from wqscore.leaderboards.columns import columns, models_json
from wqscore.rendering.numbers import counted
from wqscore.rendering.rows import Rows
from wqscore.rendering.sections import Medium, Notes, Section
from wqscore.reports.sections import ranking_sections


def site_rows(built: Built) -> Rows:
    """The rows of the site's `data/models.csv`."""
    made = columns(built.site.metrics, built.site.known)
    rows = [[column.cell(model) for column in made] for model in built.site.models]
    words, counts = (
        frozenset(column.name for column in made if column.kind == kind) for kind in ("text", "whole number")
    )
    return Rows([column.name for column in made], rows, words, frozenset({"status"}), counts)


def site_sections(built: Built, medium: Medium) -> list[Section]:
    """The ranking of the models scored tonight, and what changed."""
    site = built.site
    events = [f"{event.kind}: {event.name}: {event.text}" for event in site.tonight] or ["nothing changed"]
    night = f"{site.night}: {counted(len(site.models), 'model')}"
    return [*ranking_sections(built.ranking, medium), Notes([night, *events])]


def site_document(built: Built) -> dict[str, Any]:
    """The document of the site's `data/models.json`."""
    found: dict[str, Any] = json.loads(models_json(built.site))
    return found


def site_page(built: Built) -> str:
    """The site's first page, as it was written."""
    return built.index.read_text(encoding="utf-8")
