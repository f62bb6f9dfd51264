"""Read a LoRA adapter's settings from `adapter_config.json`, where any key may be missing or of a wrong type."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from wqscore.checkpoints.adapters.lora_weight import Scale, Scaling
from wqscore.checkpoints.adapters.patterns import PatternError, compile_pattern
from wqscore.errors import CheckpointError
from wqscore.escaping import printable

#: peft's defaults for the rank and for alpha.
_DEFAULT = 8
_MAX_RANK = 2**31
#: Kinds of LoRA whose ΔW is not s·B·A, by the key that turns them on.
_VARIANTS = {
    "use_dora": "DoRA",
    "use_qalora": "QALoRA",
    "use_bdlora": "BD-LoRA",
    "alora_invocation_tokens": "activated LoRA",
    "arrow_config": "Arrow",
    "kasa_config": "KaSA",
    "monteclora_config": "MonteCLoRA",
}
#: Initialisations that subtract the adapter's start from the base's weights.
_BASE_CHANGED = {"pissa": "PiSSA", "olora": "OLoRA", "corda": "CorDA", "loftq": "LoftQ", "lora_ga": "LoRA-GA"}
_WORD = re.compile(r"[\w.-]{1,200}")
#: Limit on program size × characters of layer names, summed over patterns: a second at worst. A name has size 1.
_MAX_WORK = 50_000_000
#: Cost of compiling a pattern, as a number of characters matched.
_COMPILING = 100
_MAX_PATTERNS = 10_000


@dataclass(frozen=True)
class LoraSettings:
    """The settings that decide the scale of each ΔW.

    Attributes:
        rank: r of layers that no pattern in `ranks` matches.
        alpha: alpha of layers that no pattern in `alphas` matches.
        by_square_root: rsLoRA: the scale is alpha / √r (Kalajdzievski 2023, arXiv 2312.03732), not alpha / r.
        fan_in_fan_out: whether the adapted layers store their weights (in, out).
        ranks: r by pattern; the first pattern that matches counts.
        alphas: alpha by pattern; the first pattern that matches counts.
    """

    rank: int
    alpha: float
    by_square_root: bool
    fan_in_fan_out: bool
    ranks: Mapping[str, int]
    alphas: Mapping[str, float]


def not_lora(config: Mapping[str, Any]) -> str | None:
    """Why an adapter is not plain LoRA, whose ΔW is s·B·A; `None` if it is."""
    kind = config.get("peft_type")
    if kind != "LORA":
        name = printable(kind[:40]) if isinstance(kind, str) and kind else "adapters that don't say their peft_type"
        return f"{name}: only LoRA adapters are read"
    found = [name for key, name in _VARIANTS.items() if config.get(key) not in (None, False, [], {})]
    return f"{', '.join(found)}: only plain LoRA is read" if found else None


def base_changed(config: Mapping[str, Any]) -> str | None:
    """Why W + ΔW, with W from the original base, is not the trained weight; `None` if it is."""
    start = config.get("init_lora_weights")
    if isinstance(start, str):
        for prefix, name in _BASE_CHANGED.items():
            if start.lower().startswith(prefix):
                return f"its {name} start changed the base's weights, which are not stored"
    if config.get("layer_replication"):
        return "it repeats layers of the base (layer_replication)"
    return None


def lora_settings(config: Mapping[str, Any]) -> LoraSettings:
    """Read the settings of a LoRA adapter.

    Raises:
        CheckpointError: a setting is invalid, such as a rank of 0.
    """
    return LoraSettings(
        _rank("r", _given(config, "r", _DEFAULT)),
        _alpha("lora_alpha", _given(config, "lora_alpha", _DEFAULT)),
        _flag(config, "use_rslora"),
        _flag(config, "fan_in_fan_out"),
        {key: _rank("rank_pattern", value) for key, value in _patterns(config, "rank_pattern").items()},
        {key: _alpha("alpha_pattern", value) for key, value in _patterns(config, "alpha_pattern").items()},
    )


def config_scaling(settings: LoraSettings, layers: list[str], flagged: bool = False) -> Scaling:
    """Return the scale of each layer by an adapter's settings, alpha / r or alpha / √r.

    Args:
        settings: the adapter's settings.
        layers: the names of all layers that it adapts, which patterns are matched with.
        flagged: whether rows say which formula it was.

    Raises:
        CheckpointError: as for `first_matches`.
    """
    ranks = first_matches(settings.ranks, layers, "rank_pattern")
    alphas = first_matches(settings.alphas, layers, "alpha_pattern")

    def scale(layer: str, stored: int) -> Scale | str:
        rank = settings.ranks[ranks[layer]] if layer in ranks else settings.rank
        alpha = settings.alphas[alphas[layer]] if layer in alphas else settings.alpha
        if stored != rank:
            return f"rank {rank} by adapter_config.json, and {stored} as stored"
        if settings.by_square_root:
            return Scale(alpha / math.sqrt(rank), "scale=alpha/sqrt(r)" if flagged else "")
        return Scale(alpha / rank, "scale=alpha/r" if flagged else "")

    return scale


def first_matches(patterns: Mapping[str, Any], modules: list[str], where: str) -> dict[str, str]:
    r"""Map each module to the first pattern that matches it by peft's rule, `(.*\.)?(pattern)$`.

    Raises:
        CheckpointError: a pattern is not supported, google-re2 is missing, or matching would take too long.
    """
    found: dict[str, str] = {}
    unmatched, work = modules, 0
    if len(patterns) > _MAX_PATTERNS:
        raise CheckpointError(f"adapter_config.json: {where}: more than {_MAX_PATTERNS} patterns: write fewer")
    for key in patterns:
        matches, size = _matcher(key, where)
        work += size * (_COMPILING + sum(len(module) + 1 for module in unmatched))
        if work > _MAX_WORK:
            raise CheckpointError(f"adapter_config.json: {where}: too many patterns for its layers: write fewer")
        found.update({module: key for module in unmatched if matches(module)})
        unmatched = [module for module in unmatched if module not in found]
    return found


def _matcher(key: str, where: str) -> tuple[Callable[[str], object], int]:
    """Return a function that says whether the pattern matches a name, and the size of the pattern's program."""
    whole = rf"(.*\.)?({key})$"
    if _WORD.fullmatch(key):
        # Nearly all patterns are plain names: without repeats `re` can't backtrack, and it is many times as fast.
        return re.compile(whole).match, 1
    try:
        return compile_pattern(whole)
    except PatternError as error:
        raise CheckpointError(f"adapter_config.json: {where}: {key[:80]!r} is not read: {error}") from error


def _given(config: Mapping[str, Any], key: str, default: object) -> object:
    value = config.get(key)
    return default if value is None else value


def _flag(config: Mapping[str, Any], key: str) -> bool:
    value = _given(config, key, False)
    if not isinstance(value, bool):
        raise CheckpointError(f"adapter_config.json: {key} is neither true nor false: correct it")
    return value


def _rank(key: str, value: object) -> int:
    if type(value) is not int or not 0 < value < _MAX_RANK:
        raise CheckpointError(f"adapter_config.json: {key} holds a value that is not a rank (1, 2, 3, …): correct it")
    return value


def _alpha(key: str, value: object) -> float:
    try:
        number = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise CheckpointError(f"adapter_config.json: {key} holds a value that is not a finite number: correct it")
    return number


def _patterns(config: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = _given(config, key, {})
    if not isinstance(value, dict):
        raise CheckpointError(f"adapter_config.json: {key} is not an object of patterns: correct it")
    return value
