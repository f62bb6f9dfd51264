"""`wqscore.leaderboard`: build a site of models or model lists, or one more night of it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Unpack

from wqscore.api.settings import Settings, SettingsKeywords, changed, takes_settings
from wqscore.errors import UsageError
from wqscore.leaderboards.building import build
from wqscore.leaderboards.built import Built
from wqscore.leaderboards.known import KnownColumn
from wqscore.leaderboards.sources import read_sources
from wqscore.refs.model_list import ModelList
from wqscore.studies.known.score_table import read_table

#: The settings that a site has a choice of; the others are the defaults every night, so that nights compare.
_TAKEN = ("family", "stream", "store", "jobs", "memory", "backend", "device", "precision")
_Models = str | os.PathLike[str] | ModelList


@takes_settings
def leaderboard(
    models: _Models | Iterable[_Models],
    out: str | os.PathLike[str],
    *,
    known: str | os.PathLike[str] | None = None,
    y: str | None = None,
    url: str = "",
    by: str | None = None,
    settings: Settings | None = None,
    **changes: Unpack[SettingsKeywords],
) -> Built:
    """Build a site, or one more night of it, as `wqscore leaderboard build` does.

    Args:
        models: model lists (TOML files, names of lists that ship), Hub ids and folders.
        out: the site's folder.
        known: a CSV file of what is known of the models.
        y: the column of `known` to show; needed if it has several.
        url: where the site is published, for badges and the feed.
        by: the metric to rank by; alpha if `None`.
        settings: as for `wqscore.rank`; only family, stream, store, jobs, memory, backend, device and precision may
            differ from the defaults.
        **changes: these by name.

    Returns:
        The site: `index` is the path of its first page, `ranking` the ranking of the models scored tonight.

    Raises:
        UsageError: an invalid list, reference, metric, column or setting, or a folder that is not a site.
        ReportError: the folder can't be written to.

    Example:
        `wqscore.leaderboard(["nightly.toml", "./run-1"], "site", store=wqscore.store().path).index`
    """
    chosen = changed(settings, changes)
    if chosen.gauge != "none":
        raise UsageError("a leaderboard is of the stored weights: leave gauge out")
    for name, value in vars(Settings()).items():
        if name not in _TAKEN and getattr(chosen, name) != value:
            raise UsageError(f"a leaderboard has no choice of {name}: leave it out; it has {', '.join(_TAKEN)}")
    if y is not None and known is None:
        raise UsageError("y names a column of known: give that too")
    column = KnownColumn(read_table(Path(known)), y) if known is not None else None
    return build(_lists(models), Path(out), known=column, url=url, by=by, settings=chosen)


def _lists(models: _Models | Iterable[_Models]) -> list[ModelList]:
    """The lists among the models, and one of all others."""
    given = [models] if isinstance(models, str | os.PathLike | ModelList) else list(models)
    if not given:
        raise UsageError("no model given: pass one or more, or a model list")
    texts = [os.fspath(each) for each in given if not isinstance(each, ModelList)]
    return [*(each for each in given if isinstance(each, ModelList)), *read_sources(texts)]
