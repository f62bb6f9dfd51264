"""The kinds of decision between two models, and their words."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, get_args

Kind = Literal["size", "recipe", "run", "fine-tune", "damage", "across"]
KINDS: tuple[Kind, ...] = get_args(Kind)
#: All decisions inside families together, those of no kind included; for checking only.
ANY = "any"
#: What a decision of each kind is about.
MEANING: Mapping[str, str] = MappingProxyType(
    {
        "size": "one model has over 5 % more parameters",
        "recipe": "the same shapes, trained from different starts, data or hyper-parameters",
        "run": "two steps of one training",
        "fine-tune": "one was made from the other by more training",
        "damage": "one is the other quantised, pruned, noised or partly re-initialised",
        "across": "two families, judged on one benchmark",
        ANY: "all kinds inside families together, for checking only",
    }
)
#: The models of many decisions of each kind.
PLURAL: Mapping[Kind, str] = MappingProxyType(
    {
        "size": "models of different size",
        "recipe": "models of the same shapes",
        "run": "steps of one training",
        "fine-tune": "a model and its fine-tune",
        "damage": "a model and a damaged or quantised copy",
        "across": "models of different families",
    }
)
