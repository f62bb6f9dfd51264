"""Each architecture's defaults for keys missing from a `config.json`, from a table: transformers isn't imported.

`architecture_defaults.json` holds, for each `model_type`, the names that wqscore reads and the values that
transformers' configuration class gives them. `python -m docs.architecture_defaults` writes it and states the release.
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
        defaults: each value's default, by its names separated by spaces: a value, or an expression of other
            names.
        multiples: expressions that must be 0, where a name without a value is 0; a file in which one is not goes
            to transformers, whose class may refuse it.
    """

    defaults: dict[str, int | bool | str]
    multiples: list[str]


def architecture_defaults(model_type: str, given: Mapping[str, int | bool]) -> Mapping[str, int | bool] | None:
    """An architecture's values by name, from its defaults and the values `given` in a file.

    Returns:
        `None` where transformers is needed: the table lacks the architecture, or has it for other sizes only.

    Example:
        >>> architecture_defaults("llama", {"hidden_size": 1024, "num_attention_heads": 8})["head_dim"]
        128
        >>> architecture_defaults("llama", {"hidden_size": 1024, "num_attention_heads": 7}) is None
        True
    """
    entry = _table().get(model_type)
    return None if entry is None else resolve(entry, given)


def resolve(entry: Entry, given: Mapping[str, int | bool]) -> Mapping[str, int | bool] | None:
    """Complete a file's values by an entry; `None` if they contradict each other or the entry's multiples."""
    values: dict[str, int | bool] = {}
    rules: dict[str, str] = {}
    for names, default in entry["defaults"].items():
        aliases = names.split()
        stated = {given[name] for name in aliases if name in given}
        if len(stated) > 1:
            return None
        value = stated.pop() if stated else default
        if isinstance(value, str):
            rules |= dict.fromkeys(aliases, value)
        else:
            values |= dict.fromkeys(aliases, value)
    values |= {name: _result(rule, values) for name, rule in rules.items()}
    return None if any(_result(multiple, {**given, **values}) for multiple in entry["multiples"]) else values


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
