"""Run the real WeightWatcher 0.7.7 on a checkpoint, in a separate process.

WeightWatcher sets up the root logger, silences all warnings, prints, and stops at a matrix that holds a NaN; in a
separate process none of that reaches the caller.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from math import isfinite, nan
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from wqscore.checkpoints.checkpoint import Checkpoint
from wqscore.errors import CheckpointError, UsageError
from wqscore.presets.weightwatcher import WW_0_7

#: The metrics that WeightWatcher computes too, by wqscore's names.
COMPARED = WW_0_7.core

_SCRIPT = Path(__file__).with_name("weightwatcher_process.py")
_INSTALL = "pip install 'wqscore[weightwatcher]'"
#: The version of WeightWatcher that the preset `ww-0.7` reproduces.
_VERSION = "0.7"
#: Columns that mean nothing without a fit, where WeightWatcher computes them from an alpha of −1.
_FIT_COLUMNS = frozenset({"alpha", "D", "xmin", "xmax", "sigma", "num_pl_spikes", "alpha_weighted", "log_alpha_norm"})
#: One BLAS thread, since the last bits depend on the number of threads; no window system; no unpickling of code,
#: whatever the version of torch.
_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "MPLBACKEND": "Agg",
    "TORCH_FORCE_WEIGHTS_ONLY_LOAD": "1",
}
_MAX_REASON = 300


@dataclass(frozen=True)
class WatchedLayer:
    """One row of WeightWatcher's table.

    Attributes:
        tensor: the checkpoint's tensor, `longname` with `.weight`.
        status: whether WeightWatcher's fit was a `success` or `failed`.
        columns: the layer's numbers by WeightWatcher's column names; NaN for an infinity, and in every column of
            the fit if it failed or gave an infinite alpha.
    """

    tensor: str
    status: str
    columns: Mapping[str, float]


@dataclass(frozen=True)
class WeightWatcherResult:
    """WeightWatcher's result for a model.

    Attributes:
        version: WeightWatcher's version.
        layers: the layers that WeightWatcher scores, in its order.
        summary: its `get_summary()`, the means of a few columns over all layers; a failed fit counts as −1, and a
            mean that is infinite is NaN here.
    """

    version: str
    layers: tuple[WatchedLayer, ...]
    summary: Mapping[str, float]


def check_installed() -> None:
    """Check that WeightWatcher can be run, without importing it.

    Raises:
        UsageError: WeightWatcher, torch or powerlaw is missing, or its version does not work.
    """
    try:
        versions = {name: version(name) for name in ("weightwatcher", "torch", "powerlaw")}
    except PackageNotFoundError as error:
        raise UsageError(f"WeightWatcher can't be run, {error.name} is not installed: {_INSTALL}") from None
    if not f"{versions['weightwatcher']}.".startswith(f"{_VERSION}."):
        raise UsageError(f"WeightWatcher {versions['weightwatcher']} is not {_VERSION}: {_INSTALL}")
    if int(versions["powerlaw"].partition(".")[0]) >= 2:
        raise UsageError(
            f"WeightWatcher {versions['weightwatcher']} does not work with powerlaw {versions['powerlaw']}, "
            f"which must be below 2: {_INSTALL}"
        )


def run_weightwatcher(checkpoint: Checkpoint) -> WeightWatcherResult:
    """Run WeightWatcher's `analyze()` with its defaults on a checkpoint's weight files.

    It runs on a folder of links to the files that `checkpoint` was opened from: WeightWatcher takes only folders,
    and reads every `model*safetensors` in one, stale and quantised copies included.

    Args:
        checkpoint: opened with its weights on disk, so not from `open_headers`.

    Raises:
        UsageError: WeightWatcher is not installed (see `check_installed`).
        CheckpointError: WeightWatcher failed; the message has the last line of its standard error.
    """
    check_installed()
    with TemporaryDirectory(prefix="wqscore-") as folder:
        _link_weights(checkpoint, Path(folder))
        returncode, answer, complaints = _run_process(folder)
    if returncode != 0:
        raise CheckpointError(f"{checkpoint.ref.label}: {_failure(returncode, complaints)}")
    return _read_answer(answer)


def _run_process(folder: str) -> tuple[int, bytes, bytes]:
    """Run the script on a folder; returns its exit code, output and errors. It ends before an interrupt goes on."""
    process = None
    try:
        with _interrupts_held():
            process = subprocess.Popen(
                [sys.executable, "-P", str(_SCRIPT), folder],
                cwd=folder,
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        output, errors = process.communicate()
        return process.returncode, output, errors
    finally:
        if process and process.poll() is None:
            process.kill()
            process.wait()


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Raise an interrupt only at the end: one while `Popen` starts a process would leave it to itself."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    previous = signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
    if came:
        raise KeyboardInterrupt


def _environment() -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if name != "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"}
    return inherited | _ENVIRONMENT


def _link_weights(checkpoint: Checkpoint, folder: Path) -> None:
    """Link the weight files under the names that WeightWatcher looks for, with an index if there are several."""
    files = sorted({file for tensor in checkpoint.tensors for file in tensor.files})
    names = {}
    for number, file in enumerate(files, 1):
        stem, suffix = ("model", ".safetensors") if file.suffix == ".safetensors" else ("pytorch_model", ".bin")
        shard = f"-{number:05}-of-{len(files):05}" if len(files) > 1 else ""
        names[file] = f"{stem}{shard}{suffix}"
        _link(file.absolute(), folder / names[file])
    if len(files) > 1 and files[0].suffix == ".safetensors":
        weight_map = {tensor.name: names[tensor.files[0]] for tensor in checkpoint.tensors}
        (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}), encoding="utf-8")


def _link(file: Path, name: Path) -> None:
    """Give a file a second name: by a symbolic link, or a hard one where Windows grants no symbolic ones.

    Raises:
        CheckpointError: the system makes neither.
    """
    try:
        name.symlink_to(file)
    except OSError:
        try:
            name.hardlink_to(file)
        except OSError as error:
            raise CheckpointError(f"{file}: can't be linked for WeightWatcher: {error.strerror or error}") from error


def _failure(returncode: int, stderr: bytes) -> str:
    if returncode < 0:
        return f"WeightWatcher was ended ({signal.strsignal(-returncode)}): it may need more memory than there is"
    lines = [line for line in stderr.decode("utf-8", "replace").splitlines() if line.strip()]
    last = lines[-1].strip()[:_MAX_REASON] if lines else f"exit code {returncode}"
    hint = ": one such matrix ends its whole run, and `wqscore score` names it" if "infs or NaNs" in last else ""
    return f"WeightWatcher failed: {last}{hint}"


def _read_answer(answer: bytes) -> WeightWatcherResult:
    document = json.loads(answer)
    layers = tuple(map(_layer, document["layers"]))
    return WeightWatcherResult(document["version"], layers, {k: _finite(v) for k, v in document["summary"].items()})


def _layer(row: Mapping[str, Any]) -> WatchedLayer:
    failed = row["status"] == "failed" or not isfinite(row["alpha"])
    columns = {
        name: nan if failed and name in _FIT_COLUMNS else _finite(value)
        for name, value in row.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and name != "layer_id"
    }
    return WatchedLayer(f"{row['longname']}.weight", row["status"], columns)


def _finite(value: float) -> float:
    return float(value) if isfinite(value) else nan
