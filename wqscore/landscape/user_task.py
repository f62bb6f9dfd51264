"""`--task package.module:function`: a task made by the user's own code, never by code of a checkpoint."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from wqscore.errors import UsageError
from wqscore.landscape.task import LandscapeError, Task


def load_function(text: str, refs: Sequence[str]) -> Callable[[str], Task]:
    """Import the function that makes a task of a model's name.

    Modules are found on `sys.path`, and last in the working folder.

    Args:
        text: `package.module:function`.
        refs: the models as typed; code inside one of these folders is refused.

    Returns:
        A function that gives a checked task: it raises `UsageError` where the user's function returns something else,
        and `LandscapeError` for what that function raises.

    Raises:
        UsageError: there is no such function, importing it fails, or it lies in a checkpoint's folder.
    """
    module_name, colon, name = text.partition(":")
    if not colon or not name.isidentifier() or not all(part.isidentifier() for part in module_name.split(".")):
        raise UsageError(f"--task {text}: give package.module:function")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)
    _check_place(text, module_name.split(".")[0], refs)
    try:
        function = getattr(import_module(module_name), name, None)
    except Exception as error:
        raise UsageError(f"--task {text}: {module_name} can't be imported: {_of(error)}") from error
    if not callable(function):
        raise UsageError(f"--task {text}: {module_name} has no function {name}")

    def made(ref: str) -> Task:
        try:
            task = function(ref)
        except UsageError:
            raise
        except Exception as error:
            raise LandscapeError(f"{ref}: {text} failed: {_of(error)}") from error
        if not isinstance(task, Task):
            raise UsageError(f"--task {text} returns a {type(task).__name__}: return a wqscore.landscape.Task")
        return task

    return made


def _check_place(text: str, top: str, refs: Sequence[str]) -> None:
    try:
        spec = find_spec(top)
    except (ImportError, ValueError) as error:
        raise UsageError(f"--task {text}: {top} can't be imported: {_of(error)}") from error
    if spec is None:
        raise UsageError(f"--task {text}: there is no module {top}: put its folder on PYTHONPATH")
    places = [*(spec.submodule_search_locations or ()), *([spec.origin] if spec.origin else [])]
    for ref in refs:
        folder = Path(ref).absolute()
        if folder.is_dir() and any(Path(place).resolve().is_relative_to(folder.resolve()) for place in places):
            raise UsageError(
                f"--task {text}: {top} lies in the model's folder {ref}; code of a checkpoint is never run: move it"
            )


def _of(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]
