"""How wide a model is, in each format: a row for each block and tolerance, and for each attention head."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from math import isfinite, sqrt
from typing import Any

from wqscore.rendering.numbers import MISSING, Cell, counted, figure, number
from wqscore.rendering.rows import Rows
from wqscore.rendering.sections import Answer, Medium, Notes, Section, Table
from wqscore.studies.heads import document_head
from wqscore.studies.width.activations import KNOWN
from wqscore.studies.width.heads import Head
from wqscore.studies.width.width import BlockWidth, Width, by_tolerance

#: Blocks that a person is shown.
_SHOWN = 24
_COLUMNS = (
    *("kind", "name", "activation", "stored", "tolerance", "effective", "silent", "constant"),
    *("error_bound", "nearest_cosine", "reason"),
)
_WORDS = frozenset({"kind", "name", "activation", "reason"})
_COUNTS = frozenset({"stored", "effective", "silent", "constant"})


def width_rows(found: Width) -> Rows:
    """A row for each block at each tolerance, for each head, and for what has no numbers, with the reason."""
    rows: list[list[Cell]] = []
    for block in found.blocks:
        start: list[Cell] = ["block", block.name, block.activation or None, block.stored]
        if block.reason:
            rows.append([*start, *[None] * 6, block.reason])
        rows += [
            [*start, tolerance, effective, block.silent, block.constant, number(bound), number(block.nearest), None]
            for tolerance, effective, bound in zip(found.tolerances, block.effective, block.error_bound, strict=False)
        ]
    for head in found.heads:
        rows.append(["head", head.name, None, head.stored, None, head.effective, *[None] * 4, head.reason or None])
    return Rows(_COLUMNS, rows, _WORDS, frozenset({"kind", "activation"}), _COUNTS)


def width_document(found: Width) -> dict[str, Any]:
    """The JSON document; undefined values are `null`, and nothing here is random."""
    narrowed = found.narrowed
    return {
        **document_head(None),
        "model": found.ref.label,
        "revision": found.revision,
        "tolerances": list(found.tolerances),
        "blocks": [_block(found, each) for each in found.blocks],
        "heads": [_head(each) for each in found.heads],
        "summary": {
            "n_blocks": len(found.blocks),
            "n_measured": len(found.measured),
            "stored": found.stored,
            "silent": sum(each.silent or 0 for each in found.measured),
            "constant": sum(each.constant or 0 for each in found.measured),
            "effective": by_tolerance(found.tolerances, found.effective) if found.measured else {},
            "nearest_cosine": number(found.nearest),
            "heads": dict(zip(("stored", "effective"), _of_heads(found), strict=True)),
            "written": None
            if narrowed is None
            else {
                "folder": str(narrowed.folder),
                "params": narrowed.parameters,
                "widths": dict(narrowed.widths),
            },
        },
        "notes": width_notes(found),
    }


def width_sections(found: Width, _: Medium) -> list[Section]:
    """The blocks, the heads of lower rank, and what it comes to."""
    tables: list[Section] = [_block_table(found)] if found.measured else []
    lower = [head for head in found.heads if head.effective is not None and head.effective != head.stored]
    if lower:
        rows = [[head.name, str(head.stored), str(head.effective)] for head in lower[:_SHOWN]]
        title = f"{counted(len(lower), 'product of a head', 'products of heads')} of lower rank"
        columns = ["head", "stored", "effective"]
        tables.append(Table(title, columns, rows, folding=["head"], right=columns[1:], markdown_title="above"))
    return [*tables, Notes(width_notes(found)), Answer(answer(found))]


def answer(found: Width) -> list[str]:
    """What it comes to, in sentences."""
    label = found.ref.label
    if not found.measured:
        reason = f": {found.blocks[0].name}: {found.blocks[0].reason}" if found.blocks else ""
        return [f"{label}: no block of two layers could be measured{reason}."]
    exact, stored, first = found.effective[0], found.stored, found.tolerances[0]
    blocks = counted(len(found.measured), "block")
    if exact < stored:
        lines = [
            f"{label}: at a tolerance of {first}, {exact:,} of its {stored:,} neurons in {blocks} do what all do."
        ]
    else:
        nearest = f"; the nearest two have a cosine of {found.nearest:.3f}" if isfinite(found.nearest) else ""
        lines = [
            f"{label}: none of its {stored:,} neurons in {blocks} can be spared at a tolerance of {first}{nearest}."
        ]
        if _are_smooth(found):
            lines.append("That is usual: trained networks without ReLU have no neurons to merge.")
    if found.narrowed is not None:
        lines.append(f"Written to {found.narrowed.folder} with {found.narrowed.parameters:,} weights.")
    return lines


def width_notes(found: Width) -> list[str]:
    """What the numbers mean, what has none, and what was taken as the model."""
    notes = [f"{count} without numbers: {reason}" for reason, count in lacking(found).items()]
    if found.measured and len(found.tolerances) > 1:
        last = found.tolerances[-1]
        away = f" by {sqrt(2 * last):.0%} of their length" if _are_smooth(found) else ""
        silent = f"silent ones have up to {last:.0%} of the largest outgoing weights"
        notes.append(
            f"at {last} merged neurons may differ{away}, and {silent}: outputs then change, by the error bound at "
            "most for an input of length 1".replace("%", " %")
        )
    ranks = [head for head in found.heads if head.effective is not None]
    if ranks and all(head.effective == head.stored for head in ranks):
        notes.append(f"all {counted(len(ranks), 'product')} of attention heads, QᵀK and OV, have full rank")
    if found.narrowed is not None and (padded := _padded(found)):
        notes.append(f"{counted(padded, 'silent neuron')} added, since the configuration gives blocks one width")
    return [*notes, *found.remarks]


def _padded(found: Width) -> int:
    assert found.narrowed is not None, "something was written"
    return sum(found.narrowed.widths[each.name] - each.effective[0] for each in found.measured)


def _are_smooth(found: Width) -> bool:
    """Whether no block has neurons that may differ in scale."""
    return not any(KNOWN[each.activation].degree for each in found.measured)


def lacking(found: Width) -> Mapping[str, int]:
    """How many have no numbers for a reason, which names one where there is one."""
    without = [(each.name, each.reason) for each in found.blocks if each.reason]
    without += [(each.name, each.reason) for each in found.heads if each.reason]
    times = Counter(reason for _, reason in without)
    return Counter(f"{name}: {reason}" if times[reason] == 1 else reason for name, reason in without)


def _block_table(found: Width) -> Table:
    """The blocks, of many those that lose most; and all of them together."""
    at = [f"at {tolerance}" for tolerance in found.tolerances]
    columns = ["block", "activation", "stored", "silent", "constant", *at, "nearest cosine"]
    blocks = list(found.measured)
    if len(blocks) > _SHOWN:
        blocks.sort(key=lambda each: [count / (each.stored or 1) for count in each.effective])
    rows = [
        [
            *(each.name, each.activation, _count(each.stored), _count(each.silent), _count(each.constant)),
            *map(_count, each.effective),
            figure(each.nearest),
        ]
        for each in blocks[:_SHOWN]
    ]
    if len(blocks) > 1:
        sums = [sum(getattr(each, name) or 0 for each in blocks) for name in ("stored", "silent", "constant")]
        rows.append(
            [f"all {len(blocks)}", "", *map(_count, sums), *map(_count, found.effective), figure(found.nearest)]
        )
    which = f", the {_SHOWN} of {len(blocks)} blocks that lose most" if len(blocks) > _SHOWN else ""
    return Table(
        f"{found.ref.label}: neurons, and how many are left when those are merged that do the same{which}",
        columns,
        rows,
        folding=["block"],
        optional=["constant", "silent", "activation", *at[1:-1]],
        right=columns[2:],
        markdown_title="above",
    )


def _count(value: int | None) -> str:
    return MISSING if value is None else f"{value:,}"


def _block(found: Width, each: BlockWidth) -> dict[str, Any]:
    return {
        "name": each.name,
        "activation": each.activation or None,
        "stored": each.stored,
        "silent": each.silent,
        "constant": each.constant,
        "effective": by_tolerance(found.tolerances, each.effective),
        "error_bound": by_tolerance(found.tolerances, [number(bound) for bound in each.error_bound]),
        "nearest_cosine": number(each.nearest),
        "reason": each.reason or None,
    }


def _head(each: Head) -> dict[str, Any]:
    return {"name": each.name, "stored": each.stored, "effective": each.effective, "reason": each.reason or None}


def _of_heads(found: Width) -> tuple[int, int]:
    """The sizes of all products of heads, and their ranks."""
    ranks = [head for head in found.heads if head.effective is not None]
    return sum(head.stored or 0 for head in ranks), sum(head.effective or 0 for head in ranks)
