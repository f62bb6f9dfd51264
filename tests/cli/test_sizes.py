"""Memory sizes as people write them."""

from __future__ import annotations

import pytest
import typer

from wqscore.cli.sizes import parse_size


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1", 1),
        ("4GB", 4 * 10**9),
        ("4g", 4 * 10**9),
        (" 2 GiB ", 2 * 2**30),
        ("512MiB", 2**29),
        ("0.5TB", 5 * 10**11),
        ("100kb", 10**5),
    ],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "GB", "0", "0GB", "-4GB", "4 giraffes", "1e9", "nan", "inf", "4iB"])
def test_no_sizes(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="amount of memory"):
        parse_size(text)
