"""Vega-Lite specifications as the dictionaries that they are in JSON (https://vega.github.io/vega-lite/docs).

Options have Vega-Lite's own names. Altair, which writes the same, takes a quarter of a second to import and a
twentieth for each chart.
"""

from __future__ import annotations

from typing import Any

Spec = dict[str, Any]

_TYPES = {"Q": "quantitative", "N": "nominal", "O": "ordinal"}


def field(name: str, **options: Any) -> Spec:
    """A channel that shows a field of the rows.

    Args:
        name: of the field, with a colon and its type's first letter; without them where Vega-Lite knows the type from
            the channel beside it.
        **options: title, scale, axis, legend and so on.

    Example:
        >>> field("alpha:Q", title="exponent"), field("hi")
        ({'field': 'alpha', 'type': 'quantitative', 'title': 'exponent'}, {'field': 'hi'})
    """
    found, colon, kind = name.partition(":")
    return {"field": found, "type": _TYPES[kind], **options} if colon else {"field": found, **options}


def value(found: object) -> Spec:
    """A channel that is the same for all rows."""
    return {"value": found}


def if_else(test: str, then: Spec, otherwise: Spec) -> Spec:
    """A channel that is one thing for the rows of which an expression is true, and another for the others."""
    return {"condition": {"test": test, **then}, **otherwise}


def mark(kind: str, **options: Any) -> Spec:
    """How the rows of a layer are drawn.

    Args:
        kind: point, rule, line and so on.
        **options: colour, size and so on.
    """
    return {"type": kind, **options}


def layer(data: str, drawn: Spec, *, name: str = "", only: str | Spec = "", **channels: Any) -> Spec:
    """One layer of a chart.

    Args:
        data: the name of its dataset.
        drawn: its `mark`.
        name: of the layer, by which scripts find its marks; empty for none.
        only: the rows that are drawn, an expression or a predicate; empty for all.
        **channels: its encoding: what of a row decides what of its mark.
    """
    made: Spec = {"data": {"name": data}, "mark": drawn, "encoding": channels}
    if name:
        made["name"] = name
    if only:
        made["transform"] = [{"filter": only}]
    return made
