"""Find layers that a checkpoint lacks: gaps in their numbers, or fewer than the configuration says."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from wqscore.matrices import roles
from wqscore.matrices.model_config import ModelConfig

#: What lists of whole layers are called; other numbered modules may be sequences in which some have no parameters.
_LIST = re.compile(r"(?<![^.])(layers|layer|h|blocks|block|resblocks|experts)\.(?P<number>[0-9]{1,6})\.")
_DEPTHS = ("num_hidden_layers", "n_layer", "n_layers", "num_layers")
#: No published model has more layers or experts.
_MOST = 10_000
_BLOCKS = ("attention.", "mlp.")


def absent_layers(weights: Iterable[str], names: Iterable[str], config: ModelConfig) -> dict[str, str]:
    """Find the layers that are not there.

    A gap in the numbers counts if all other layers have the same matrices. If the model has one list of layers and
    the configuration one number of them, all of these must be there.

    Args:
        weights: the names of the weights.
        names: the names of all tensors.
        config: the model's configuration.

    Returns:
        The reason by the name of each absent weight, or by that of the layer where its weights are not known.
    """
    lists: dict[str, dict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
    for weight in weights:
        for path, number, rest in _places(weight):
            if roles.role_of(weight).startswith(_BLOCKS):
                lists[path][number].add(rest)
    lists = {path: layers for path, layers in lists.items() if len(layers) > 1 and min(map(len, layers.values())) > 1}
    if not lists:
        return {}
    present: dict[str, set[int]] = defaultdict(set)
    for name in names:
        for path, number, _ in _places(name):
            present[path].add(number)
    outer = [path for path in lists if not _LIST.search(f"{path}.")]
    depth = _depth(config) if len(outer) == 1 else None
    found: dict[str, str] = {}
    for path, layers in lists.items():
        if max(present[path]) <= _MOST:
            found |= _gaps(path, layers, present[path], depth if [path] == outer else None)
    return found


def _gaps(path: str, layers: Mapping[int, set[str]], present: set[int], depth: int | None) -> dict[str, str]:
    """The absent layers of one list; `depth` is how many it must have, if that is known."""
    usual = next(iter(layers.values()))
    uniform = all(layer == usual for layer in layers.values())
    if depth is None or not len(layers) < depth <= _MOST:
        expected = range(min(present), max(present)) if uniform else range(0)
    else:
        expected = range(depth)
    found: dict[str, str] = {}
    for number in sorted(set(expected) - present):
        reason = f"absent, as is all of {path}.{number}"
        found |= (
            {f"{path}.{number}.{rest}": reason for rest in sorted(usual)} if uniform else {f"{path}.{number}": reason}
        )
    return found


def _depth(config: ModelConfig) -> int | None:
    """The number of layers, if all parts of the configuration that name one agree, and it counts whole layers."""
    kinds = [part.file.get("layer_types") for part in config.parts]
    if any(isinstance(of, list) and "mlp" in of for of in kinds):
        return None
    stated = {part.file.get(key) for part in config.parts for key in _DEPTHS if type(part.file.get(key)) is int}
    return stated.pop() if len(stated) == 1 else None


def _places(name: str) -> Iterator[tuple[str, int, str]]:
    """Yield the lists that a tensor stands in, its number in each, and the rest of its name."""
    for match in _LIST.finditer(name):
        yield name[: match.start("number") - 1], int(match["number"]), name[match.end() :]
