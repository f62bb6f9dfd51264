"""Tell that a checkpoint is torch's where its file doesn't say so, by what only torch's modules store."""

from __future__ import annotations

import re
from collections.abc import Iterable

from wqscore.matrices.model_config import ModelConfig

#: Of torch's batch normalisation and of its recurrent layers; other frameworks' layers have no such parameters.
_TORCHS = re.compile(r"(?s)(.*\.)?(num_batches_tracked|weight_(ih|hh)_l\d+(_reverse)?)")
#: What transformers and diffusers add to the configuration that they save beside a model.
_SAVED_BY = ("transformers_version", "_diffusers_version")
#: MLX's settings for packed weights, in configurations that it keeps otherwise.
_MLX = "quantization"


def has_signs_of_torch(names: Iterable[str], config: ModelConfig) -> bool:
    """Whether names or configuration are those of a checkpoint that torch wrote.

    A conversion to another framework may keep both, so this decides nothing that shapes or the file tell otherwise.

    Args:
        names: of all tensors.
        config: the model's configuration.

    Example:
        >>> has_signs_of_torch(["bn1.num_batches_tracked"], ModelConfig({}))
        True
        >>> has_signs_of_torch(["bn1.running_mean", "conv1.weight"], ModelConfig({}))
        False
    """
    file = config.file
    if _MLX not in file and any(isinstance(file.get(key), str) for key in _SAVED_BY):
        return True
    return any(_TORCHS.fullmatch(name) for name in names)
