"""Exit codes, and one line on standard error for everything that goes wrong."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from wqscore.errors import UsageError, WqscoreError

USAGE = 2
NOT_SCORED = 3
INTERRUPTED = 130


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn the package's errors into a line and an exit code, and leave quietly when a pipe is closed."""
    try:
        yield
        sys.stdout.flush()
    except UsageError as error:
        complain(str(error))
        raise typer.Exit(USAGE) from error
    except WqscoreError as error:
        complain(str(error))
        raise typer.Exit(NOT_SCORED) from error
    except BrokenPipeError as error:
        # The reader has seen enough; Python would complain once more at exit, when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(0) from error
    except KeyboardInterrupt as interrupt:
        complain("interrupted")
        raise typer.Exit(INTERRUPTED) from interrupt


def complain(message: str) -> None:
    """Write one line to standard error."""
    line = " ".join(message.split())
    typer.echo(f"wqscore: {line}", err=True)
