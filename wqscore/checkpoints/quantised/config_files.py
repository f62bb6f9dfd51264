"""Take the settings of a quantisation from the file that a tool writes beside `config.json`.

AutoGPTQ writes `quantize_config.json`, AutoAWQ `quant_config.json`, Model Optimizer `hf_quant_config.json`. What
`config.json` itself says comes first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MODELOPT = "hf_quant_config.json"
#: The files, in the order in which they are asked.
CONFIG_FILES = (MODELOPT, "quantize_config.json", "quant_config.json")
_OWN = "quantization_config"


def with_quantisation(config: dict[str, Any], files: Mapping[str, Any]) -> dict[str, Any]:
    """Add the settings of a quantisation to a configuration that names none.

    Args:
        config: the parsed `config.json`, `{}` without one.
        files: the parsed files of `CONFIG_FILES`, by name, as far as there are any; of any content.

    Returns:
        The configuration, with a `quantization_config` if a file has its settings.
    """
    for name in CONFIG_FILES:
        settings = files.get(name)
        if not isinstance(settings, dict):
            continue
        if name != MODELOPT:
            return config | {_OWN: settings}
        inner = settings.get("quantization")
        if isinstance(inner, dict):
            return config | {_OWN: {"quant_method": "modelopt"} | inner}
    return config
