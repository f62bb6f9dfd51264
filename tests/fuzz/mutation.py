"""Damage and forgery, from a seed: bits, spans, lengths, numbers, words of the format, values in its JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from tests.fuzz.planning import SEPARATOR
from tests.fuzz.targets import Target

#: No input is longer; what a parser may take is stated for inputs of this size.
MOST_BYTES = 2**16
_EDGES = (0, 1, 2, 127, 128, 255, 256, 2**15, 2**16, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**62, 2**63 - 1, 2**63)
_ODD: tuple[Any, ...] = (None, True, -1, 0, 1, 2**31, 2**40, 2**63, 10**30, 0.5, 1e308, "", "x", [], {}, "\ud800")
_NUMBER = re.compile(rb"-?[0-9]+")


def mutate(data: bytes, target: Target, others: Sequence[bytes], rng: Random, most: int = MOST_BYTES) -> bytes:
    """Change an input in one to five ways.

    Args:
        data: the input.
        target: what it is for.
        others: inputs to take spans from.
        rng: decides everything.
        most: bytes at which the result is cut off.
    """
    for _ in range(rng.choice((1, 1, 1, 2, 3, 5))):
        if target.layout != "binary" and rng.random() < 0.5:
            data = _in_layout(data, target, rng)
        else:
            data = rng.choice(_OPERATIONS)(data, target.tokens, others, rng)
    return data[:most]


def _span(data: bytes, rng: Random) -> tuple[int, int]:
    begin = rng.randint(0, len(data))
    return begin, min(len(data), begin + rng.choice((1, 2, 4, 8, 32, 200)))


def _flip(data: bytes, _: Sequence[bytes], __: Sequence[bytes], rng: Random) -> bytes:
    at = rng.randint(0, len(data) - 1) if data else 0
    return data[:at] + bytes([data[at] ^ 1 << rng.randint(0, 7)]) + data[at + 1 :] if data else data


def _overwrite(data: bytes, _: Sequence[bytes], __: Sequence[bytes], rng: Random) -> bytes:
    begin, end = _span(data, rng)
    return data[:begin] + rng.randbytes(end - begin) + data[end:]


def _truncate(data: bytes, _: Sequence[bytes], __: Sequence[bytes], rng: Random) -> bytes:
    return data[: rng.randint(0, len(data))]


def _delete(data: bytes, _: Sequence[bytes], __: Sequence[bytes], rng: Random) -> bytes:
    begin, end = _span(data, rng)
    return data[:begin] + data[end:]


def _repeat(data: bytes, _: Sequence[bytes], __: Sequence[bytes], rng: Random) -> bytes:
    begin, end = _span(data, rng)
    times = min(rng.choice((2, 2, 3, 50, 10_000)), MOST_BYTES // max(1, end - begin))
    return data[:begin] + data[begin:end] * times + data[end:]


def _splice(data: bytes, _: Sequence[bytes], others: Sequence[bytes], rng: Random) -> bytes:
    other = rng.choice(others)
    begin, end = _span(other, rng)
    piece = other[begin:] if rng.random() < 0.3 else other[begin:end]
    at = rng.randint(0, len(data))
    return data[:at] + piece + data[at + rng.choice((0, len(piece))) :]


def _binary_number(data: bytes, _: Sequence[bytes], __: Sequence[bytes], rng: Random) -> bytes:
    width = rng.choice((1, 2, 4, 8))
    number = (rng.choice(_EDGES) + rng.choice((0, 0, -1, 1))) % 2 ** (8 * width)
    at = rng.randint(0, len(data))
    return data[:at] + number.to_bytes(width, "little") + data[at + width :]


def _text_number(data: bytes, _: Sequence[bytes], __: Sequence[bytes], rng: Random) -> bytes:
    found = list(_NUMBER.finditer(data))
    if not found:
        return data
    match = rng.choice(found)
    number = rng.choice((str(rng.choice(_EDGES)), str(-rng.choice(_EDGES)), "9" * 5000, "1e999", "0x7f", "-0"))
    return data[: match.start()] + number.encode() + data[match.end() :]


def _token(data: bytes, tokens: Sequence[bytes], _: Sequence[bytes], rng: Random) -> bytes:
    token = rng.choice(tokens) * rng.choice((1, 1, 1, 1, 1, 1, 1, 10_000))
    at = rng.randint(0, len(data))
    return (data[:at] + token + data[at + rng.choice((0, len(token))) :])[:MOST_BYTES]


Operation = Callable[[bytes, Sequence[bytes], Sequence[bytes], Random], bytes]
_OPERATIONS: tuple[Operation, ...] = (
    *(_flip, _overwrite, _truncate, _delete, _repeat, _splice, _binary_number, _text_number, _token),
)


def _in_layout(data: bytes, target: Target, rng: Random) -> bytes:
    """Change a value of the JSON, and write its length or sizes anew where there are any."""
    if target.layout == "json":
        return _changed(data, target.tokens, rng)
    if target.layout == "safetensors":
        return _with_header(data, target.tokens, rng)
    text, separator, weights = data.partition(SEPARATOR)
    if rng.random() < 0.5:
        return _changed(text, target.tokens, rng) + separator + weights
    return text + separator + _with_header(weights, target.tokens, rng)


def _changed(text: bytes, tokens: Sequence[bytes], rng: Random) -> bytes:
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return json.dumps(_with_change(tree, tokens, rng)).encode()


def _with_header(data: bytes, tokens: Sequence[bytes], rng: Random) -> bytes:
    length = int.from_bytes(data[:8], "little")
    header = _changed(data[8 : 8 + length], tokens, rng)
    return len(header).to_bytes(8, "little") + header + data[8 + length :]


def _with_change(tree: Any, tokens: Sequence[bytes], rng: Random) -> Any:
    """Go down at random, and change one value, key or length."""
    if isinstance(tree, dict | list) and tree and rng.random() < 0.85:
        places = list(tree) if isinstance(tree, dict) else range(len(tree))
        place, copy = rng.choice(places), tree.copy()
        kind = rng.random()
        if kind < 0.1:
            del copy[place]
        elif kind < 0.25 and isinstance(copy, dict):
            copy[_word(place, tokens, rng)] = copy[place] if rng.random() < 0.5 else copy.pop(place)
        elif kind < 0.25:
            copy.insert(place, copy[rng.choice(places)])
        else:
            copy[place] = _with_change(tree[place], tokens, rng)
        return copy
    if isinstance(tree, str) and rng.random() < 0.7:
        return _word(tree, tokens, rng)
    if type(tree) is int and rng.random() < 0.7:
        return rng.choice((tree + 1, tree - 1, tree * 2, tree // 2, -tree, rng.choice(_EDGES)))
    return rng.choice((*_ODD, [tree], {"x": tree}))


def _word(text: str, tokens: Sequence[bytes], rng: Random) -> str:
    token = rng.choice(tokens).decode("latin-1")
    at = rng.randint(0, len(text))
    return rng.choice((token, text[:at] + token + text[at:], text * rng.choice((2, 300)), text[:at]))[:MOST_BYTES]
