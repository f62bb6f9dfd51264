"""A comparison in each format: a row for each pair; a person sees the trees, the pairs most alike, and notes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isfinite
from typing import Any

from wqscore.rendering.numbers import MISSING, Cell, counted, number
from wqscore.rendering.rows import Rows
from wqscore.rendering.sections import Answer, Drawing, Medium, Notes, Section, Table
from wqscore.studies.heads import document_head
from wqscore.studies.kin.kin import Kin, KinPair, Link

#: As many pairs are shown.
_SHOWN = 20
#: As many failures, merges and traits are told one by one.
_TOLD = 10
CAVEAT = "“related” means shared weights, not provenance: weights don't say which model came first, or how"
_COLUMNS = [
    *("a", "b", "verdict", "cosine", "cosine_se", "directions", "spectrum_distance", "n_matrices", "n_exact"),
    "reason",
]
_WORDS = frozenset({"a", "b", "verdict", "reason"})


def kin_rows(found: Kin) -> Rows:
    """A row for each pair."""
    rows = [list(_pair(found, pair).values()) for pair in found.pairs]
    counts = frozenset({"n_matrices", "n_exact"})
    return Rows(_COLUMNS, rows, _WORDS, categories=frozenset({"verdict"}), counts=counts)


def kin_document(found: Kin) -> dict[str, Any]:
    """The JSON document; undefined values are `null`."""
    return {
        **document_head(found.seed),
        "models": [
            {
                "model": each.ref.label,
                "revision": each.revision,
                "family": each.family,
                "n_matrices": each.n_matrices,
                "n_unread": each.unread,
                "zeros": each.traits.zeros,
                "few_values": each.traits.few_values,
                "coded": each.traits.coded,
                "notes": list(each.traits.words),
            }
            for each in found.models
        ],
        "pairs": [_pair(found, pair) for pair in found.pairs],
        "tree": [_link(found, link) for link in found.tree],
        "merges": [
            {
                "model": found.label(merge.model),
                "parents": [found.label(parent) for parent in merge.parents],
                "weights": [1 - merge.weight, merge.weight],
                "left": merge.left,
            }
            for merge in found.merges
        ],
        "failed": [{"model": each.ref.label, "reason": each.reason} for each in found.failures],
        "n_read": found.read,
        "caveat": CAVEAT,
    }


def kin_sections(found: Kin, _: Medium) -> list[Section]:
    """The trees, the pairs that a person wants to see, notes, and what it comes to."""
    sections: list[Section] = []
    if found.tree:
        sections.append(Drawing("models that share weights", lambda width: tree_lines(found, width), []))
    if found.pairs:
        sections.append(_table(found))
    return [*sections, Notes(kin_notes(found)), Answer(answer(found))]


def answer(found: Kin) -> list[str]:
    """What it comes to, in sentences."""
    if not found.pairs:
        return ["Fewer than two models could be read: there is nothing to compare."]
    members = sum(map(len, found.families))
    alone = len(found.models) - members
    if not members:
        first = f"No two of {counted(len(found.models), 'model')} are found to share weights."
    else:
        families = "1 family" if len(found.families) == 1 else f"{len(found.families)} families"
        first = f"{members} of {counted(len(found.models), 'model')} share weights, in {families}"
        first += f"; {alone} {'is' if alone == 1 else 'are'} found related to no other." if alone else "."
    return [first, *_margin(found), f"{CAVEAT.replace('“related”', '“Related”')}."]


def tree_lines(found: Kin, width: int) -> list[str]:
    """The trees as lines of text, each model with its cosine to the one that it hangs from."""
    children: dict[int, list[Link]] = {}
    for link in found.tree:
        if link.pair is not None:
            children.setdefault(link.parent, []).append(link)
    lines: list[str] = []
    for link in found.tree:
        if link.pair is None:
            lines.append(fitted(found.label(link.model), width))
            lines += _below(found, link.model, children, "", width)
    return lines


def kin_notes(found: Kin) -> list[str]:
    """What the numbers mean, what stands out, and what can't be told."""
    notes = [_merge_words(found, place) for place in range(min(len(found.merges), _TOLD))]
    for each in found.models:
        if each.traits.words and len(notes) < 2 * _TOLD:
            notes.append(f"{each.ref.label}: {'; '.join(each.traits.words)}")
    undecided = [pair for pair in found.pairs if pair.verdict == "undecided"]
    notes += [f"{found.label(p.a)} and {found.label(p.b)}: undecided: {p.reason}" for p in undecided[:_TOLD]]
    notes += [f"{each.ref.label} could not be compared: {each.reason}" for each in found.failures[:_TOLD]]
    if any(pair.n_matrices == 0 and pair.verdict == "unrelated" for pair in found.pairs):
        notes.append("models without matrices of one shape show no sign of kinship; another width hides it")
    return [
        *notes,
        "cosine: the median over matrices of one name and shape; unrelated ones are within a few hundredths of 0",
        "can't be told: who came first; training from one start that went far; a merge of more than two, or one that "
        "trims weights; 8 bits once they are stored as plain numbers",
    ]


