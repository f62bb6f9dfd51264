"""Load untrusted YAML safely: plain values only, with limits on their number, depth and length."""

from __future__ import annotations

from typing import Any

from wqscore.errors import CheckpointError

#: Values with every alias expanded. Aliases of lists of aliases, ten levels deep, expand to billions.
MAX_VALUES = 200_000
#: Nesting depth. A model-index has seven levels; PyYAML's time for each bracket grows with the number of open ones.
MAX_DEPTH = 50
#: Characters of one value: PyYAML parses 1:1:1:… as a number to the base 60, in quadratic time.
MAX_CHARACTERS = 20_000


def load_yaml(text: str, where: str) -> Any:
    """Load YAML with PyYAML's safe loader, which makes only plain objects.

    Args:
        text: the YAML.
        where: the file's name, for messages.

    Raises:
        CheckpointError: it is invalid, or exceeds a limit.
    """
    import yaml  # type: ignore[import-untyped]

    try:
        # The same loader in C is ten times as fast; PyYAML's wheels have it.
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        if _is_too_much(text, loader):
            raise CheckpointError(f"{where}: its YAML is too large or too deep: shorten it")
        return yaml.load(text, Loader=loader)
    except CheckpointError:
        raise
    # Its constructors raise all kinds of errors: for a month 13, `!!int ""`, an unknown tag.
    except Exception as error:
        raise CheckpointError(f"{where}: its YAML can't be read: correct it") from error


def _is_too_much(text: str, loader: Any) -> bool:
    """Whether a limit is exceeded; counts values with every alias expanded, without expanding any."""
    import yaml

    count = 0
    opened: list[tuple[str | None, int]] = []
    within: dict[str | None, int] = {}
    for event in yaml.parse(text, Loader=loader):
        before = count
        if isinstance(event, yaml.AliasEvent):
            count += within.get(event.anchor, 0)
        elif isinstance(event, yaml.ScalarEvent):
            count += 1 if len(event.value) <= MAX_CHARACTERS else MAX_VALUES + 1
            within[event.anchor] = 1
        elif isinstance(event, yaml.CollectionStartEvent):
            opened.append((event.anchor, before))
            count += 1
            # Until the value ends, an alias of it would be recursive.
            within[event.anchor] = MAX_VALUES
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, start = opened.pop()
            within[anchor] = count - start
        if count > MAX_VALUES or len(opened) > MAX_DEPTH:
            return True
    return False
