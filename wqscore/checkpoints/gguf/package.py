"""Import the optional `gguf` package when a GGUF file is read."""

from __future__ import annotations

from types import ModuleType

from wqscore.errors import CheckpointError


def gguf_package(where: str) -> ModuleType:
    """Import the `gguf` package.

    Args:
        where: the file that needs the package, for the message.

    Raises:
        CheckpointError: the package is not installed.
    """
    try:
        import gguf
        import gguf.quants
        import gguf.tensor_mapping
    except ImportError as error:
        raise CheckpointError(f"{where}: reading GGUF needs the gguf package: pip install wqscore[gguf]") from error
    return gguf
