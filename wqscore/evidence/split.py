"""Which families choices are made on, and which are looked at once, afterwards."""

from __future__ import annotations

from hashlib import sha256

#: One family in so many is kept for the test.
_THIRDS = 3


def is_development(family: str) -> bool:
    """Whether a family belongs to the two thirds that choices are made on; its name alone decides.

    Example:
        >>> [is_development(family) for family in ("vgg", "resnet", "mlp2-digits", "cnn2-mnist")]
        [True, True, True, False]
    """
    return int.from_bytes(sha256(family.encode()).digest()[:8], "big") % _THIRDS != 0
