"""Foreign tools whose answers ours are compared with: imported when first used, and never missing unnoticed.

A test that needs some has the marker `oracle` with their packages' names, and is in the second tier, `make oracles`.
"""

from __future__ import annotations

import importlib
import os
from importlib.util import find_spec
from typing import Any, NoReturn

import pytest

#: What `make test` runs without, and no file of tests imports when it is collected.
FOREIGN = frozenset(
    [
        "accelerate",
        "bitsandbytes",
        "compressed_tensors",
        "curvlinops",
        "dask",
        "diffusers",
        "distributed",
        "fickling",
        "joblib",
        "modelscan",
        "onnx",
        "onnxscript",
        "peft",
        "picklescan",
        "powerlaw",
        "ray",
        "selenium",
        "sentence_transformers",
        "torch",
        "transformers",
        "weightwatcher",
    ]
)


class Oracle:
    """A foreign module, or something in it, that is imported when it is called or one of its attributes is read."""

    #: Whether what runs now may: outside pytest all may, within it the tests that are marked.
    may_import = True

    def __init__(self, module: str, member: str = "") -> None:
        self._module, self._member = module, member

    def _load(self) -> Any:
        if not Oracle.may_import:
            pytest.fail(f"{self._module} is asked for outside a test that is marked `oracle`")
        module = importlib.import_module(self._module)
        return getattr(module, self._member) if self._member else module

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name != "__version__":  # asked for by whoever looks at what a module holds
            raise AttributeError(name)
        return getattr(self._load(), name)

    def __call__(self, *args: Any, **options: Any) -> Any:
        return self._load()(*args, **options)


def imported(oracle: Oracle) -> Any:
    """The module or its member itself, imported here and now."""
    return oracle._load()


def prepare(item: pytest.Item) -> None:
    """Let a marked test import foreign tools; skip it without them, or fail it where they are required."""
    marks = list(item.iter_markers("oracle"))
    Oracle.may_import = bool(marks)
    for package in dict.fromkeys(package for mark in marks for package in mark.args):
        if find_spec(package) is None:
            missing(f"{package} is not installed: pip install -e '.[oracles]'")


def missing(reason: str) -> NoReturn:
    """Skip the test that runs, or fail it under WQSCORE_REQUIRE_ORACLES."""
    if os.environ.get("WQSCORE_REQUIRE_ORACLES"):
        pytest.fail(reason)
    pytest.skip(reason)
