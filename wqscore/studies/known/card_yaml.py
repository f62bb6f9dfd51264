"""YAML of strangers: plain values only, and no more of them than the text's length suggests."""

from __future__ import annotations

from typing import Any

from wqscore.errors import CheckpointError

#: Values once every alias is written out. An alias of a list of aliases, ten levels deep, names billions.
MOST_VALUES = 200_000
#: Lists within lists. A model-index has seven, and PyYAML's time for each bracket grows with those open before it.
MOST_DEEP = 50
#: Characters of one value: PyYAML takes 1:1:1:… for a number to the base 60, in time that grows with the square.
MOST_CHARACTERS = 20_000


def load_yaml(text: str, where: str) -> Any:
    """Read YAML with PyYAML's safe loader, which makes no objects but plain ones.

    Args:
        text: the YAML.
        where: the file, for messages.

    Raises:
        CheckpointError: it is not valid, or holds more than can be meant.
    """
    import yaml  # type: ignore[import-untyped]

    try:
        # The same loader in C, ten times as fast, where PyYAML was built with it: its wheels are.
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        if _is_too_much(text, loader):
            raise CheckpointError(f"{where}: its YAML holds more than can be meant: mend it")
        return yaml.load(text, Loader=loader)
    except CheckpointError:
        raise
    # Whatever its constructors meet: a month 13, `!!int ""`, a name that stands for nothing.
    except Exception as error:
        raise CheckpointError(f"{where}: its YAML can't be read: mend it") from error


def _is_too_much(text: str, loader: Any) -> bool:
    """Count values as if each alias were written out, without writing any out."""
    import yaml

    count = 0
    opened: list[tuple[str | None, int]] = []
    within: dict[str | None, int] = {}
    for event in yaml.parse(text, Loader=loader):
        before = count
        if isinstance(event, yaml.AliasEvent):
            count += within.get(event.anchor, 0)
        elif isinstance(event, yaml.ScalarEvent):
            count += 1 if len(event.value) <= MOST_CHARACTERS else MOST_VALUES + 1
            within[event.anchor] = 1
        elif isinstance(event, yaml.CollectionStartEvent):
            opened.append((event.anchor, before))
            count += 1
            # Until it ends, an alias of it would make it hold itself.
            within[event.anchor] = MOST_VALUES
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, start = opened.pop()
            within[anchor] = count - start
        if count > MOST_VALUES or len(opened) > MOST_DEEP:
            return True
    return False
