"""Find the bits of a weight's code, and the weights that share a scale, wherever a configuration names them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from wqscore.checkpoints.quantised.settings import MAX_DEPTH, MAX_SIZES, quantisation_settings

_BITS = frozenset({"bits", "w_bit", "w_bits", "nbits", "num_bits", "wbits", "weight_bits", "weight_num_bits"})
_GROUPS = frozenset({"group_size", "q_group_size", "groupsize", "w_groupsize", "block_size", "blocksize"})
#: Keys whose values describe something else: activations, the cache of keys and values, scales of scales.
_NOT_OF_WEIGHTS = re.compile(r"activation|^act_|input|output|kv_cache|scale|zero_quant|offload|bnb_4bit_compute")
#: A type in a text: Int4WeightOnlyConfig, uint4, NVFP4, W4A16, qint8, nf4. Where a text names two types, that of the
#: weights is the one that says so.
_OF_WEIGHTS = re.compile(r"(?:int|float|fp)(\d)_?weight")
_TYPE = re.compile(r"(?:^|[^a-z])(?:q|u|mx|nv|mxu)?(?:int|float|fp|nf|w)(\d)(?!\d)")
_OF_METHODS = {"bitnet": 2, "eetq": 8, "mxfp4": 4}
_MAX_TEXT = 100
_MAX_BITS = 8


def bit_widths(config: Mapping[str, Any]) -> frozenset[int]:
    """The bits that the configuration names for the codes of weights, from 1 to 8; several if layers differ."""
    found: set[int] = set()
    for settings in quantisation_settings(config):
        for key, value in _entries(settings):
            if key in _BITS and type(value) is int:
                found.add(value)
            elif key == "load_in_4bit" and value is True:
                found.add(4)
            elif key == "load_in_8bit" and value is True:
                found.add(8)
            elif isinstance(value, str):
                found |= _bits_of(key, value[:_MAX_TEXT].lower())
    return frozenset(bits for bits in found if 0 < bits <= _MAX_BITS)


def group_sizes(config: Mapping[str, Any]) -> frozenset[int]:
    """The numbers of weights that share a scale; empty if there are implausibly many."""
    entries = (entry for settings in quantisation_settings(config) for entry in _entries(settings))
    found = frozenset(value for key, value in entries if key in _GROUPS and type(value) is int and value > 0)
    return found if len(found) <= MAX_SIZES else frozenset()


def _bits_of(key: str, text: str) -> set[int]:
    if key == "quant_method":
        return {_OF_METHODS[text]} if text in _OF_METHODS else set()
    if key not in {
        "quant_type",
        "_type",
        "_data",
        "weights",
        "weight",
        "quant_algo",
        "weight_dtype",
        "forward_dtype",
    }:
        return set()
    named = _OF_WEIGHTS.findall(text) or _TYPE.findall(text)
    return {int(bits) for bits in named[:1]}


def _entries(settings: object, depth: int = MAX_DEPTH) -> Iterator[tuple[str, Any]]:
    """Yield every key and value that may be of weights, at this level and in nested settings."""
    if depth and isinstance(settings, dict):
        for key, value in settings.items():
            if isinstance(key, str) and not _NOT_OF_WEIGHTS.search(key):
                yield key, value
                yield from _entries(value, depth - 1)
