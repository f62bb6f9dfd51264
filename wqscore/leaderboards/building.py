"""Build a site: score the listed models, add the site's earlier records and history, and write all pages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from wqscore.api.score import rank
from wqscore.api.settings import Settings
from wqscore.execution.progress import RankProgress
from wqscore.leaderboards.built import Built
from wqscore.leaderboards.candidates import Candidate, read_candidates
from wqscore.leaderboards.events import events_of
from wqscore.leaderboards.folder import HISTORY, check_site_folder, listed_files, read_history, write_site
from wqscore.leaderboards.history import History, Night, Point, Status, history_text
from wqscore.leaderboards.known import KnownColumn, known_figures
from wqscore.leaderboards.pages.site import site_pages
from wqscore.leaderboards.record import ModelRecord, record_of
from wqscore.leaderboards.record_files import matrices_csv, matrices_path, read_record, record_path, record_text
from wqscore.leaderboards.site import ListedState, Site, SiteFile, point_of, state_of
from wqscore.leaderboards.slugs import file_name_of_0_5_0, file_names
from wqscore.metrics.registry import find_metric
from wqscore.presets.registry import DEFAULT
from wqscore.ranking.ranked_model import RankedModel
from wqscore.ranking.ranking import Ranking
from wqscore.refs.model_list import ModelList
from wqscore.rendering.timestamp import created_at
from wqscore.reports.tables import summary_metrics
from wqscore.version import __version__


@dataclass(frozen=True)
class _Tonight:
    """Records and points of tonight's models, and of those that are no longer listed."""

    records: Mapping[str, ModelRecord | None]
    points: Mapping[str, Point]


def build(
    lists: Sequence[ModelList],
    out: Path,
    *,
    known: KnownColumn | None = None,
    url: str = "",
    by: str | None = None,
    evidence: str | None = None,
    settings: Settings | None = None,
    progress: RankProgress | None = None,
) -> Built:
    """Build a site, or add a night to it.

    Args:
        lists: the models; one in several lists counts once.
        out: the site's folder.
        known: published results of the models, such as benchmark scores.
        url: where the site is published, for the snippets and the feed.
        by: the metric to rank by; alpha if `None`.
        evidence: the record behind the odds, as for `rank`.
        settings: as for `rank`.
        progress: notified as models and matrices are done.

    Raises:
        UsageError: an invalid list, metric or column, or a folder that is not a site; nothing was scored then.
        ReportError: the folder can't be written to.
    """
    created = created_at()
    night = created.date().isoformat()
    family = settings.family if settings else None
    candidates = read_candidates(lists, family)
    check_site_folder(out)
    history = read_history(out).before(night)
    metric = find_metric(by or DEFAULT.by)
    figures = known_figures(known, candidates) if known else None
    unlisted = [name for name in history.models if name not in {each.name for each in candidates}]
    files = file_names({each.name: night for each in candidates} | history.first_nights)
    old = {name: read_record(out, name, files[name]) for name in [*unlisted, *(each.name for each in candidates)]}
    ranking = rank(
        [each.ref for each in candidates], by=metric.name, evidence=evidence, settings=settings, progress=progress
    )
    tonight = _tonight(ranking, candidates, unlisted, old, night, family)
    scored = sum(point.status == "scored" for point in tonight.points.values())
    history = history.after(Night(night, __version__, len(candidates), scored), tonight.points)
    site = Site(
        title=" · ".join(dict.fromkeys(each.title for each in lists)),
        url=url,
        night=night,
        created=created,
        by=metric,
        metrics=tuple(name for name in ranking.metrics if name in summary_metrics(ranking)),
        models=_listed(ranking, candidates, tonight, history, files),
        withdrawn=tuple(
            state_of(tonight.points[name], tonight.records[name], history, SiteFile(name, files[name]))
            for name in sorted(unlisted)
        ),
        history=history,
        events=events_of(history, metric.name),
        known=figures.with_notes(ranking) if figures else None,
        files=files,
        answers={
            answer.family: " ".join([*answer.lines, *_unrelated(ranking, answer.family)])
            for answer in ranking.answers
            if answer.family or not answer.best
        },
    )
    _write(out, site, ranking)
    return Built(site, ranking, out / "index.html")


