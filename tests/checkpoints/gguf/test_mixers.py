"""State spaces, short convolutions and linear attention in GGUF: the cuts of the checkpoint they were converted from.

What llama.cpp's converter does to each tensor is repeated here: axes of 1 added and dropped, norms group by group.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.checkpoints.gguf.writing import write
from tests.matrices.tiny_models import tensor
from wqscore.checkpoints.gguf.file import read_gguf
from wqscore.checkpoints.tensor import Tensor
from wqscore.matrices.matrix_rules import MatrixRules
from wqscore.matrices.model_config import ModelConfig
from wqscore.matrices.plan import plan_matrices
from wqscore.matrices.weight_matrix import WeightMatrix

WIDTH, INNER, STATE, HEADS, GROUPS, STEPS = 64, 96, 16, 6, 2, 12
#: Of a gated delta net: heads of keys and values, and their sizes. None is the class's default.
KEY_HEADS, VALUE_HEADS, KEY, VALUE = 2, 4, 12, 20

RNG = np.random.default_rng(0)


def made(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    return {name: RNG.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}


def rows(tensors: Any, config: dict[str, Any]) -> tuple[Counter[tuple[Any, ...]], set[str]]:
    """Each matrix's part, role and size, and the flags of all."""
    found = [o for o in plan_matrices(tensors, ModelConfig(config), MatrixRules()) if isinstance(o, WeightMatrix)]
    parts = ((m.name.removeprefix(m.tensor.name), m.role, m.slices, m.rows, m.columns) for m in found)
    return Counter(parts), {flag for matrix in found for flag in matrix.flags}


MAMBA2 = {
    "in_proj.weight": (2 * INNER + 2 * GROUPS * STATE + HEADS, WIDTH),
    "conv1d.weight": (INNER + 2 * GROUPS * STATE, 1, 4),
    "out_proj.weight": (WIDTH, INNER),
    "A_log": (HEADS,),
    "D": (HEADS,),
    "norm.weight": (INNER,),
}
MAMBA = {
    "in_proj.weight": (2 * INNER, WIDTH),
    "conv1d.weight": (INNER, 1, 4),
    "x_proj.weight": (STEPS + 2 * STATE, INNER),
    "dt_proj.weight": (INNER, STEPS),
    "out_proj.weight": (WIDTH, INNER),
    "A_log": (INNER, STATE),
    "D": (INNER,),
}
KEYS, VALUES = KEY_HEADS * KEY, VALUE_HEADS * VALUE
DELTA = {
    "in_proj_qkvz.weight": (2 * KEYS + 2 * VALUES, WIDTH),
    "in_proj_ba.weight": (2 * VALUE_HEADS, WIDTH),
    "conv1d.weight": (2 * KEYS + VALUES, 1, 4),
    "out_proj.weight": (WIDTH, VALUES),
    "A_log": (VALUE_HEADS,),
    "norm.weight": (VALUE,),
}
SHORT = {"in_proj.weight": (3 * WIDTH, WIDTH), "conv.weight": (WIDTH, 1, 3), "out_proj.weight": (WIDTH, WIDTH)}
NAMES = {
    **{
        "in_proj.weight": "ssm_in.weight",
        "in_proj_qkvz.weight": "ssm_in.weight",
        "conv1d.weight": "ssm_conv1d.weight",
    },
    **{"out_proj.weight": "ssm_out.weight", "A_log": "ssm_a", "D": "ssm_d", "norm.weight": "ssm_norm.weight"},
    **{"x_proj.weight": "ssm_x.weight", "dt_proj.weight": "ssm_dt.weight", "in_proj_ba.weight": "ssm_ba.weight"},
}
SHORT_NAMES = {name: f"shortconv.{name}" for name in SHORT}
CASES: dict[str, tuple[str, dict[str, tuple[int, ...]], dict[str, str]]] = {
    "mamba2": ("backbone.layers.0.mixer", MAMBA2, NAMES),
    "falcon-h1": ("model.layers.0.mamba", MAMBA2, NAMES),
    "granitehybrid": ("model.layers.0.mamba", MAMBA2, NAMES),
    "nemotron_h": ("backbone.layers.0.mixer", MAMBA2, NAMES),
    "mamba": ("backbone.layers.0.mixer", MAMBA, NAMES),
    "jamba": ("model.layers.0.mamba", MAMBA, NAMES),
    "qwen3next": ("model.layers.0.linear_attn", DELTA, NAMES),
    "lfm2": ("model.layers.0.conv", SHORT, SHORT_NAMES),
}
SETTINGS = {
    "qwen3next": {
        **{"ssm__state_size": KEY, "ssm__group_count": KEY_HEADS, "ssm__time_step_rank": VALUE_HEADS},
        "ssm__inner_size": VALUES,
    }
}
CONFIGS: dict[str, dict[str, Any]] = {
    "qwen3next": {
        "model_type": "qwen3_next",
        **{"linear_num_key_heads": KEY_HEADS, "linear_num_value_heads": VALUE_HEADS},
        **{"linear_key_head_dim": KEY, "linear_value_head_dim": VALUE},
    }
}


