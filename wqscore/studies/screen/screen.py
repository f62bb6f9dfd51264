"""Which modules of an adapter are unlike their siblings, or unlike those of adapters that the user trusts."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isfinite, nan
from typing import Unpack

import numpy as np

from wqscore.api.run import own_errors
from wqscore.api.settings import Settings, SettingsKeywords, changed, takes_settings
from wqscore.checkpoints.checkpoint import Checkpoint
from wqscore.checkpoints.fetch_or_stream import open_or_fall_back
from wqscore.errors import CheckpointError, UsageError
from wqscore.execution.progress import RankProgress
from wqscore.execution.resources import Resources
from wqscore.matrices.matching import canonical_name
from wqscore.refs.callers import as_ref, refs_of
from wqscore.refs.reference import ModelRef, Models
from wqscore.results import Result
from wqscore.studies.screen.bank import Bank, ModuleKey, RoleKey, load_bank
from wqscore.studies.screen.reading import Changes, Module, read_changes
from wqscore.studies.screen.statistics import STATISTICS
from wqscore.studies.screen.zscores import MIN_OTHERS, bank_limit, sibling_limit, z_against, z_scores

Files = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]

_NOTHING = Changes((), (), ())


@dataclass(frozen=True)
class ScreenedModule:
    """One module of an adapter.

    Attributes:
        module: its change.
        z: by statistic, how far it is from its siblings, the modules of its role and shape; empty for fewer than 6.
        bank_z: the same from the module of its name, shape and rank in the bank's adapters.
        outlying: the statistics in which it is beyond the limit among siblings.
        bank_outlying: those in which it is beyond the limit against the bank.
    """

    module: Module
    z: Mapping[str, float] = field(default_factory=dict)
    bank_z: Mapping[str, float] = field(default_factory=dict)
    outlying: tuple[str, ...] = ()
    bank_outlying: tuple[str, ...] = ()

    @property
    def key(self) -> ModuleKey:
        """What it has in common with the same module of another adapter."""
        matrix = self.module.matrix
        return canonical_name(matrix.name), matrix.rows, matrix.columns, self.module.rank


@dataclass(frozen=True)
class ScreenedRole:
    """The modules of one role and rank together.

    Attributes:
        key: role and rank.
        count: how many have statistics.
        medians: by statistic.
        bank_z: by statistic, how far the median is from those of the bank's adapters.
    """

    key: RoleKey
    count: int
    medians: Mapping[str, float]
    bank_z: Mapping[str, float]


@dataclass(frozen=True)
class ScreenedAdapter:
    """One adapter.

    Attributes:
        ref: the adapter.
        revision: its commit on the Hub, `None` on disk.
        modules: its modules.
        roles: the roles.
        changes: what was read.
        limit: the |z| that one in a hundred adapters of as many normal siblings exceeds; NaN without siblings.
        bank_limit: the same against the bank; NaN without one.
        reason: why it could not be read; empty if it could.
    """

    ref: ModelRef
    revision: str | None = None
    modules: tuple[ScreenedModule, ...] = ()
    roles: tuple[ScreenedRole, ...] = ()
    changes: Changes = field(default=_NOTHING, repr=False)
    limit: float = nan
    bank_limit: float = nan
    reason: str = ""

    @property
    def name(self) -> str:
        """What a bank calls it."""
        return "@".join(filter(None, (self.ref.label, self.revision)))

    @property
    def outlying(self) -> tuple[ScreenedModule, ...]:
        """The modules beyond a limit, the farthest first."""
        found = (each for each in self.modules if each.outlying or each.bank_outlying)
        return tuple(sorted(found, key=lambda each: -max(abs(z) for z in (*each.z.values(), *each.bank_z.values()))))

    def farthest(self, statistic: str = "any", of_bank: bool = False) -> ScreenedModule | None:
        """The module with the largest |z|; arguments as for `largest`."""
        sizes = [(_largest(each.bank_z if of_bank else each.z, statistic), each) for each in self.modules]
        known = [(size, each) for size, each in sizes if isfinite(size)]
        return max(known, key=lambda pair: pair[0])[1] if known else None

    def largest(self, statistic: str = "any", of_bank: bool = False) -> float:
        """The largest |z|; NaN where there is none.

        Args:
            statistic: one, or `any` for the largest of all.
            of_bank: measured from the bank, not from siblings.
        """
        found = self.farthest(statistic, of_bank)
        return _largest(found.bank_z if of_bank else found.z, statistic) if found else nan


@dataclass(frozen=True, repr=False)
class Screening(Result):
    """Adapters, and which of their modules are unlike the others.

    Attributes:
        adapters: the adapters, in the order in which they were named.
        bank: the names of the bank's adapters.
        base: what merged checkpoints were measured from; empty without.
        seed: of the limits.
    """

    adapters: tuple[ScreenedAdapter, ...]
    bank: tuple[str, ...]
    base: str
    seed: int

    def __repr__(self) -> str:
        """How many adapters and outlying modules there are."""
        count = sum(len(each.outlying) for each in self.adapters)
        return f"<Screening of {len(self.adapters)} adapters: {count} outlying modules>"


@takes_settings
def screen(
    adapters: Models,
    *,
    bank: Files = (),
    settings: Settings | None = None,
    progress: RankProgress | None = None,
    **changes: Unpack[SettingsKeywords],
) -> Screening:
    """Look for modules of adapters that are unlike their siblings, or unlike those of adapters that you trust.

    Five statistics of each ΔW, none of which needs a fit: norm, share of the leading direction, entropy, stable rank
    and kurtosis of the entries. Factors are read once; of a product none is formed as a whole.

    Args:
        adapters: LoRA adapters, as for `wqscore.score`, of `base+adapter` the adapter alone; with a base, merged
            checkpoints too.
        bank: the JSON of earlier screenings of adapters that you trust, one path or several.
        settings: base, seed, stream, jobs and memory count.
        progress: receives progress.
        **changes: settings by name.

    Returns:
        A row for each module; an adapter that can't be read has a reason and stops no other.

    Raises:
        UsageError: an unknown reference or setting, or a bank that can't be taken.
        CheckpointError: the base can't be found, fetched or read.

    Example:
        `wqscore.screen("./adapter", bank="trusted.json").adapters[0].outlying`
    """
    chosen = changed(settings, changes)
    refs = [each.adapter or each for each in refs_of(adapters)]
    if not refs:
        raise UsageError("no adapter given: name one or more")
    files = [bank] if isinstance(bank, str | os.PathLike) else list(bank)
    known = load_bank(files)
    base = None
    if chosen.base is not None:
        base = open_or_fall_back(as_ref(chosen.base), chosen.stream, progress)
    found = tuple(_screened(ref, base, known, chosen, progress) for ref in refs)
    return Screening(found, known.names, base.ref.label if base else "", chosen.seed)


def _screened(
    ref: ModelRef, base: Checkpoint | None, bank: Bank, settings: Settings, progress: RankProgress | None
) -> ScreenedAdapter:
    try:
        with own_errors(ref):
            checkpoint = open_or_fall_back(ref, settings.stream, progress)
            resources = Resources(settings.jobs, settings.memory)
            changes = read_changes(checkpoint, base, resources, progress.model(ref) if progress else None)
    except CheckpointError as error:
        if progress:
            progress.failed(ref, str(error))
        return ScreenedAdapter(ref, reason=str(error))
    return judged(ScreenedAdapter(ref, checkpoint.revision, changes=changes), bank, settings.seed)


def judged(adapter: ScreenedAdapter, bank: Bank, seed: int) -> ScreenedAdapter:
    """The adapter with its modules compared with their siblings and with the bank.

    Args:
        adapter: what was read of it.
        bank: the bank; empty for none.
        seed: of the limits.
    """
    modules = [ScreenedModule(module) for module in adapter.changes.modules]
    sizes = _among_siblings(modules)
    others = [_against_bank(place, modules, bank, adapter.name) for place in range(len(modules))]
    limit = sibling_limit(tuple(sorted(sizes)), seed)
    of_bank = bank_limit(tuple(sorted(count for count in others if count)), seed)
    return replace(
        adapter,
        modules=tuple(
            replace(each, outlying=_beyond(each.z, limit), bank_outlying=_beyond(each.bank_z, of_bank))
            for each in modules
        ),
        roles=tuple(_roles(modules, bank, adapter.name)),
        limit=limit,
        bank_limit=of_bank,
    )


def _among_siblings(modules: list[ScreenedModule]) -> list[int]:
    """Put the z-scores among siblings in; returns how many siblings each group has."""
    groups: dict[tuple[object, ...], list[int]] = defaultdict(list)
    for place, each in enumerate(modules):
        if each.module.statistics:
            matrix = each.module.matrix
            groups[matrix.role, matrix.slices, matrix.rows, matrix.columns, each.module.rank].append(place)
    siblings = [places for places in groups.values() if len(places) >= MIN_OTHERS]
    for places in siblings:
        values = np.array([[modules[place].module.statistics[name] for place in places] for name in STATISTICS])
        for place, column in zip(places, z_scores(values).T, strict=True):
            z = {name: float(value) for name, value in zip(STATISTICS, column, strict=True) if isfinite(value)}
            modules[place] = replace(modules[place], z=z)
    return [len(places) for places in siblings]


def _against_bank(place: int, modules: list[ScreenedModule], bank: Bank, name: str) -> int:
    """Put a module's z-scores against the bank in; returns how many others it has, 0 for fewer than 6."""
    module = modules[place]
    z: dict[str, float] = {}
    count = 0
    for statistic, value in module.module.statistics.items():
        others = bank.others(module.key, statistic, name)
        found = z_against(value, others) if isfinite(value) else nan
        if isfinite(found):
            z[statistic], count = found, max(count, len(others))
    modules[place] = replace(module, bank_z=z)
    return count


def _roles(modules: Sequence[ScreenedModule], bank: Bank, name: str) -> list[ScreenedRole]:
    """The medians of each role's modules, and how far they are from those of the bank's adapters."""
    groups: dict[RoleKey, list[Mapping[str, float]]] = defaultdict(list)
    for each in modules:
        if each.module.statistics:
            groups[each.module.matrix.role, each.module.rank].append(each.module.statistics)
    found = []
    for key, rows in groups.items():
        columns = {each: [row[each] for row in rows if isfinite(row[each])] for each in STATISTICS}
        medians = {each: float(np.median(values)) for each, values in columns.items() if values}
        z = {each: z_against(median, bank.others_of_role(key, each, name)) for each, median in medians.items()}
        found.append(
            ScreenedRole(key, len(rows), medians, {each: value for each, value in z.items() if isfinite(value)})
        )
    return found


def _beyond(z: Mapping[str, float], limit: float) -> tuple[str, ...]:
    return tuple(name for name, value in z.items() if abs(value) > limit)


def _largest(z: Mapping[str, float], statistic: str) -> float:
    return max((abs(value) for name, value in z.items() if statistic in (name, "any")), default=nan)