def _unrelated(ranking: Ranking, family: str) -> list[str]:
    """A sentence for each declared family whose first pair without shared weights is ranked in this one."""
    members = {model.ref.label for model in ranking.models if model.family == family}
    return [f"{each.text[0].upper()}{each.text[1:]}." for each in ranking.unrelated if each.a in members]


def _tonight(
    ranking: Ranking,
    candidates: Iterable[Candidate],
    unlisted: Iterable[str],
    old: Mapping[str, ModelRecord | None],
    night: str,
    family: str | None,
) -> _Tonight:
    ranked = {model.ref.identity: model for model in ranking.models}
    records: dict[str, ModelRecord | None] = {}
    points: dict[str, Point] = {}
    for each in candidates:
        model, name = ranked[each.ref.identity], each.name
        status: Status = "scored"
        reason = ""
        if model.score is not None:
            ranked_with = sum(_share_ranks(model, other, ranking) for other in ranking.models)
            records[name] = record_of(model, model.score, each, night, summary_metrics(ranking), ranked_with)
        else:
            records[name] = _in_family(old[name], family)
            status = "stale" if old[name] else "failed"
            reason = _published(model.reason, each)
        points[name] = point_of(records[name], status, reason, night)
    for name in unlisted:
        records[name] = old[name]
        points[name] = point_of(old[name], "withdrawn", "", night)
    return _Tonight(records, points)


def _share_ranks(model: RankedModel, other: RankedModel, ranking: Ranking) -> bool:
    alike = other is model or (model.family != "" and other.family == model.family)
    return other.status == "ranked" and (ranking.across_families or alike)


def _in_family(record: ModelRecord | None, family: str | None) -> ModelRecord | None:
    """An earlier night's record in the family of all models of this run, if one is given."""
    return replace(record, family=family, family_id=family) if record and family else record


def _published(reason: str, candidate: Candidate) -> str:
    """The reason why a model failed, without its name and without the machine's folders."""
    path = candidate.ref.path
    shown = reason.replace(str(path), candidate.name) if path is not None else reason
    return shown.removeprefix(f"{candidate.name}: ")


def _listed(
    ranking: Ranking,
    candidates: Sequence[Candidate],
    tonight: _Tonight,
    history: History,
    files: Mapping[str, str],
) -> tuple[ListedState, ...]:
    """The models in the ranking's order; stale ones keep their old rank and follow those scored tonight."""
    by_identity = {each.ref.identity: each for each in candidates}
    ordered = [by_identity[model.ref.identity] for model in ranking.models]
    return tuple(
        state_of(
            tonight.points[each.name],
            tonight.records[each.name],
            history,
            SiteFile(each.name, files[each.name]),
            each,
        )
        for each in ordered
    )


def _write(out: Path, site: Site, ranking: Ranking) -> None:
    files = dict(site_pages(site))
    for model in (*site.models, *site.withdrawn):
        if model.record is not None:
            files[record_path(model.slug)] = partial(record_text, model.record)
    for score in ranking.scores:
        files[matrices_path(site.files[score.ref.label])] = partial(matrices_csv, score)
    files[HISTORY] = partial(history_text, site.history)
    kept = [matrices_path(model.slug) for model in (*site.models, *site.withdrawn) if model.record is not None]
    old = set(listed_files(out))
    for model in (*site.models, *site.withdrawn):
        # A site of 0.5.0 has the tables of models with other characters in their names in other files.
        before = matrices_path(file_name_of_0_5_0(model.name))
        if matrices_path(model.slug) not in {*files, *old} and before in old:
            files[matrices_path(model.slug)] = partial((out / before).read_text, "utf-8")
    write_site(out, files, [path for path in kept if path not in files and path in old])
