"""Nights of a leaderboard against a local Hub: the command runs as a process, with the night's clock."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy

from tests.hub_server import HubServer
from tests.warm_processes import run_wqscore

FIRST, SECOND, THIRD = 1795305600, 1795392000, 1795478400


def weights(seed: int) -> bytes:
    rng = np.random.default_rng(seed)
    return safetensors.numpy.save(
        {
            f"encoder.layer.{i}.intermediate.dense.weight": (
                rng.standard_t(3, (96, 64)) @ rng.standard_normal((64, 64)) * 0.04
            ).astype(np.float32)
            for i in range(7)
        }
    )


def files(seed: int, readme: str = "# model") -> dict[str, bytes]:
    config = json.dumps({"model_type": "bert"}).encode()
    return {"config.json": config, "model.safetensors": weights(seed), "README.md": readme.encode()}


@dataclass
class Nights:
    """A site that grows night by night in a folder, and the store beside it."""

    hub: HubServer
    folder: Path
    builds: int = 0

    @property
    def site(self) -> Path:
        return self.folder / "site"

    def build(self, epoch: int, *models: str) -> subprocess.CompletedProcess[str]:
        entries = "\n".join(f'[[models]]\nid = "{model}"\nfamily = "toys"\nlicence = "mit"\n' for model in models)
        self.folder.mkdir(exist_ok=True)
        (self.folder / "list.toml").write_text(f'[list]\ntitle = "Toys"\n{entries}', encoding="utf-8")
        self.builds += 1
        # A runner without last night's cache: with one, the client serves from it what the Hub does not.
        environment = self.hub.environment(
            self.folder / f"home-{self.builds}",
            SOURCE_DATE_EPOCH=str(epoch),
            WQSCORE_STORE=str(self.folder / "store.sqlite"),
        )
        options = ["--out", "site", "--url", "https://toys.example/board", "--jobs", "1", "--quiet"]
        return run_wqscore(["leaderboard", "build", "./list.toml", *options], environment, self.folder)

    def data(self, name: str) -> Any:
        return json.loads((self.site / "data" / name).read_text(encoding="utf-8"))

    def rows(self) -> dict[str, dict[str, Any]]:
        return {row["model"]: row for row in self.data("models.json")["models"]}


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a folder, hidden ones too."""
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
