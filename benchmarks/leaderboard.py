"""A leaderboard of 1,000 models, built cold, warm into a new folder, warm again, and on the next night.

Each model has 12 random matrices of 64 × 64 in one safetensors file. Families have 20 models unless FAMILY is
given. Target: a warm build in under a minute. Usage: python -m benchmarks.leaderboard [MODELS [FAMILY]]
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import sys
import tempfile
import time
from pathlib import Path
from time import perf_counter

import numpy as np
from safetensors.numpy import save_file

from benchmarks.machine import machine_line
from wqscore.leaderboards.building import build
from wqscore.leaderboards.checking import check_site
from wqscore.refs.model_list import load_list
from wqscore.stores.store import Store

LAYERS, SIDE = 3, 64
PARTS = ("attention.self.query", "attention.self.key", "attention.self.value", "output.dense")


def write_models(folder: Path, models: int, family: int) -> Path:
    """Write the checkpoints and their list, backdated so that the store records the files."""
    entries = ['[list]\ntitle = "A thousand models"\n']
    for number in range(models):
        rng = np.random.default_rng(number)
        mixing = rng.standard_normal((SIDE, SIDE)) / SIDE
        tensors = {
            f"encoder.layer.{layer}.{part}.weight": (rng.standard_t(3, (SIDE, SIDE)) @ mixing).astype("f4")
            for layer in range(LAYERS)
            for part in PARTS
        }
        model = folder / f"model-{number:04}"
        model.mkdir()
        save_file(tensors, model / "model.safetensors")
        (model / "config.json").write_text(json.dumps({"model_type": "bert", "hidden_size": SIDE}))
        os.utime(model / "model.safetensors", (time.time() - 60,) * 2)
        entries.append(
            f'[[models]]\nid = "./{model.name}"\naliases = ["{model.name}"]\nfamily = "family-{number // family}"\n'
            f'licence = "mit"\nyear = {2018 + number % 8}\n'
        )
    path = folder / "list.toml"
    path.write_text("\n".join(entries))
    return path


def main(models: int = 1000, family: int = 20) -> None:
    """Print the seconds of each build."""
    print(f"{machine_line(['wqscore', 'numpy'])}; {models:,} models in families of {family}")
    folder = Path(tempfile.mkdtemp())
    try:
        listed = load_list(str(write_models(folder, models, family)))
        for name, site, epoch in (
            ("cold store, no site", "first", 1795305600),
            ("warm store, no site", "second", 1795305600),
            ("warm store, the same night", "second", 1795305600),
            ("warm store, the next night", "second", 1795392000),
        ):
            os.environ["SOURCE_DATE_EPOCH"] = str(epoch)
            start = perf_counter()
            with Store.open(folder / "store.sqlite") as store:
                build([listed], folder / site, store=store)
            print(f"{name:>32} {perf_counter() - start:>8.1f} s", flush=True)
        start = perf_counter()
        findings = check_site(folder / "second")
        print(f"{'check':>32} {perf_counter() - start:>8.1f} s, {len(findings)} findings")
        sizes = [file.stat().st_size for file in (folder / "second").rglob("*.html")]
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{len(sizes):,} pages, the largest {max(sizes):,} bytes; {peak:,.0f} MB at the peak")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
