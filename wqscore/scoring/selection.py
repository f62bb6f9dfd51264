"""Choose matrices by layer, name or role: `--layers` and `--roles`, and what is left out of a score then."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from fnmatch import fnmatchcase
from heapq import nlargest

from wqscore.errors import CheckpointError, UsageError, nearest
from wqscore.matrices.plan import PlannedTensor
from wqscore.matrices.weight_matrix import SkippedTensor, WeightMatrix

#: Every role that a matrix can have.
ROLES = (
    *("embedding", "attention.q", "attention.k", "attention.v", "attention.o", "mlp.gate", "mlp.in", "mlp.out"),
    *("conv", "head", "other"),
)
#: How many near names a message lists.
_LISTED = 3
_RANGE = re.compile(r"(?:layers?\s*)?([0-9]{1,9})(?:\s*-\s*([0-9]{1,9}))?", re.IGNORECASE)
_IN_LAYER = re.compile(r"([0-9]{1,9})\.(.+)")


class NothingChosenError(CheckpointError, UsageError):
    """A choice that no matrix of a model fits: this model fails, and alone it is wrong usage."""


@dataclass(frozen=True)
class LeftOut(SkippedTensor):
    """A matrix that was not chosen: it counts in no average and in no coverage.

    Attributes:
        parameters: its number of weights; 0 where that can't be told.
    """

    parameters: int = 0


@dataclass(frozen=True)
class Selection:
    """Which matrices to score; all where both are empty, and those that fit both where neither is.

    Attributes:
        layers: each the index of a layer (`3`), a range of them (`0-5`, `layers 0-5`), a name, a part of one, a
            pattern with `*` and `?`, a role, or a layer's role (`3.attention.q`).
        roles: each a role (`attention.q`), a pattern (`mlp.*`) or a group of roles (`attention`).

    Raises:
        UsageError: a pattern of roles that no role fits.
    """

    layers: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what no model can have."""
        for pattern in self.roles:
            if not any(_fits_role(role, pattern) for role in ROLES):
                raise UsageError(f"no role called {pattern!r}: {nearest(pattern.lower(), ROLES)}")

    def __bool__(self) -> bool:
        """Whether anything may be left out."""
        return bool(self.layers or self.roles)

    def __str__(self) -> str:
        """As it is written on a command line."""
        given = {"--layers": self.layers, "--roles": self.roles}
        return " ".join(f"{option} {','.join(patterns)}" for option, patterns in given.items() if patterns)

    def chooses(self, name: str, role: str, depth: int | None) -> bool:
        """Whether a matrix of this name, role and layer is chosen."""
        if self.roles and not any(_fits_role(role, pattern) for pattern in self.roles):
            return False
        return not self.layers or any(_fits(name, role, depth, pattern) for pattern in self.layers)


#: No matrix is left out.
EVERYTHING = Selection()


def selection_of(layers: str | Sequence[str] | None, roles: str | Sequence[str] | None) -> Selection:
    """Read patterns: several in a text are separated by commas.

    Example:
        >>> str(selection_of("0-5", ["attention.q", "mlp.*"]))
        '--layers 0-5 --roles attention.q,mlp.*'

    Raises:
        UsageError: as for `Selection`; a text without a pattern.
    """
    return Selection(_patterns(layers, "layers"), _patterns(roles, "roles"))


def _patterns(given: str | Sequence[str] | None, name: str) -> tuple[str, ...]:
    if given is None:
        return ()
    parts = given.split(",") if isinstance(given, str) else given
    found = tuple(filter(None, (part.strip() for part in parts)))
    if not found:
        example = "0-5 or attention.query" if name == "layers" else "attention.q or mlp.*"
        raise UsageError(f"{name} is empty: give a pattern, such as {example}")
    return found


def select(outcomes: Sequence[PlannedTensor], selection: Selection, label: str) -> list[PlannedTensor]:
    """Put a row of its own in place of each matrix that is not chosen.

    Args:
        outcomes: the planned matrices and skips of a checkpoint.
        selection: which matrices to keep.
        label: the model's name, for the message.

    Raises:
        NothingChosenError: no matrix is chosen; the message names what is nearest.
    """
    if not selection:
        return list(outcomes)
    found = [_left_out(each, selection) if _is_left_out(each, selection) else each for each in outcomes]
    if not any(isinstance(each, WeightMatrix) for each in found):
        matrices = [each for each in outcomes if isinstance(each, WeightMatrix)]
        raise NothingChosenError(f"{label}: {selection} fits no matrix: {_hint(matrices, selection)}")
    return found


