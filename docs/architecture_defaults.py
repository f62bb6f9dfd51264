"""Write wqscore/matrices/architecture_defaults.json from the transformers installed: some minutes.

Each configuration class is asked for the names that wqscore reads, with nothing told and with many combinations of
sizes, also of sizes that do not fit each other. An architecture enters the table if one entry of it gives every
answer; the others are left to transformers.

Usage: python -m docs.architecture_defaults
"""

from __future__ import annotations

import json
import logging
import random
import warnings
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, product
from pathlib import Path
from typing import Any

import transformers
from transformers.models.auto.configuration_auto import CONFIG_MAPPING, CONFIG_MAPPING_NAMES

from wqscore.matrices.architecture_defaults import Entry, resolve
from wqscore.matrices.config_names import DEFAULTED, HEAD_SIZE, HEADS, HIDDEN, KEY_VALUE_HEADS, TOLD

TABLE = Path(__file__).parent.parent / "wqscore" / "matrices" / "architecture_defaults.json"
Values = Mapping[str, Any]
KINDS = (HEADS, HIDDEN, HEAD_SIZE, KEY_VALUE_HEADS)
#: Heads, hidden size, head size and key-value heads: some that fit each other, some that do not.
SIZES = [(8, 1024, 64, 2), (24, 3072, 256, 8), (4, 2304, 96, 1), (12, 512, 20, 5), (10, 330, 33, 10)]
#: And any of these, drawn: small, odd and large.
ANY_SIZES = (1, 2, 3, 4, 6, 8, 12, 16, 20, 33, 40, 64, 80, 100, 128, 160, 256, 768, 1000, 1024, 4096)
DRAWS = 200
#: Rotary embeddings turn a share of each head, an even number of dimensions: this many suffice for every share.
EVEN = 8


def answer(model_type: str, told: Values) -> Values | None:
    """The values that transformers gives for a file; `None` where the class refuses the file."""
    try:
        config = transformers.AutoConfig.for_model(model_type, **told)
    except Exception:
        return None
    return {name: value for name in DEFAULTED if (value := _get(config, name)) is not None}


def _get(config: Any, name: str) -> Any:
    # One that differs from layer to layer raises.
    try:
        return getattr(config, name, None)
    except Exception:
        return None


def agree(entry: Entry, told: Values, real: Values | None) -> bool:
    """Whether an entry and transformers give the same for what the file leaves out, or the entry leaves it to it."""
    values = resolve(entry, told)
    return values is None or (real is not None and _untold(values, told) == _untold(real, told))


def _untold(values: Values, told: Values) -> Values:
    return {name: value for name, value in values.items() if name not in told}


def entry_of(model_type: str) -> Entry | None:
    """The entry of an architecture; `None` where none gives every answer."""
    defaults = answer(model_type, {})
    if defaults is None or not all(type(value) in {int, bool} for value in defaults.values()):
        return None
    answers = [(told, answer(model_type, told)) for told in _files(defaults)]
    for entry in _candidates(defaults, CONFIG_MAPPING[model_type].attribute_map):
        if resolve(entry, {}) is not None and all(agree(entry, *each) for each in answers):
            return entry
    return None


def _files(defaults: Values) -> Iterator[Values]:
    """What files may state: each name alone, every choice of the four kinds of size, and draws."""
    draws = random.Random(0)
    choice = draws.choice
    for sizes in SIZES:
        kinds = list(zip(KINDS, sizes, strict=True))
        for count in range(len(kinds) + 1):
            for chosen in combinations(kinds, count):
                yield {choice([n for n in names if n in defaults] or names): size for names, size in chosen}
    yield from ({name: size} for names, size in zip(KINDS, SIZES[0], strict=True) for name in names)
    yield from ({name: value} for name, kind in TOLD.items() if kind is bool for value in (True, False))
    known = [name for name in TOLD if name in defaults]
    for draw in range(DRAWS):
        names = known if draw % 2 else list(TOLD)
        chosen_names = draws.sample(names, draws.randint(0, min(5, len(names))))
        yield {name: choice(ANY_SIZES if TOLD[name] is int else (True, False)) for name in chosen_names}


def _candidates(defaults: Values, attribute_map: Mapping[str, str]) -> Iterator[Entry]:
    """Every entry with these defaults, the least demanding first: each a constant or by its rule."""
    heads, hidden, _, grouped = (next((name for name in names if name in defaults), "") for names in KINDS)
    groups: dict[str, list[str]] = {}
    for name in defaults:
        groups.setdefault(attribute_map.get(name, name), []).append(name)
    quotient = f"{hidden} // {heads}"
    rules = dict.fromkeys(HEAD_SIZE, quotient) if hidden and heads else {}
    rules |= dict.fromkeys(KEY_VALUE_HEADS, heads) if heads else {}
    choices: list[list[Any]] = []
    for names in groups.values():
        rule = "" if heads in names else rules.get(names[0])
        choices.append([defaults[names[0]], *([rule] if rule else [])])
    demands = [f"{HEAD_SIZE[0]} % {EVEN}"]
    demands += [f"{hidden} % {heads}", f"{quotient} % {EVEN}"] if hidden and heads else []
    demands += [f"{heads} % {grouped}"] if heads and grouped else []
    for count in range(len(demands) + 1):
        for multiples in combinations(demands, count):
            for values in product(*choices):
                named = zip(groups.values(), values, strict=True)
                yield {"defaults": {" ".join(names): value for names, value in named}, "multiples": list(multiples)}


def table(model_types: Sequence[str]) -> str:
    """The table of these architectures as JSON, one a line."""
    entries = {model_type: entry_of(model_type) for model_type in model_types}
    lines = [f"{json.dumps(name)}: {json.dumps(entry)}" for name, entry in entries.items() if entry is not None]
    head = f'{{"transformers": {json.dumps(transformers.__version__)},\n"architectures": {{\n'
    return head + ",\n".join(lines) + "\n}}\n"


if __name__ == "__main__":
    logging.disable()
    warnings.simplefilter("ignore")
    TABLE.write_text(table(sorted(CONFIG_MAPPING_NAMES)), encoding="utf-8")
