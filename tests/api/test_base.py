"""Distances from a base checkpoint, end to end, against NumPy's norms of the differences."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

import wqscore
from tests.oracles import Oracle
from wqscore.errors import CheckpointError, UsageError
from wqscore.scoring.layer_score import LayerScore
from wqscore.scoring.model_score import ModelScore

torch = Oracle("torch")

BASE = ("fro_dist", "spectral_dist")
#: Of the squared spectral norm, by Lanczos steps.
LANCZOS = 1e-8
HIDDEN, HEADS = 64, 4
CONV = "layers.1.conv.weight"


def trained(seed: int, rows: int, columns: int = HIDDEN) -> np.ndarray:
    """A matrix whose eigenvalues fall off like a trained one's, the entries Gaussian."""
    rng = np.random.default_rng(seed)
    left = np.linalg.qr(rng.standard_normal((rows, columns)))[0]
    right = np.linalg.qr(rng.standard_normal((columns, columns)))[0]
    return ((left * np.arange(1, columns + 1) ** -0.5) @ right).astype(np.float32)


def tensors(seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        "embed_tokens.weight": trained(10 * seed, 200),
        "layers.0.self_attn.q_proj.weight": trained(10 * seed + 1, HIDDEN),
        "layers.0.mlp.up_proj.weight": trained(10 * seed + 2, 160),
        "layers.0.mlp.down_proj.weight": trained(10 * seed + 3, 160).T,
        CONV: (rng.standard_t(3, (24, 16, 3, 3)) * 0.1).astype(np.float32),
        "layers.1.norm.weight": np.ones(HIDDEN, dtype=np.float32),
    }


def write(folder: Path, stored: dict[str, np.ndarray], **config: object) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    save_file({name: np.ascontiguousarray(value) for name, value in stored.items()}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config))
    return str(folder)


def rows_of(score: ModelScore) -> dict[str, LayerScore]:
    return {row.matrix.name: row for row in score.layers}


