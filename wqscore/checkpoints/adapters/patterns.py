r"""Regular expressions of sources nobody trusts, matched in time that grows with pattern × text.

Python's `re` backtracks, so that twenty characters can keep it busy for ever. Here the states that a pattern can be
in after each character are followed together (Thompson, "Regular expression search algorithm", 1968). Of Python's
syntax it knows literals, `.`, classes, `\d \w \s` and their opposites, groups, `|`, repeats, `^` and `$`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache

Node = tuple[object, ...]
States = frozenset[int]

_MOST_CHARACTERS = 1000
_MOST_STEPS = 2000
_MOST_REPEATS = 1000
_DEEPEST = 20
#: What follows on what, kept for the next name: 100 MB at the worst, a few kB for what people write.
_MOST_KNOWN = 1000
_COUNTS = re.compile(r"\{([0-9]{1,4})?(,)?([0-9]{1,4})?\}")
#: A class as far as its bracket; Python has plans for the double signs and for a bracket inside, and warns.
_CLASS = re.compile(r"\[\^?\]?(?:[^\\\]\[&~|-]|-(?!-)|\\[dDwWsS]|\\[^a-zA-Z0-9])*\]")
_ESCAPE = re.compile(r"\\([dDwWsS]|[^a-zA-Z0-9])", re.DOTALL)


class PatternError(Exception):
    """A pattern that is too large, or of a syntax that is not read."""


@dataclass(frozen=True)
class Pattern:
    """A compiled pattern.

    Attributes:
        steps: a program. `("one", atom)` takes a character, `("start",)` and `("end",)` take none there and
            elsewhere stop; `("split", a, b)` goes on at both, `("match",)` is the end.
    """

    steps: tuple[Node, ...]
    _known: dict[tuple[States, str, bool], States] = field(default_factory=dict, compare=False, repr=False)

    def matches(self, text: str) -> bool:
        """Whether the text begins with a match, as `re.match` finds it."""
        match = len(self.steps) - 1
        at = self._without_taking([0], starts=True, ends=_ends(text, 0))
        for position, character in enumerate(text, 1):
            if match in at or not at:
                break
            at = self._after(at, character, _ends(text, position))
        return match in at

    def _after(self, at: States, character: str, ends: bool) -> States:
        key = (at, character, ends)
        known = self._known.get(key)
        if known is None:
            taken = [step + 1 for step in at if _takes(str(self.steps[step][1]), character)]
            known = self._without_taking(taken, starts=False, ends=ends)
            if len(self._known) < _MOST_KNOWN:
                self._known[key] = known
        return known

    def _without_taking(self, at: list[int], starts: bool, ends: bool) -> States:
        """The steps reached from these before the next character, those that take one or match."""
        seen: set[int] = set()
        found: list[int] = []
        waiting = list(at)
        while waiting:
            step = waiting.pop()
            if step in seen:
                continue
            seen.add(step)
            kind, *targets = self.steps[step]
            if kind in {"one", "match"}:
                found.append(step)
            elif kind == "split":
                waiting += [target for target in targets if isinstance(target, int)]
            elif starts if kind == "start" else ends:
                waiting.append(step + 1)
        return frozenset(found)


def compile_pattern(text: str) -> Pattern:
    r"""Compile a pattern.

    Raises:
        PatternError: it is too large, or not of the syntax above.

    Example:
        >>> compile_pattern(r"layers\.[0-9]+\.(q|k)_proj$").matches("layers.12.q_proj")
        True
        >>> compile_pattern("(a*)*b").matches("a" * 500)
        False
    """
    if len(text) > _MOST_CHARACTERS:
        raise PatternError(f"longer than {_MOST_CHARACTERS} characters")
    reader = _Reader(text)
    node = reader.alternatives(0)
    if reader.position < len(text):
        raise PatternError("a bracket that closes nothing")
    program = _Program()
    program.emit(node)
    return Pattern((*program.steps, ("match",)))


def _ends(text: str, position: int) -> bool:
    """Whether `$` holds there: at the end, and before a line break that is the end."""
    return position == len(text) or (position == len(text) - 1 and text[position] == "\n")


@lru_cache(maxsize=1 << 16)
def _takes(atom: str, character: str) -> bool:
    # One character against one atom: here `re` has nothing to go back to.
    return re.fullmatch(atom, character) is not None


def _checked(atom: str) -> str:
    try:
        re.compile(atom)
    except re.error as error:
        raise PatternError(f"{atom[:20]!r}: {error}") from error
    return atom


@dataclass
class _Reader:
    """Reads a pattern into nodes, from left to right."""

    text: str
    position: int = 0

    def alternatives(self, depth: int) -> Node:
        if depth > _DEEPEST:
            raise PatternError(f"groups nested deeper than {_DEEPEST}")
        branches = [self._sequence(depth)]
        while self.text.startswith("|", self.position):
            self.position += 1
            branches.append(self._sequence(depth))
        return ("alternatives", *branches) if len(branches) > 1 else branches[0]

    def _sequence(self, depth: int) -> Node:
        nodes: list[Node] = []
        while self.position < len(self.text) and self.text[self.position] not in "|)":
            nodes.append(self._repeated(self._one(depth)))
        return ("sequence", *nodes)

    def _one(self, depth: int) -> Node:
        sign = self.text[self.position]
        if sign == "(":
            return self._group(depth)
        if sign in "^$":
            self.position += 1
            return ("start",) if sign == "^" else ("end",)
        if sign in "*+?" or _COUNTS.match(self.text, self.position):
            raise PatternError("a repeat of nothing")
        if sign in "[\\":
            found = (_CLASS if sign == "[" else _ESCAPE).match(self.text, self.position)
            if found is None:
                raise PatternError(f"a {sign} that is not read")
            self.position = found.end()
            return ("one", _checked(found[0]))
        self.position += 1
        return ("one", "." if sign == "." else re.escape(sign))

    def _group(self, depth: int) -> Node:
        self.position += 3 if self.text.startswith("(?:", self.position) else 1
        if self.text.startswith("?", self.position):
            raise PatternError("a (? that is not read")
        inner = self.alternatives(depth + 1)
        if not self.text.startswith(")", self.position):
            raise PatternError("a group that is not closed")
        self.position += 1
        return ("group", inner)

    def _repeated(self, node: Node) -> Node:
        counts = _COUNTS.match(self.text, self.position)
        sign = self.text[self.position : self.position + 1]
        if counts and counts[0] != "{}":
            least = int(counts[1] or 0)
            most = int(counts[3]) if counts[3] else None if counts[2] else least
            self.position = counts.end()
        elif sign and sign in "*+?":
            least, most = int(sign == "+"), 1 if sign == "?" else None
            self.position += 1
        else:
            return node
        if self.text.startswith("?", self.position):
            self.position += 1
        if self.text[self.position : self.position + 1] in {"*", "+", "?", "{"} or node[0] in {"start", "end"}:
            raise PatternError("a repeat of a repeat or of ^ or $")
        if least > _MOST_REPEATS or (most is not None and not least <= most <= _MOST_REPEATS):
            raise PatternError("counts that are too large or the wrong way round")
        return ("repeat", node, least, most)


@dataclass
class _Program:
    """Turns nodes into steps."""

    steps: list[Node] = field(default_factory=list)
    emitted: int = 0

    def emit(self, node: Node) -> None:
        # Counted by node, as a repeat of an empty group adds no steps.
        self.emitted += 1
        if self.emitted > _MOST_STEPS:
            raise PatternError(f"of more than {_MOST_STEPS} steps")
        kind, *parts = node
        if kind in {"sequence", "group"}:
            for part in parts:
                self.emit(part)  # type: ignore[arg-type]
        elif kind == "alternatives":
            self._alternatives(parts)
        elif kind == "repeat":
            self._repeat(*parts)  # type: ignore[arg-type]
        else:
            self.steps.append(node)

    def _alternatives(self, branches: list[object]) -> None:
        ends: list[int] = []
        for branch in branches[:-1]:
            split = self._reserve()
            self.emit(branch)  # type: ignore[arg-type]
            ends.append(self._reserve())
            self.steps[split] = ("split", split + 1, len(self.steps))
        self.emit(branches[-1])  # type: ignore[arg-type]
        for end in ends:
            self.steps[end] = ("split", len(self.steps))

    def _repeat(self, node: Node, least: int, most: int | None) -> None:
        for _ in range(least):
            self.emit(node)
        if most is None:
            split = self._reserve()
            self.emit(node)
            self.steps.append(("split", split))
            self.steps[split] = ("split", split + 1, len(self.steps))
            return
        splits: list[int] = []
        for _ in range(most - least):
            splits.append(self._reserve())
            self.emit(node)
        for split in splits:
            self.steps[split] = ("split", split + 1, len(self.steps))

    def _reserve(self) -> int:
        self.steps.append(())
        return len(self.steps) - 1
