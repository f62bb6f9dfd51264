"""The widths that a narrower checkpoint gets, and the configuration that says so."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

from wqscore.checkpoints.checkpoint import Checkpoint
from wqscore.errors import UsageError
from wqscore.matrices.config_names import HIDDEN
from wqscore.studies.width.blocks import Unmeasured
from wqscore.studies.width.configured import sections
from wqscore.studies.width.reading import Measured

#: Keys under which configurations give the number of a block's neurons.
_KEYS = frozenset(
    {"intermediate_size", "ffn_dim", "n_inner", "d_ff", "d_inner", "ffn_hidden_size", "hidden_dim", "dim_ff"}
    | {"encoder_ffn_dim", "decoder_ffn_dim", "inner_dim", "dim_feedforward", "intermediate_dim", "mlp_dim"}
    | {"moe_intermediate_size", "shared_expert_intermediate_size", "moe_ffn_hidden_size", "expert_ffn_hidden_size"}
    | {"intermediate_size_mlp", "ff_dim", "ffn_intermediate_size", "ffn_embed_dim"}
)
#: Architectures whose width is four times the model's where `n_inner` is missing.
_FOURFOLD = frozenset({"gpt2", "gptj", "codegen", "gpt_bigcode", "imagegpt", "decision_transformer"})


def narrowed_config(
    checkpoint: Checkpoint, widths: Sequence[Measured], unmeasured: Sequence[Unmeasured]
) -> tuple[dict[str, Any] | None, Mapping[str, int]]:
    """The configuration of the narrower checkpoint, and the width of each block by name.

    Blocks of one stored width share a key, so that all of them get the largest width that one needs. Without an
    architecture nothing loads by the configuration: each block then has its own width, but for those of one stack.

    Args:
        checkpoint: the model.
        widths: its blocks, merged.
        unmeasured: blocks that keep their widths.

    Returns:
        The configuration, `None` where there is none to write, and the widths.

    Raises:
        UsageError: there is no key for a width that changes, or a block whose width can't be told shares it.
    """
    has_type = any("model_type" in each.file for each in sections(checkpoint.config))
    groups: dict[int | str, list[Measured]] = defaultdict(list)
    for each in widths:
        tensor = each.block.out.matrix.name.partition("[")[0]
        groups[each.block.stored if has_type else tensor].append(each)
    kept = {each.stored for each in unmeasured if has_type}
    unknown = next((each for each in unmeasured if has_type and each.stored is None), None)
    made: dict[str, int] = {}
    config = deepcopy(checkpoint.config)
    for group in groups.values():
        stored = group[0].block.stored
        needed = max(each.merged[0].effective if each.merged else stored for each in group)
        width = stored if stored in kept else max(needed, 1)
        made |= {each.block.name: width for each in group}
        if unknown is not None and width != stored:
            raise UsageError(
                f"{checkpoint.ref.label}: {unknown.name} can't be made as narrow as the others: {unknown.reason}: "
                "leave --write out"
            )
        if has_type and width != stored and not _set(config, stored, width):
            raise UsageError(
                f"{checkpoint.ref.label}: its configuration has no key for a width of {stored:,}, so that nothing "
                "would load it narrower: leave --write out"
            )
    return config or None, made


def _set(config: dict[str, Any], stored: int, width: int) -> bool:
    """Change every key of a configuration that gives a width; return whether there is one."""
    found = False
    for section in sections(config):
        file = section.file
        assert isinstance(file, dict), "a copy of parsed JSON"
        for key in _KEYS & file.keys():
            if file[key] == stored and type(file[key]) is int:
                file[key], found = width, True
        hidden = next((file[key] for key in HIDDEN if isinstance(file.get(key), int)), 0)
        if file.get("model_type") in _FOURFOLD and file.get("n_inner") is None and stored == 4 * hidden:
            file["n_inner"], found = width, True
    return found
