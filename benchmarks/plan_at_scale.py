"""`wqscore plan --list` for 1,000 models of 7B: what the plan says, and what it takes to make it.

Llama 7B's shapes in ten shards, of which only headers exist: on disk as holes in files, and on a local server that
speaks the Hub's API, which takes most of the processor itself and answers at once, as the Hub does not. Target: less
than 10 ms of the plan's own processor time a model on disk. Usage: python -m benchmarks.plan_at_scale [--models N]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from time import perf_counter

from benchmarks import seven_b
from benchmarks.machine import machine_line
from benchmarks.processes import wqscore
from tests.hub_server import HubServer

MODELS, CHANGED, TARGET_MS = 1_000, 20, 10.0


class Hollow:
    """A file of which all after the header is zeros."""

    def __init__(self, file: Path) -> None:
        self._size = file.stat().st_size
        with file.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            stream.seek(0)
            self._start = stream.read(8 + length)

    def __repr__(self) -> str:
        return f"{self._start[:2000]!r}, {self._size} bytes"

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, part: slice) -> bytes:
        first, end, _ = part.indices(self._size)
        begun = self._start[first:end]
        return begun + bytes(end - first - len(begun))


def planned(models: list[str], folder: Path, env: dict[str, str]) -> None:
    """Plan a list in a process of its own, and print what it took and its last lines."""
    listed = folder / "models.toml"
    listed.write_text("".join(f"[[models]]\nid = {json.dumps(model)}\n" for model in models), encoding="utf-8")
    command = wqscore("plan", "--list", str(listed), "--changed", str(CHANGED), "--quiet", "--format")
    start = perf_counter()
    process = subprocess.Popen([*command, "json"], stdout=subprocess.PIPE, env=env, cwd=folder)
    assert process.stdout is not None
    document = json.loads(process.stdout.read())
    _, status, usage = os.wait4(process.pid, 0)
    wall, cpu = perf_counter() - start, usage.ru_utime + usage.ru_stime
    assert not status and len(document["models"]) == len(models)
    missed = "" if 1e3 * cpu / len(models) < TARGET_MS else " misses"
    each = 1e3 * cpu / len(models)
    print(f"{wall:.1f} s, {cpu:.1f} s of CPU, {each:.1f} ms a model{missed}, {usage.ru_maxrss / 1e3:.0f} MB")
    for name in ("total", "night"):
        found = document[name]
        hours = [found[key] / 3600 for key in ("core_seconds_estimate", "core_seconds_most")]
        sizes = [found[key] / 1e9 for key in ("bytes_to_fetch", "bytes_to_read", "store_estimate")]
        print(
            f"  {name}: {sizes[0]:,.1f} GB to fetch, {sizes[1]:,.1f} GB to read, {hours[0]:,.1f} to {hours[1]:,.1f} "
            f"CPU-hours, {sizes[2]:,.2f} GB in the store"
        )


def main() -> None:
    """Print both."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--models", type=int, default=MODELS)
    count = parser.parse_args().models
    print(f"{machine_line(['wqscore', 'numpy'])}; {count:,} models of 7B, a night with {CHANGED} changed")
    with tempfile.TemporaryDirectory() as name:
        folder, first = Path(name), Path(name) / "m0"
        seven_b.write_checkpoint(first, written=None)
        copies = [first, *(folder / f"m{number}" for number in range(1, count))]
        for copy in copies[1:]:
            copy.mkdir()
            for file in first.iterdir():
                (copy / file.name).hardlink_to(file)
        print("on disk: ", end="", flush=True)
        planned(list(map(str, copies)), folder, dict(os.environ))
        files = {
            file.name: Hollow(file) if file.suffix == ".safetensors" else file.read_bytes()
            for file in first.iterdir()
        }
        with HubServer() as hub:
            for number in range(count):
                hub.add(f"org/m{number}", files)
            path = os.pathsep.join(filter(None, ["", os.environ.get("PYTHONPATH")])).lstrip(os.pathsep)
            print("on the Hub: ", end="", flush=True)
            planned([f"org/m{number}" for number in range(count)], folder, hub.environment(folder, PYTHONPATH=path))
            sent = sum(request.sent for request in hub.requests)
            kinds = Counter(request.method for request in hub.requests)
            asked = ", ".join(f"{found / count:.1f} {method}" for method, found in kinds.items())
        print(f"  {asked} requests a model, {sent / count / 1e3:.0f} kB sent", file=sys.stdout)


if __name__ == "__main__":
    main()