def converted(name: str, array: np.ndarray, is_mamba2: bool) -> np.ndarray:
    if name in ("A_log", "D") and is_mamba2:
        return array[:, None]
    if name == "norm.weight" and is_mamba2:
        return array.reshape(GROUPS, -1)
    return array[:, 0] if array.ndim == 3 else array


@pytest.mark.parametrize("architecture", CASES)
def test_the_rows_are_those_of_the_checkpoint(architecture: str, tmp_path: Path) -> None:
    block, shapes, names = CASES[architecture]
    arrays = made(shapes)
    file = write(
        tmp_path / "model.gguf",
        {f"blk.0.{names[name]}": converted(name, array, shapes is MAMBA2) for name, array in arrays.items()},
        architecture,
        block_count=1,
        embedding_length=WIDTH,
        **SETTINGS.get(architecture, {}),
    )
    config, stored, _, _ = read_gguf(file)
    own: list[Tensor] = [tensor(f"{block}.{name}", *shape) for name, shape in shapes.items()]
    # Of two layers of depthwise convolutions, torch's order is told.
    own += [tensor(f"{block.replace('0', '1')}.{name}", *shape) for name, shape in shapes.items() if len(shape) == 3]
    expected, flags = rows(own, {"hidden_size": WIDTH, **CONFIGS.get(architecture, {})})
    assert not flags
    assert rows(stored, config) == (expected, set())
    for matrix in plan_matrices(stored, ModelConfig(config), MatrixRules()):
        if isinstance(matrix, WeightMatrix) and "[" not in matrix.name:
            own_name = next(name for name in names if matrix.name.endswith(name))
            np.testing.assert_array_equal(
                matrix.values(matrix.tensor.read()).ravel(),
                arrays[own_name].transpose(2, 0, 1).ravel()
                if arrays[own_name].ndim == 3
                else arrays[own_name].ravel(),
            )


def test_linear_attention_of_later_files_has_its_gate_apart(tmp_path: Path) -> None:
    tensors = made(
        {
            "blk.0.attn_qkv.weight": (2 * KEYS + VALUES, WIDTH),
            "blk.0.attn_gate.weight": (VALUES, WIDTH),
            "blk.0.ssm_out.weight": (WIDTH, VALUES),
            "blk.0.ssm_a": (VALUE_HEADS,),
        }
    )
    settings = {"embedding_length": WIDTH, **SETTINGS["qwen3next"]}
    config, stored, _, _ = read_gguf(write(tmp_path / "model.gguf", tensors, "qwen3next", **settings))
    sizes = {
        matrix.name.removeprefix("model.layers.0.linear_attn."): matrix.rows
        for matrix in plan_matrices(stored, ModelConfig(config), MatrixRules())
        if isinstance(matrix, WeightMatrix)
    }
    assert sizes == {
        "in_proj_qkv.weight[q]": KEYS,
        "in_proj_qkv.weight[k]": KEYS,
        "in_proj_qkv.weight[v]": VALUES,
        "in_proj_z.weight": VALUES,
        "out_proj.weight": WIDTH,
    }


def test_latent_attention_has_the_files_sizes(tmp_path: Path) -> None:
    tensors = made({"blk.0.attn_kv_a_mqa.weight": (40 + 8, WIDTH)})
    settings = {"attention__kv_lora_rank": 40, "rope__dimension_count": 8, "embedding_length": WIDTH}
    config, stored, _, _ = read_gguf(write(tmp_path / "model.gguf", tensors, "deepseek2", **settings))
    found = plan_matrices(stored, ModelConfig(config), MatrixRules())
    assert [m.rows for m in found if isinstance(m, WeightMatrix)] == [40, 8]
