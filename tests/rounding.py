"""How a number beside its interval should be shown, said again without the package."""

from __future__ import annotations

from collections.abc import Mapping


def expected(value: float, width: float | None) -> str:
    """Two decimals where the interval is wider than 0.1, three where it is narrower, four digits without one."""
    if width is None or width < 0.005 or abs(value) >= 100:
        return f"{value:.4g}"
    return f"{value:.2f}" if width > 0.1 else f"{value:.3f}"


def expected_ends(lo: float, hi: float, width: float | None = None) -> str:
    """Both ends; of a column, `width` is that of its widest interval."""
    return " to ".join(expected(end, hi - lo if width is None else width) for end in (lo, hi))


def expected_alpha(metrics: Mapping[str, float]) -> str:
    """The alpha of a matrix as precise as its interval, which follows it."""
    lo, hi = metrics["alpha_lo"], metrics["alpha_hi"]
    return f"alpha {expected(metrics['alpha'], hi - lo)} ({expected_ends(lo, hi)})"
