"""Time functions; several alternate, A B A B …, so that a drift of the machine's speed favours none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from statistics import median
from time import perf_counter, process_time


def seconds(function: Callable[[], object]) -> float:
    """Wall time of one call."""
    start = perf_counter()
    function()
    return perf_counter() - start


def processor_seconds(function: Callable[[], object]) -> float:
    """Processor time of one call, summed over threads; a busy machine changes it least."""
    start = process_time()
    function()
    return process_time() - start


def in_turn(
    functions: Mapping[str, Callable[[], object]], runs: int, timed: Callable[[Callable[[], object]], float] = seconds
) -> dict[str, list[float]]:
    """Seconds of every call, by name; the functions alternate.

    Args:
        functions: the functions, by name.
        runs: calls of each.
        timed: `seconds` or `processor_seconds`.
    """
    taken: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(runs):
        for name, function in functions.items():
            taken[name].append(timed(function))
    return taken


def ratio(taken: Mapping[str, list[float]], name: str, to: str) -> float:
    """Median over pairs of calls of the time of `name` divided by that of `to`."""
    return median(a / b for a, b in zip(taken[name], taken[to], strict=True))