def cosine_text(pair: KinPair) -> str:
    """A cosine with three decimals, four near 1."""
    if not isfinite(pair.cosine):
        return MISSING
    return f"{pair.cosine:.4f}" if abs(pair.cosine) > 0.99 else f"{pair.cosine:z.3f}"


def short(value: float) -> str:
    """A number to two digits; a dash if it is missing."""
    return f"{value:.2g}" if isfinite(value) else MISSING


def shown_pairs(found: Kin) -> list[KinPair]:
    """All pairs, or those that are not unrelated first, the most alike first."""
    order = {"same": 0, "related": 1, "undecided": 2, "unrelated": 3}
    ordered = sorted(found.pairs, key=lambda pair: (order[pair.verdict], -_size(pair)))
    return ordered[:_SHOWN]


def _margin(found: Kin) -> list[str]:
    """How far the cosines of related pairs are from those of the others."""
    near = [pair.cosine for pair in found.pairs if pair.verdict == "related" and isfinite(pair.cosine)]
    far = [abs(pair.cosine) for pair in found.pairs if pair.verdict == "unrelated" and isfinite(pair.cosine)]
    parts = []
    if near:
        pairs = f"{len(near)} related {'pair has a cosine' if len(near) == 1 else 'pairs have cosines'}"
        parts.append(f"{pairs} of at least {min(near):.3f}")
    if far:
        pairs = f"{len(far)} unrelated {'pair has one' if len(far) == 1 else 'pairs have ones'}"
        parts.append(f"{pairs} of at most {max(far):.3f} in size")
    return [f"{'; '.join(parts)}."] if parts else []


def _table(found: Kin) -> Table:
    shown = shown_pairs(found)
    columns = ["a", "b", "verdict", "cosine", "±", "directions", "spectra", "matrices", "equal", "reason"]
    rows = [
        [
            found.label(pair.a),
            found.label(pair.b),
            pair.verdict,
            cosine_text(pair),
            short(pair.cosine_se),
            short(pair.directions),
            short(pair.spectrum_distance),
            str(pair.n_matrices),
            str(pair.n_exact),
            pair.reason,
        ]
        for pair in shown
    ]
    more = f", of {len(found.pairs):,}" if len(found.pairs) > len(shown) else ""
    return Table(
        f"{counted(len(shown), 'pair')}{more}, the most alike first",
        columns,
        rows,
        folding=["a", "b", "reason"],
        optional=["directions", "spectra", "±", "equal"],
        right=columns[3:9],
        markdown_title="above",
    )


def _below(found: Kin, model: int, children: dict[int, list[Link]], indent: str, width: int) -> Iterator[str]:
    links = children.get(model, [])
    for link in links:
        is_last = link is links[-1]
        assert link.pair is not None
        words = "the same" if link.pair.verdict == "same" else cosine_text(link.pair)
        merge = next((each for each in found.merges if each.model == link.model), None)
        marks = [*(["average of two"] if merge else []), *found.models[link.model].traits.words]
        end = f"  {words}{''.join(f', {mark}' for mark in marks)}"
        start = f"{indent}{'└─' if is_last else '├─'} "
        yield f"{start}{fitted(found.label(link.model), width - len(start) - len(end))}{end}"
        yield from _below(found, link.model, children, f"{indent}{'   ' if is_last else '│  '}", width)


def fitted(label: str, width: int) -> str:
    """A name cut at its start, where those of one folder are the same."""
    return label if len(label) <= max(width, 8) else f"…{label[1 - max(width, 8) :]}"


def _merge_words(found: Kin, place: int) -> str:
    merge = found.merges[place]
    one, other = (found.label(parent) for parent in merge.parents)
    return (
        f"{found.label(merge.model)} is {1 - merge.weight:.2f} × {one} + {merge.weight:.2f} × {other}: a merge, or a "
        "step between the two"
    )


def _pair(found: Kin, pair: KinPair) -> dict[str, Cell]:
    numbers: Sequence[float] = (pair.cosine, pair.cosine_se, pair.directions, pair.spectrum_distance)
    cells: list[Cell] = [found.label(pair.a), found.label(pair.b), pair.verdict, *map(number, numbers)]
    return dict(zip(_COLUMNS, [*cells, pair.n_matrices, pair.n_exact, pair.reason or None], strict=True))


def _link(found: Kin, link: Link) -> dict[str, Any]:
    pair = link.pair
    return {
        "model": found.label(link.model),
        "parent": None if pair is None else found.label(link.parent),
        "cosine": None if pair is None else number(pair.cosine),
        "cosine_se": None if pair is None else number(pair.cosine_se),
        "confidence": None if pair is None else number(pair.confidence),
    }


def _size(pair: KinPair) -> float:
    return abs(pair.cosine) if isfinite(pair.cosine) else -1.0
