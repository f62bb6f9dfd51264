"""An expert read by itself against the same expert cut from the stack it is stored in."""

from __future__ import annotations

import json
from pathlib import Path

import gguf
import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import save_file

import wqscore
from tests.matrices.tiny_models import value
from tests.oracles import Oracle
from wqscore.checkpoints.opening import open_checkpoint
from wqscore.matrices.matrix_rules import MatrixRules
from wqscore.matrices.model_config import ModelConfig
from wqscore.matrices.one_expert import isolate_expert
from wqscore.matrices.plan import plan_matrices
from wqscore.matrices.weight_matrix import WeightMatrix
from wqscore.refs.parsing import parse_ref

torch = Oracle("torch")

EXPERTS, ROWS, COLUMNS = 4, 64, 96


def planned(path: Path) -> list[WeightMatrix]:
    checkpoint = open_checkpoint(parse_ref(str(path)))
    outcomes = plan_matrices(checkpoint.tensors, ModelConfig(checkpoint.config), MatrixRules())
    return [outcome for outcome in outcomes if isinstance(outcome, WeightMatrix)]


def folder(path: Path, tensors: dict[str, np.ndarray], **config: object) -> Path:
    save_file(tensors, path / "model.safetensors")
    (path / "config.json").write_text(json.dumps(config))
    return path


def stack(dtype: object = np.float32, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((EXPERTS, ROWS, COLUMNS)).astype(dtype)


def check(matrices: list[WeightMatrix]) -> None:
    """Every one has the same numbers, and reads its own share of the stack."""
    assert len(matrices) >= EXPERTS
    for matrix in matrices:
        single = isolate_expert(matrix)
        np.testing.assert_array_equal(value(single), value(matrix))
        assert single.name == matrix.name
        assert single.tensor.name == matrix.name.partition("[")[0] + f"[{matrix.cut.index[0]}]"
        assert single.tensor.nbytes * EXPERTS == matrix.tensor.nbytes


@pytest.mark.parametrize("dtype", ["f4", "f2", ml_dtypes.bfloat16])
def test_stacked_safetensors(tmp_path: Path, dtype: object) -> None:
    tensors = {"model.layers.0.mlp.experts.down_proj": stack(dtype), "model.layers.0.mlp.experts.up": stack(dtype, 1)}
    check(planned(folder(tmp_path, tensors)))


def test_gate_and_up_of_one_expert_are_cut_from_one_read(tmp_path: Path) -> None:
    down = np.random.default_rng(1).standard_normal((EXPERTS, COLUMNS, ROWS // 2)).astype("f4")
    name = "model.layers.0.mlp.experts"
    sizes = {"moe_intermediate_size": ROWS // 2, "hidden_size": COLUMNS, "num_experts": EXPERTS}
    tensors = {f"{name}.gate_up_proj": stack(), f"{name}.down_proj": down}
    matrices = planned(folder(tmp_path, tensors, model_type="qwen3_moe", **sizes))
    assert [m.name.partition("[")[2] for m in matrices if "gate_up" in m.name][:2] == ["0.gate]", "0.up]"]
    check(matrices)


def test_rows_of_experts_one_below_the_other(tmp_path: Path) -> None:
    weights = np.random.default_rng(0).standard_normal((EXPERTS * ROWS, COLUMNS)).astype("f4")
    config = {"model_type": "dbrx", "ffn_config": {"moe_num_experts": EXPERTS}}
    check(planned(folder(tmp_path, {"transformer.blocks.0.ffn.experts.mlp.w1": weights}, **config)))


def test_four_bit_codes_with_scales(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    blocks = random.integers(0, 256, (EXPERTS, ROWS, 2, 16), dtype=np.uint8)
    scales = random.integers(100, 130, (EXPERTS, ROWS, 2), dtype=np.uint8)
    name = "model.layers.0.mlp.experts.down_proj"
    matrices = planned(folder(tmp_path, {f"{name}_blocks": blocks, f"{name}_scales": scales}, model_type="gpt_oss"))
    assert [matrix.tensor.dtype.name for matrix in matrices] == ["MXFP4"] * EXPERTS
    check(matrices)


@pytest.mark.parametrize("kind", ["Q8_0", "Q4_0", "F16"])
def test_blocks_of_llama_cpp(tmp_path: Path, kind: str) -> None:
    from tests.checkpoints.gguf.writing import write

    stored = gguf.GGMLQuantizationType[kind]
    weights = stack(np.float16) if kind == "F16" else (gguf.quants.quantize(stack(), stored), stored)
    check(planned(write(tmp_path / "a.gguf", {"blk.0.ffn_up_exps.weight": weights}, expert_count=EXPERTS)))


@pytest.mark.oracle("torch", "transformers")
def test_what_does_not_lie_together_is_cut_from_the_whole(tmp_path: Path) -> None:
    turned = torch.from_numpy(stack()).permute(1, 0, 2).contiguous().permute(1, 0, 2)
    torch.save({"model.layers.0.mlp.experts.down_proj": turned}, tmp_path / "pytorch_model.bin")
    matrices = planned(tmp_path)
    assert [isolate_expert(matrix) is matrix for matrix in matrices] == [True] * EXPERTS


def test_other_matrices_stay_as_they_are(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    tensors = {
        "layers.0.fc.weight": rng.standard_normal((64, 64)).astype("f4"),
        "conv.weight": rng.standard_normal((64, 64, 3, 3)).astype("f4"),
        "h.0.attn.c_attn.weight": rng.standard_normal((64, 192)).astype("f4"),
    }
    matrices = planned(folder(tmp_path, tensors, model_type="gpt2", n_head=4))
    assert len(matrices) == 5
    assert [isolate_expert(matrix) is matrix for matrix in matrices] == [True] * 5


def test_a_stack_scores_as_its_experts_do_apart_and_the_same_expert_twice_is_tied(tmp_path: Path) -> None:
    """Experts of a dense layer copied: one score, and no spread, whichever way they are stored."""
    weights = stack()
    weights[2] = weights[0]
    together, apart = tmp_path / "together", tmp_path / "apart"
    for path in (together, apart):
        path.mkdir()
    folder(together, {"model.layers.0.mlp.experts.down_proj": weights})
    names = [f"model.layers.0.mlp.experts.{expert}.down_proj.weight" for expert in range(EXPERTS)]
    folder(apart, dict(zip(names, weights, strict=True)))
    scores = [wqscore.score(str(path)) for path in (together, apart)]
    alphas = [[row.metrics["alpha"] for row in score.layers] for score in scores]
    assert alphas[0] == alphas[1]
    assert [skip.reason for skip in scores[0].skipped] == ["tied to model.layers.0.mlp.experts.down_proj[0]"]
    assert [skip.reason for skip in scores[1].skipped] == ["tied to model.layers.0.mlp.experts.0.down_proj.weight"]
