"""Adapters and models in several folders on the Hub: the real client against a local server, as from a folder."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save

from tests.hub_server import HubServer
from tests.warm_processes import run_wqscore

RNG = np.random.default_rng(0)


def heavy(rows: int, columns: int) -> np.ndarray:
    return (RNG.standard_t(3, (rows, columns)) * 0.1).astype("f4")


A, B, W = heavy(64, 96), heavy(80, 64), heavy(80, 96)
ADAPTER = {
    "adapter_config.json": json.dumps({"peft_type": "LORA", "r": 64, "lora_alpha": 32}).encode(),
    "adapter_model.safetensors": save(
        {
            "base_model.model.layers.0.fc1.lora_A.weight": A,
            "base_model.model.layers.0.fc1.lora_B.weight": B,
        }
    ),
    "README.md": b"an adapter",
}
PIPELINE = {
    "model_index.json": json.dumps(
        {"_class_name": "P", "unet": ["diffusers", "U"], "vae": ["diffusers", "V"], "scheduler": ["diffusers", "S"]}
    ).encode(),
    "unet/config.json": b"{}",
    "unet/diffusion_pytorch_model.safetensors": save({"layers.0.fc1.weight": W}),
    "unet/diffusion_pytorch_model.fp16.safetensors": save({"layers.0.fc1.weight": W.astype("f2")}),
    "vae/diffusion_pytorch_model.safetensors": save({"layers.0.fc1.weight": heavy(64, 64)}),
    "scheduler/scheduler_config.json": b"{}",
}
BASE = {"config.json": b"{}", "model.safetensors": save({"layers.0.fc1.weight": W})}


def scored(hub: HubServer, home: Path, ref: str, *options: str) -> tuple[int, list[dict[str, str]], str]:
    command = ["score", ref, "--format", "csv", "--metrics", "log_norm", *options]
    done = run_wqscore(command, hub.environment(home))
    import csv

    return done.returncode, list(csv.DictReader(io.StringIO(done.stdout))), done.stderr


def log_norm(matrix: np.ndarray) -> float:
    return float(np.log10((matrix.astype("f8") ** 2).sum()))


def test_an_adapter_alone_is_its_change(tmp_path: Path) -> None:
    with HubServer() as hub:
        hub.add("lab/adapter", ADAPTER)
        status, rows, errors = scored(hub, tmp_path, "lab/adapter")
        assert status == 0, errors
        assert hub.fetched() == {"adapter_config.json", "adapter_model.safetensors"}
    (row,) = [row for row in rows if row["verdict"] != "skipped"]
    assert (row["name"], row["rows"], row["columns"]) == ("layers.0.fc1.weight", "80", "96")
    assert float(row["log_norm"]) == pytest.approx(log_norm(0.5 * B.astype("f8") @ A), rel=1e-6)


def test_a_base_and_an_adapter_are_merged(tmp_path: Path) -> None:
    with HubServer() as hub:
        hub.add("lab/adapter", ADAPTER)
        hub.add("lab/base", BASE)
        for options in ((), ("--stream",)):
            status, rows, errors = scored(hub, tmp_path, "lab/base+lab/adapter", *options)
            assert status == 0, errors
            (row,) = [row for row in rows if row["verdict"] != "skipped"]
            assert row["model"] == "lab/base+lab/adapter"
            assert float(row["log_norm"]) == pytest.approx(log_norm(W + 0.5 * B.astype("f8") @ A), rel=1e-6)


@pytest.mark.parametrize("options", [(), ("--stream",)])
def test_a_pipeline_is_all_its_components_without_variants(tmp_path: Path, options: tuple[str, ...]) -> None:
    with HubServer() as hub:
        hub.add("lab/pipeline", PIPELINE)
        status, rows, errors = scored(hub, tmp_path, "lab/pipeline", *options)
        assert status == 0, errors
        assert ("can't be streamed" in errors) == bool(options)
        assert hub.fetched() == {
            *("model_index.json", "unet/config.json", "unet/diffusion_pytorch_model.safetensors"),
            "vae/diffusion_pytorch_model.safetensors",
        }
    assert [row["name"] for row in rows] == ["unet.layers.0.fc1.weight", "vae.layers.0.fc1.weight"]
    assert float(rows[0]["log_norm"]) == pytest.approx(log_norm(W), rel=1e-6)


def document(hub: HubServer, home: Path, ref: str, *options: str) -> dict[str, Any]:
    command = ["score", ref, "--format", "json", "--metrics", "log_norm", "-q", *options]
    done = run_wqscore(command, hub.environment(home))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


SHARD, INDEX = "model-00001-of-00001.safetensors", "model.safetensors.index.json"
OTHER = {
    SHARD: save({"layers.0.fc1.weight": W * 2, "stray": W}),
    INDEX: json.dumps({"weight_map": {"layers.0.fc1.weight": SHARD}}).encode(),
    "pytorch_model.bin": b"a copy",
    "tf_model.h5": b"another",
    "model.gguf": b"another",
}
VARIANTS = PIPELINE | {
    "unet/diffusion_pytorch_model.safetensors.index.json": b'{"weight_map": {"a": "gone.safetensors"}}'
}


@pytest.mark.parametrize("options", [(), ("--stream",)])
@pytest.mark.parametrize(
    ("files", "scale", "remarks"),
    [
        (BASE, 1, None),
        (
            BASE | OTHER,
            1,
            [f"model.safetensors scored; left out, as from_pretrained does: {SHARD}, {INDEX}, pytorch_model.bin"],
        ),
        (BASE | {INDEX: OTHER[INDEX]}, 1, [f"model.safetensors scored; left out, as from_pretrained does: {INDEX}"]),
        (
            OTHER,
            2,
            [
                f"{INDEX} (its shards) scored; left out, as from_pretrained does: pytorch_model.bin",
                "left out: 1 tensor that the shards hold and the index does not list: stray",
            ],
        ),
        (
            VARIANTS,
            1,
            [
                "unet/diffusion_pytorch_model.safetensors scored; left out, as from_pretrained does: "
                "diffusion_pytorch_model.safetensors.index.json"
            ],
        ),
    ],
    ids=["one set", "both", "stale index", "shards", "component"],
)
def test_the_set_that_is_scored_and_what_is_left_out(
    tmp_path: Path, files: dict[str, bytes], scale: float, remarks: list[str] | None, options: tuple[str, ...]
) -> None:
    with HubServer() as hub:
        hub.add("lab/m", files)
        found = document(hub, tmp_path, "lab/m", *options)
        for name, content in files.items():
            file = tmp_path / "folder" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        local = document(hub, tmp_path, str(tmp_path / "folder"))
    assert found.get("remarks") == local.get("remarks") == remarks
    norms = {row["name"]: row["log_norm"] for row in found["layers"] if "log_norm" in row}
    assert norms == {row["name"]: row["log_norm"] for row in local["layers"] if "log_norm" in row}
    assert next(iter(norms.values())) == pytest.approx(log_norm(W * scale), rel=1e-6)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"adapter_config.json": b"{}"}, "has an adapter_config.json and no adapter_model.safetensors"),
        ({**ADAPTER, "adapter_config.json": b"[]"}, "is not a JSON object"),
        ({**ADAPTER, "adapter_config.json": b'{"peft_type": "IA3"}'}, "IA3"),
        ({**PIPELINE, "model_index.json": b'{"../x": ["a", "b"]}'}, "refused"),
        ({**BASE, "modules.json": b"{}"}, "modules.json: is not a list of modules"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path: Path, files: dict[str, bytes], message: str) -> None:
    with HubServer() as hub:
        hub.add("lab/bad", files)
        status, rows, errors = scored(hub, tmp_path, "lab/bad")
    reported = errors + " ".join(row["reason"] for row in rows)
    assert message in reported
    assert status == 3 or all(row["verdict"] == "skipped" for row in rows)
    assert "Traceback" not in errors
