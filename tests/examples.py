"""How many examples the property tests try: each names a number, of which each profile of Hypothesis takes a share.

`--hypothesis-profile` chooses: `test` a fifth, `all` that number, both the same examples every time; `explore` five
times as many, new ones every time.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings

_USUAL = 100
_SHARES = {"test": 0.2, "all": 1.0, "explore": 5.0}


def register_profiles() -> None:
    """Make the profiles known, and `test` the one that holds where none is chosen."""
    for name, share in _SHARES.items():
        settings.register_profile(
            name,
            max_examples=round(_USUAL * share),
            derandomize=name != "explore",
            # A busy machine is no fault of what is tested.
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        )
    settings.load_profile("test")


def examples(number: int) -> int:
    """The share of a number of examples that the chosen profile takes, for `max_examples`."""
    return max(1, number * settings.default.max_examples // _USUAL)


def sized(full: int, small: int) -> int:
    """The first where every example is tried, and the second in `make test`."""
    return full if settings.default.max_examples >= _USUAL else small
