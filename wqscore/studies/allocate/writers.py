"""A plan as other programs take it: torch's parameter groups, and YAML for Axolotl and mergekit."""

from __future__ import annotations

import json
import re

from wqscore.errors import UsageError
from wqscore.escaping import printable
from wqscore.studies.allocate.allocate import Allocation
from wqscore.studies.allocate.report import UNTESTED

#: How torch's optimizers call what a use plans.
_OPTIONS = {"lr": "lr", "wd": "weight_decay"}


def allocation_groups(found: Allocation) -> str:
    """Parameter groups as JSON: names of parameters, and their rate or decay.

    Raises:
        UsageError: the use plans nothing that an optimizer takes.
    """
    if found.use not in _OPTIONS:
        raise UsageError(f"parameter groups are for lr and wd, not {found.use}: write it as JSON with --format json")
    option = _OPTIONS[found.use]
    groups = [{"params": list(each.tensors), option: each.value} for each in found.plan]
    return json.dumps(groups, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def allocation_axolotl(found: Allocation) -> str:
    """The `unfrozen_parameters` of an Axolotl configuration: a regular expression for each tensor to train.

    Axolotl escapes full stops itself, so they stand as they are.

    Raises:
        UsageError: it is another use than unfreeze.
    """
    if found.use != "unfreeze":
        raise UsageError(f"Axolotl's list is of unfreeze, not {found.use}: write it as JSON with --format json")
    tensors = dict.fromkeys(tensor for each in found.plan if each.value for tensor in each.tensors)
    lines = [_quoted(f"^{re.escape(tensor).replace(chr(92) + '.', '.')}$") for tensor in tensors]
    return "\n".join([f"# {UNTESTED}", "unfrozen_parameters:", *(f"  - {line}" for line in lines), ""])


def allocation_mergekit(found: Allocation) -> str:
    """The density of each layer, 1 − its share to prune, as a model's parameters in a mergekit configuration.

    mergekit spreads a list of values evenly over all layers, so that a list of as many values as layers gives each
    layer its own.

    Raises:
        UsageError: it is another use than prune, or the blocks are not the layers 0, 1, … of one stack.
    """
    if found.use != "prune":
        raise UsageError(
            f"mergekit takes densities, of prune, not of {found.use}: write it as JSON with --format json"
        )
    stems = {each.name.rstrip("0123456789") for each in found.plan}
    numbers = [each.name[len(each.name.rstrip("0123456789")) :] for each in found.plan]
    if len(stems) > 1 or numbers != [str(place) for place in range(len(numbers))]:
        raise UsageError(
            f"{found.layers.model}: mergekit takes a density for each layer of one stack, and some are missing"
        )
    values = [f"      - {1 - each.value!r}" for each in found.plan]
    head = [
        f"# {UNTESTED}",
        "models:",
        f"  - model: {_quoted(found.layers.model)}",
        "    parameters:",
        "      density:",
    ]
    return "\n".join([*head, *(f"  {line}" for line in values), ""])


def _quoted(text: str) -> str:
    """Text as a scalar of YAML that no parser takes for anything else."""
    return "'" + printable(text).replace("'", "''") + "'"
