"""`wqscore describe`."""

from __future__ import annotations

from wqscore.cli import options
from wqscore.cli.exits import one_line_errors
from wqscore.cli.output import show


def describe(
    ref: options.Ref,
    output: options.FormatOption = options.Format.TABLE,
    preset: options.PresetOption = "default",
    jobs: options.JobsOption = None,
) -> None:
    """Show a model's tensors and what would be done with each.

    Reads no weights, and of a model on the Hub nothing but the headers of its files. Shows shape, type, role and
    bytes of every tensor, about how long scoring would take on one core, and how much memory with --jobs threads.
    """
    with one_line_errors():
        from wqscore.api.score import describe as describe_ref

        show(describe_ref(ref, preset=preset, jobs=jobs), output)
