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
from wqscore.studies.width.pairing import stored_name
from wqscore.studies.width.reading import Measured

#: Keys under which configurations give the number of a block's neurons.
_KEYS = frozenset(
    {"intermediate_size", "ffn_dim", "n_inner", "d_ff", "d_inner", "ffn_hidden_size", "hidden_dim", "dim_ff"}
    | {"encoder_ffn_dim", "decoder_ffn_dim", "inner_dim", "dim_feedforward", "intermediate_dim", "mlp_dim"}
    | {"moe_intermediate_size", "shared_expert_intermediate_size", "moe_ffn_hidden_size", "expert_ffn_hidden_size"}
    | {"intermediate_size_mlp", "ff_dim", "ffn_intermediate_size", "ffn_embed_dim"}
)
#: Architectures whose width is four times the model's where this key is missing.
_FOURFOLD = {
    **dict.fromkeys(("gpt2", "gptj", "codegen", "gpt_bigcode", "imagegpt", "decision_transformer"), "n_inner"),
    "gpt_neo": "intermediate_size",
}


def narrowed_config(
    checkpoint: Checkpoint, widths: Sequence[Measured], unmeasured: Sequence[Unmeasured]
) -> tuple[dict[str, Any] | None, Mapping[str, int]]:
    """The configuration of the narrower checkpoint, and the width of each block by name.

    Blocks of one stored width share a key, so that all of them get the largest width that one needs. Where there is
    neither a key nor an architecture, each block has its own width, but for those of one stack.

    Args:
        checkpoint: the model.
        widths: its blocks, merged.
        unmeasured: blocks that keep their widths.

    Returns:
        The configuration, `None` where there is none to write, and the widths.

    Raises:
        UsageError: there is no key for a width that changes, or a block whose width can't be told shares it.
    """
    config = deepcopy(checkpoint.config)
    has_type = any("model_type" in each.file for each in sections(config))
    groups: dict[int | str, list[Measured]] = defaultdict(list)
    for each in widths:
        tensor = stored_name(each.block.out.matrix)
        stored = each.block.stored
        groups[stored if has_type or _places(config, stored) else tensor].append(each)
    made: dict[str, int] = {}
    for shared, group in groups.items():
        stored = group[0].block.stored
        needed = max(each.merged[0].effective if each.merged else stored for each in group)
        is_kept = shared == stored and any(each.stored == stored for each in unmeasured)
        width = stored if is_kept else max(needed, 1)
        made |= {each.block.name: width for each in group}
        if shared != stored or width == stored:
            continue
        unknown = next((each for each in unmeasured if each.stored is None), None)
        if unknown is not None:
            raise UsageError(
                f"{checkpoint.ref.label}: {unknown.name} can't be made as narrow as the others: {unknown.reason}: "
                "leave --write out"
            )
        places = _places(config, stored)
        if not places:
            raise UsageError(
                f"{checkpoint.ref.label}: its configuration has no key for a width of {stored:,}, so that nothing "
                "would load it narrower: leave --write out"
            )
        for file, key in places:
            file[key] = width
    return config or None, made


def _places(config: dict[str, Any], stored: int) -> list[tuple[dict[str, Any], str]]:
    """Where a configuration gives a width: its parts, and the key in each."""
    found = []
    for section in sections(config):
        file = section.file
        assert isinstance(file, dict), "a copy of parsed JSON"
        found += [(file, key) for key in _KEYS & file.keys() if type(file[key]) is int and file[key] == stored]
        hidden = next((file[key] for key in HIDDEN if isinstance(file.get(key), int)), 0)
        key = _FOURFOLD.get(file.get("model_type", ""))
        if key and file.get(key) is None and stored == 4 * hidden:
            found.append((file, key))
    return found
