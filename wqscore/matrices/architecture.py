"""A checkpoint's architecture, vocabulary and size, from its configuration and its tensors' names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from wqscore.checkpoints.checkpoint import Checkpoint
from wqscore.checkpoints.tensor import Tensor
from wqscore.matrices.config_names import HIDDEN
from wqscore.matrices.matching import canonical_name
from wqscore.matrices.model_config import ModelConfig
from wqscore.matrices.roles import layer_of

#: Vocabularies are padded for the hardware by fewer rows than this: Pythia's 50,277 tokens are 50,304 to 50,688 rows.
_PADDING = 512


@dataclass(frozen=True)
class Architecture:
    """The kind and the size of a model.

    Attributes:
        model_type: its name in transformers; empty if the configuration gives none.
        vocabulary: tokens in the vocabulary; `None` if the configuration gives no number.
        hidden_size: the width of the model; `None` if the configuration gives no number.
        depth: the number of numbered layers, of encoder and decoder together.
        structure: a digest of the tensors' names and shapes; empty where the configuration names the architecture.
    """

    model_type: str = ""
    vocabulary: int | None = None
    hidden_size: int | None = None
    depth: int = 0
    structure: str = ""

    @property
    def padded_vocabulary(self) -> int | None:
        """The vocabulary rounded up to a multiple of 512, so that paddings of the same one mostly agree."""
        return None if self.vocabulary is None else -(-self.vocabulary // _PADDING) * _PADDING

    @property
    def family(self) -> str:
        """Architecture and vocabulary as one name, which models of one training recipe share at every size.

        Example:
            >>> Architecture("gpt_neox", 50432).family, Architecture("vit").family, Architecture("", 591).family
            ('gpt_neox-50.7k', 'vit', '')
        """
        if not self.model_type or self.padded_vocabulary is None:
            return self.model_type
        return f"{self.model_type}-{self.padded_vocabulary / 1000:.1f}k"


def architecture_of(checkpoint: Checkpoint) -> Architecture:
    """Read a checkpoint's architecture from its configuration, and its depth from its tensors' names."""
    config = ModelConfig(checkpoint.config)
    return Architecture(
        model_type=config.model_type or "",
        vocabulary=config.stated("vocab_size"),
        hidden_size=config.stated(*HIDDEN),
        depth=_depth(checkpoint.tensors),
        structure="" if config.model_type else _structure(checkpoint.tensors),
    )


def _depth(tensors: Sequence[Tensor]) -> int:
    stored = [tensor.name for tensor in tensors if len(tensor.shape) > 1 and not tensor.part_of]
    return len({layer for name in stored if (layer := layer_of(name))})


def _structure(tensors: Sequence[Tensor]) -> str:
    """A digest of names, without the prefix of a base model, and shapes, in whatever order they are stored."""
    listed = "\n".join(sorted(f"{canonical_name(tensor.name)} {tensor.shape}" for tensor in tensors))
    return f"structure-{sha256(listed.encode('utf-8', 'backslashreplace')).hexdigest()[:12]}"
