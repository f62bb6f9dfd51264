"""The defaults of each architecture for what a `config.json` leaves out: a table in place of importing transformers.

`architecture_defaults.json` holds, for each `model_type`, the names that wqscore reads and what transformers'
configuration class makes of each. `python -m docs.architecture_defaults` writes it and states the release.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import TypedDict


class Entry(TypedDict):
    """An architecture's defaults.

    An expression is a name or a number, then any number of times ` // ` or ` % ` and another, read left to right.

    Attributes:
        defaults: by the names of one value, separated by spaces, its default: the value, or an expression of
            other names.
        multiples: expressions that must be 0, a name without a value being 0; for a file in which one is not,
            transformers is asked, whose class may refuse it.
    """

    defaults: dict[str, int | bool | str]
    multiples: list[str]


def architecture_defaults(model_type: str, told: Mapping[str, int | bool]) -> Mapping[str, int | bool] | None:
    """The values of an architecture by name, given those that a file states.

    Returns:
        `None` where only transformers can tell: the table lacks the architecture, or has it for other sizes.

    Example:
        >>> architecture_defaults("llama", {"hidden_size": 1024, "num_attention_heads": 8})["head_dim"]
        128
        >>> architecture_defaults("llama", {"hidden_size": 1024, "num_attention_heads": 7}) is None
        True
    """
    entry = _table().get(model_type)
    return None if entry is None else resolve(entry, told)


def resolve(entry: Entry, told: Mapping[str, int | bool]) -> Mapping[str, int | bool] | None:
    """Fill an entry in with what a file states; `None` where that contradicts itself or the entry's multiples."""
    values: dict[str, int | bool] = {}
    rules: dict[str, str] = {}
    for names, default in entry["defaults"].items():
        aliases = names.split()
        stated = {told[name] for name in aliases if name in told}
        if len(stated) > 1:
            return None
        value = stated.pop() if stated else default
        if isinstance(value, str):
            rules |= dict.fromkeys(aliases, value)
        else:
            values |= dict.fromkeys(aliases, value)
    values |= {name: _result(rule, values) for name, rule in rules.items()}
    return None if any(_result(multiple, {**told, **values}) for multiple in entry["multiples"]) else values


def _result(expression: str, values: Mapping[str, int]) -> int:
    first, *rest = expression.split()
    result = _term(first, values)
    for operator, term in zip(rest[::2], rest[1::2], strict=True):
        result = result // _term(term, values) if operator == "//" else result % _term(term, values)
    return result


def _term(term: str, values: Mapping[str, int]) -> int:
    return int(term) if term.isdecimal() else values.get(term, 0)


@cache
def _table() -> Mapping[str, Entry]:
    text = files("wqscore.matrices").joinpath("architecture_defaults.json").read_text(encoding="utf-8")
    table: Mapping[str, Entry] = json.loads(text)["architectures"]
    return table