def norms(change: np.ndarray) -> tuple[float, float]:
    """‖·‖_F² of all, and ‖·‖₂² of the slice where it is largest."""
    change = change.astype(np.float64)
    slices = [change] if change.ndim == 2 else [change[:, :, i // 3, i % 3] for i in range(9)]
    return float((change**2).sum()), max(float(np.linalg.norm(each, 2)) ** 2 for each in slices)


def assert_distances(row: LayerScore, change: np.ndarray) -> None:
    frobenius, spectral = norms(change)
    assert row.metrics["fro_dist"] == pytest.approx(frobenius, rel=1e-12)
    assert row.metrics["spectral_dist"] == pytest.approx(spectral, rel=LANCZOS)


def differences(model: dict[str, np.ndarray], base: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: model[name].astype(np.float64) - base[name] for name in model if model[name].ndim > 1}


def test_distances_are_numpys_norms(tmp_path: Path) -> None:
    model, base = tensors(0), tensors(1)
    score = wqscore.score(write(tmp_path / "model", model), base=write(tmp_path / "base", base))
    assert set(BASE) < set(score.metrics)
    assert score.base == str(tmp_path / "base")
    changes, rows = differences(model, base), rows_of(score)
    assert rows.keys() == changes.keys()
    for name, change in changes.items():
        assert_distances(rows[name], change)
    for i, metric in enumerate(BASE):
        statistic = score.summary.statistics[metric]
        # Over all matrices, embeddings too, and summed.
        assert statistic.count == len(changes)
        expected = sum(norms(change)[i] for change in changes.values())
        assert statistic.total == pytest.approx(expected, rel=LANCZOS)
        assert score.summary.headline(metric, score.preset) == statistic.total


@pytest.mark.parametrize("preset", ["ww-0.7", "ww-0.2.7", "kdd2023"])
def test_a_preset_that_scales_eigenvalues_does_not_scale_distances(tmp_path: Path, preset: str) -> None:
    model, base = tensors(0), tensors(1)
    folders = write(tmp_path / "model", model), write(tmp_path / "base", base)
    score = wqscore.score(folders[0], base=folders[1], preset=preset)
    total = sum(norms(change)[0] for change in differences(model, base).values())
    assert score.summary.statistics["fro_dist"].total == pytest.approx(total, rel=1e-12)
    rows = rows_of(score)
    change = model[CONV].astype(np.float64) - base[CONV]
    if preset == "ww-0.2.7":
        slices = [row for name, row in rows.items() if name.startswith(CONV)]
        assert len(slices) == 9
        for i, row in enumerate(slices):
            assert_distances(row, change[:, :, i // 3, i % 3])
    else:
        assert_distances(rows[CONV], change)


PREFIXES = [("bert.", ""), ("", "bert."), ("module.bert.", "bert."), ("model.", "")]


@pytest.mark.parametrize(("ours", "theirs"), PREFIXES)
def test_the_prefix_of_a_task_model_is_no_matter(tmp_path: Path, ours: str, theirs: str) -> None:
    names = [f"encoder.layer.{i}.output.dense.weight" for i in range(2)]
    model, base = ({name: trained(seed + i, 160) for i, name in enumerate(names)} for seed in (0, 2))
    folders = [
        write(tmp_path / side, {prefix + name: value for name, value in stored.items()})
        for side, prefix, stored in (("model", ours, model), ("base", theirs, base))
    ]
    rows = rows_of(wqscore.score(folders[0], base=folders[1]))
    assert len(rows) == 2
    for name, change in differences(model, base).items():
        assert_distances(rows[ours + name], change)


def test_what_has_no_partner_is_named_and_not_counted(tmp_path: Path) -> None:
    model, base = tensors(0), tensors(1)
    base["layers.0.mlp.up_proj.weight"] = base["layers.0.mlp.up_proj.weight"][:-1]
    base["layers.0.mlp.down_proj.weight"] = base["layers.0.mlp.down_proj.weight"].T
    del base["embed_tokens.weight"]
    base["classifier.weight"] = base[CONV][:, :, 0, 0]
    score = wqscore.score(write(tmp_path / "model", model), base=write(tmp_path / "base", base))
    rows = rows_of(score)
    left = {"layers.0.self_attn.q_proj.weight", CONV}
    for name, row in rows.items():
        for metric in BASE:
            assert math.isfinite(row.metrics[metric]) == (name in left), name
        assert ("no fro_dist, spectral_dist: no matrix of that name and shape" in row.reason) == (name not in left)
    assert score.summary.statistics["fro_dist"].count == 2
    total = sum(norms(model[name].astype(np.float64) - base[name])[0] for name in left)
    assert score.summary.statistics["fro_dist"].total == pytest.approx(total, rel=1e-12)


def test_no_partner_at_all_is_no_distance(tmp_path: Path) -> None:
    folders = write(tmp_path / "model", tensors(0)), write(tmp_path / "base", {"other": tensors(1)[CONV][:, :, 0, 0]})
    ranking = wqscore.rank([folders[0]], by="fro_dist", base=folders[1])
    (model,) = ranking.models
    assert (model.status, model.rank) == ("unranked", None)
    assert "fro_dist is not defined for any of its matrices" in model.reason
    assert next(csv.DictReader(io.StringIO(ranking.to_csv())))["fro_dist"] == ""


@pytest.mark.parametrize("fused_side", ["model", "base", "both"])
def test_fused_projections_are_compared_part_by_part(tmp_path: Path, fused_side: str) -> None:
    parts = {
        side: {part: trained(seed + i, HIDDEN) for i, part in enumerate("qkv")}
        for side, seed in {"model": 0, "base": 3}.items()
    }
    folders = {}
    for side, matrices in parts.items():
        stored = {"layers.0.self_attn.qkv_proj.weight": np.concatenate(list(matrices.values()))}
        if fused_side not in (side, "both"):
            stored = {f"layers.0.self_attn.{p}_proj.weight": matrix for p, matrix in matrices.items()}
        config = {"model_type": "phi3", "num_attention_heads": HEADS, "hidden_size": HIDDEN}
        folders[side] = write(tmp_path / side, stored, **config)
    score = wqscore.score(folders["model"], base=folders["base"])
    assert len(score.layers) == 3
    for row in score.layers:
        part = row.matrix.role[-1]
        if fused_side == "both":
            assert_distances(row, parts["model"][part].astype(np.float64) - parts["base"][part])
        else:
            # Stored under another name: no partner, and the row says so.
            assert math.isnan(row.metrics["fro_dist"])
            assert "no matrix of that name" in row.reason


def test_a_base_of_itself_is_0(tmp_path: Path, checkpoints: Path) -> None:
    model = write(tmp_path / "model", tensors(0))
    for ref in (model, str(checkpoints / "all-MiniLM-L6-v2")):
        score = wqscore.score(ref, base=ref, metrics="base")
        for metric in BASE:
            assert {row.metrics[metric] for row in score.layers} == {0.0}
            assert score.summary.statistics[metric].total == 0


@pytest.mark.oracle("torch")
def test_a_real_model_and_what_it_was_tuned_from(checkpoints: Path) -> None:
    names = ("rxnfp-bert_ft", "rxnfp-bert_pretrained")
    score = wqscore.score(str(checkpoints / names[0]), base=str(checkpoints / names[1]), metrics="base")
    rows = rows_of(score)
    assert score.summary.statistics["fro_dist"].count >= 70
    stored = [torch.load(checkpoints / name / "pytorch_model.bin", weights_only=True) for name in names]
    # One has its names behind `bert.`, and a head; the other has neither.
    plain = [{name.removeprefix("bert."): value.double().numpy() for name, value in each.items()} for each in stored]
    assert all(name.startswith(("bert.", "cls.")) for name in stored[1])
    for part in ("intermediate.dense", "attention.self.query"):
        name = f"encoder.layer.5.{part}.weight"
        (row,) = (row for full, row in rows.items() if full.endswith(name))
        assert_distances(row, plain[0][name] - plain[1][name])


@pytest.mark.parametrize("metrics", ["fro_dist", "alpha,spectral_dist", "base", "all,base"])
def test_without_a_base_a_distance_is_refused_before_anything_is_read(metrics: str) -> None:
    with pytest.raises(UsageError, match=r"_dist needs a checkpoint to measure from: name one with --base"):
        wqscore.score("./nowhere", metrics=metrics)
    with pytest.raises(UsageError, match="needs a checkpoint to measure from"):
        wqscore.rank(["./nowhere"], by="fro_dist")


def test_a_base_that_is_not_there_is_one_error(tmp_path: Path) -> None:
    model = write(tmp_path / "model", tensors(0))
    with pytest.raises(UsageError, match="no such folder or file"):
        wqscore.score(model, base=str(tmp_path / "nowhere"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(CheckpointError, match="empty"):
        wqscore.score(model, base=str(tmp_path / "empty"))


def test_sums_rank_models_and_stand_in_every_output(tmp_path: Path) -> None:
    base = tensors(0)
    write(tmp_path / "base", base)
    rng = np.random.default_rng(5)
    totals = {}
    for name, size in {"far": 0.1, "near": 0.001, "middle": 0.01}.items():
        model = {k: v + (rng.standard_normal(v.shape) * size).astype(np.float32) for k, v in base.items()}
        totals[write(tmp_path / name, model)] = sum(norms(c)[0] for c in differences(model, base).values())
    ranking = wqscore.rank(list(totals), by="fro_dist", base=str(tmp_path / "base"))
    order = sorted(totals, key=totals.__getitem__)
    assert [model.ref.label for model in ranking.models] == order
    assert [Path(label).name for label in order] == ["near", "middle", "far"]
    rows = list(csv.DictReader(io.StringIO(ranking.to_csv())))
    document = json.loads(ranking.to_json(), parse_constant=pytest.fail)
    for i, label in enumerate(order):
        assert float(rows[i]["fro_dist"]) == pytest.approx(totals[label], rel=1e-10)
        assert int(rows[i]["fro_dist_count"]) == 5
        assert float(rows[i]["fro_dist_mean"]) == pytest.approx(totals[label] / 5, rel=1e-10)
        summary = document["models"][i]["summary"]["fro_dist"]
        assert (summary["total"], summary["count"]) == (float(rows[i]["fro_dist"]), 5)
        assert document["models"][i]["base"] == str(tmp_path / "base")
    alone = wqscore.score(order[0], base=str(tmp_path / "base"))
    assert json.loads(alone.to_json())["summary"]["fro_dist"]["total"] == float(rows[0]["fro_dist"])
