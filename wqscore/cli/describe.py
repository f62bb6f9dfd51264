"""`wqscore describe`."""

from __future__ import annotations

from wqscore.cli import options
from wqscore.cli.exits import one_line_errors
from wqscore.cli.output import print_data


def describe(
    ref: options.Ref, output: options.FormatOption = options.Format.TABLE, preset: options.PresetOption = "default"
) -> None:
    """Show a model's tensors and what would be done with each.

    Reads no weights, and of a model on the Hub nothing but the headers of its files. Shows shape, type, role and
    bytes of every tensor, and about how long scoring would take on one core.
    """
    with one_line_errors():
        from wqscore.api import describe as describe_ref
        from wqscore.rendering import description

        result = describe_ref(ref, preset=preset)
        if output is options.Format.TABLE:
            description.print_description(result)
        elif output is options.Format.CSV:
            print_data(description.description_csv(result))
        elif output is options.Format.JSON:
            print_data(description.description_json(result))
        else:
            print_data(description.description_markdown(result))