def remark_of(selection: Selection, rows: Iterable[object], matrices: int) -> str:
    """The line under a result that says what was left out.

    Args:
        selection: what was chosen.
        rows: the rows of a score.
        matrices: how many were scored.
    """
    left = [row for row in rows if isinstance(row, LeftOut)]
    weights = sum(row.parameters for row in left)
    return (
        f"only {selection}: {matrices} of {matrices + len(left)} matrices; the {len(left)} others, with {weights:,} "
        "weights, are in no number and in no coverage"
    )


def _is_left_out(outcome: PlannedTensor, selection: Selection) -> bool:
    if isinstance(outcome, SkippedTensor) and outcome.kind != "unread":
        return False
    return not selection.chooses(outcome.name, outcome.role, outcome.depth)


def _left_out(outcome: PlannedTensor, selection: Selection) -> LeftOut:
    reason, role, depth = f"left out by {selection}", outcome.role, outcome.depth
    if isinstance(outcome, SkippedTensor):
        shape, dtype, weights = outcome.shape, outcome.dtype, outcome.weights
    else:
        shape = (outcome.rows, outcome.columns) + ((outcome.slices,) if outcome.slices > 1 else ())
        dtype, weights = outcome.tensor.dtype.name, outcome.parameters
    return LeftOut(outcome.name, shape, dtype, role, reason, "not-a-matrix", depth=depth, parameters=weights)


def _fits_role(role: str, pattern: str) -> bool:
    pattern = pattern.lower()
    return fnmatchcase(role, pattern) or role.startswith(f"{pattern}.")


def _fits(name: str, role: str, depth: int | None, pattern: str) -> bool:
    if found := _RANGE.fullmatch(pattern):
        return depth is not None and int(found[1]) <= depth <= int(found[2] or found[1])
    within = _IN_LAYER.fullmatch(pattern)
    if within and depth == int(within[1]) and _fits_role(role, within[2]):
        return True
    if _fits_role(role, pattern):
        return True
    if any(character in pattern for character in "*?"):
        return fnmatchcase(name, pattern) or fnmatchcase(name, f"*.{pattern}") or fnmatchcase(name, f"*.{pattern}.*")
    return _is_part(pattern, name)


def _is_part(part: str, name: str) -> bool:
    """Whether a name contains a part, without cutting a number in two: `layer.1` is no part of `layer.11`."""
    before = r"(?<![0-9])" if part[:1].isdigit() else ""
    after = r"(?![0-9])" if part[-1:].isdigit() else ""
    return re.search(f"{before}{re.escape(part)}{after}", name) is not None


def _hint(matrices: Sequence[WeightMatrix], selection: Selection) -> str:
    """What the model has that is nearest to what was asked for."""
    if not matrices:
        return "it has none"
    if selection.roles and not any(_fits_role(m.role, pattern) for m in matrices for pattern in selection.roles):
        return f"its roles are {', '.join(dict.fromkeys(matrix.role for matrix in matrices))}"
    depths = [matrix.depth for matrix in matrices if matrix.depth is not None]
    if selection.layers and all(map(_RANGE.fullmatch, selection.layers)):
        return f"its layers are {min(depths)} to {max(depths)}" if depths else "its layers have no numbers"
    pattern = selection.layers[0] if selection.layers else ""
    near = nlargest(_LISTED, (matrix.name for matrix in matrices), key=lambda name: _likeness(pattern, name))
    return f"near it: {', '.join(near)}"


def _likeness(requested: str, name: str) -> float:
    """How much of a name, or of as many parts of it as were requested, matches; 1 if they are equal."""
    parts, length = name.split("."), requested.count(".") + 1
    return max(SequenceMatcher(None, requested, part).ratio() for part in (name, *_runs(parts, length)))


def _runs(parts: Sequence[str], length: int) -> Iterator[str]:
    """Neighbouring parts of a name, so many together."""
    for start in range(max(len(parts) - length + 1, 0)):
        yield ".".join(parts[start : start + length])
