"""`wqscore describe`."""

from __future__ import annotations

import typer

from wqscore.cli import options
from wqscore.cli.exits import one_line_errors


def describe(
    ref: options.Ref, output: options.FormatOption = options.Format.TABLE, preset: options.PresetOption = "default"
) -> None:
    """List a model's tensors and what would be done with each, without reading the weights.

    Shows shape, type, role and bytes of every tensor, and about how long scoring would take on one core.
    """
    with one_line_errors():
        from wqscore.api import describe as describe_ref
        from wqscore.rendering import description

        result = describe_ref(ref, preset=preset)
        if output is options.Format.TABLE:
            description.print_description(result)
        elif output is options.Format.CSV:
            typer.echo(description.description_csv(result), nl=False)
        elif output is options.Format.JSON:
            typer.echo(description.description_json(result), nl=False)
        else:
            typer.echo(description.description_markdown(result), nl=False)
