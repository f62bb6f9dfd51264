"""Decisions: pairs of models of the record of which the better one is known, and what each decision is about."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from wqscore.evidence.kinds import ANY, KINDS, Kind
from wqscore.evidence.record import KnownModel

#: Models whose numbers of parameters differ by more are of different size.
OTHER_SIZE = 1.05


@dataclass(frozen=True)
class Decisions:
    """Decisions of one kind.

    Attributes:
        better: the better model of each.
        worse: the other.
        families: names of the families that the decisions come from; a family of several sources is one.
        of: for each decision the two numbers of its models' families among `families`; the same number twice inside a
            family.
    """

    better: Sequence[KnownModel]
    worse: Sequence[KnownModel]
    families: Sequence[str]
    of: np.ndarray

    def __len__(self) -> int:
        return len(self.better)


def decisions(models: Sequence[KnownModel], kind: str) -> Decisions:
    """All decisions of a kind that a record holds; two models of equal quality make none."""
    found = [(a, b) if a.quality > b.quality else (b, a) for a, b in _pairs(models, kind) if a.quality != b.quality]
    better, worse = [a for a, _ in found], [b for _, b in found]
    names = sorted({model.family for model in (*better, *worse)})
    number = {name: place for place, name in enumerate(names)}
    of = np.array([(number[a.family], number[b.family]) for a, b in found], dtype=int).reshape(-1, 2)
    return Decisions(better, worse, names, of)


def kind_of(a: KnownModel, b: KnownModel) -> Kind | None:
    """What a decision between two models of one family and one measure of quality is about.

    Returns:
        `damage` or `fine-tune` if one was made from the other; `run` for two steps of one training; of two trained to
        the end, `size` if their parameters differ by more than 5 %, `recipe` if they have the same shapes. `None`
        where nothing is known of what makes them differ. What the record itself says of both goes first.
    """
    if a.decision or b.decision:
        return next((kind for kind in KINDS if a.decision == b.decision == kind), None)
    for child, parent in ((a, b), (b, a)):
        if child.parent and child.parent in (parent.name, parent.weights) and not parent.parent:
            return "damage" if child.origin == "damage" else "fine-tune"
    origins = {a.origin, b.origin}
    if a.run and a.run == b.run and "run" in origins and origins <= {"run", "recipe"}:
        return "run"
    if origins != {"recipe"}:
        return None
    if max(a.params, b.params) > OTHER_SIZE * min(a.params, b.params):
        return "size"
    return "recipe" if a.series and a.series == b.series else None


def _pairs(models: Sequence[KnownModel], kind: str) -> Iterator[tuple[KnownModel, KnownModel]]:
    groups: dict[tuple[str, str, str], list[KnownModel]] = {}
    for model in models:
        if kind != "across" or model.origin == "recipe":
            family = "" if kind == "across" else model.family
            groups.setdefault((model.source, family, model.quality_name), []).append(model)
    for members in groups.values():
        for a, b in combinations(members, 2):
            if kind == "across":
                if a.family != b.family:
                    yield a, b
            elif (found := kind_of(a, b)) == kind or (kind == ANY and (found or a.origin == b.origin == "recipe")):
                yield a, b
