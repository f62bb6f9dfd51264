"""A bank of adapters that the user trusts: the JSON that `wqscore screen` wrote of them."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from wqscore.errors import UsageError, read_small
from wqscore.studies.screen.statistics import STATISTICS

#: What makes two modules comparable: name without prefixes, rows, columns, and rank.
ModuleKey = tuple[str, int, int, int | None]
#: What makes the modules of a role comparable.
RoleKey = tuple[str, int | None]
_LARGEST = 1 << 30


@dataclass(frozen=True)
class Bank:
    """The statistics of adapters, each once.

    Attributes:
        names: what the adapters are called, in order.
        modules: by module, statistic and adapter.
        roles: by role, statistic and adapter, the median over the role's modules.
    """

    names: tuple[str, ...]
    modules: Mapping[ModuleKey, Mapping[str, Mapping[str, float]]]
    roles: Mapping[RoleKey, Mapping[str, Mapping[str, float]]]

    def others(self, key: ModuleKey, statistic: str, name: str) -> list[float]:
        """The values of a module in all adapters but the one of a name."""
        return _others(self.modules.get(key, {}), statistic, name)

    def others_of_role(self, key: RoleKey, statistic: str, name: str) -> list[float]:
        """The medians of a role in all adapters but the one of a name."""
        return _others(self.roles.get(key, {}), statistic, name)


def load_bank(files: Iterable[str | os.PathLike[str]]) -> Bank:
    """Read a bank from the JSON of one or more screenings.

    Raises:
        UsageError: a file can't be read, or is no screening, or one adapter is in two of them.
    """
    names: list[str] = []
    modules: dict[ModuleKey, dict[str, dict[str, float]]] = defaultdict(lambda: defaultdict(dict))
    roles: dict[RoleKey, dict[str, dict[str, float]]] = defaultdict(lambda: defaultdict(dict))
    for file in map(Path, files):
        try:
            for each in _document(file)["adapters"]:
                if each["reason"] is not None:
                    continue
                name = _name(each)
                if name in names:
                    raise UsageError(f"{file}: the adapter {name} is in the bank already: leave one out")
                names.append(name)
                for row in each["modules"]:
                    key = (_text(row["key"]), _whole(row["rows"]), _whole(row["columns"]), _rank(row["rank"]))
                    _put(modules[key], row, name)
                for row in each["roles"]:
                    _put(roles[_text(row["role"]), _rank(row["rank"])], row, name)
        except (KeyError, TypeError, ValueError) as error:
            raise UsageError(f"{file}: not what `wqscore screen --format json` writes: make it anew") from error
    return Bank(tuple(names), modules, roles)


def _document(file: Path) -> Mapping[str, Any]:
    try:
        found: Mapping[str, Any] = json.loads(read_small(file, _LARGEST))
        return found
    except OSError as error:
        raise UsageError(f"{file}: can't be read: {error.strerror or error}") from error
    except RecursionError as error:
        raise ValueError("too deep") from error


def _name(adapter: Mapping[str, Any]) -> str:
    """An adapter's name, with its revision."""
    return "@".join(filter(None, (_text(adapter["model"]), adapter["revision"])))


def _put(found: Mapping[str, dict[str, float]], row: Mapping[str, Any], name: str) -> None:
    for statistic in STATISTICS:
        value = row[statistic]
        if value is not None and isfinite(number := float(value)):
            found[statistic][name] = number


def _others(found: Mapping[str, Mapping[str, float]], statistic: str, name: str) -> list[float]:
    values: Sequence[tuple[str, float]] = tuple(found.get(statistic, {}).items())
    return [value for other, value in values if other != name]


def _text(found: object) -> str:
    if not isinstance(found, str):
        raise TypeError("no text")
    return found


def _whole(found: object) -> int:
    if type(found) is not int:
        raise TypeError("no whole number")
    return found


def _rank(found: object) -> int | None:
    return None if found is None else _whole(found)
