"""`wqscore models`: show the shipped model lists and aliases."""

from __future__ import annotations

from wqscore.cli.exits import one_line_errors


def models() -> None:
    """Show the aliases and the model lists that ship."""
    with one_line_errors():
        from wqscore.refs.model_list import list_names, load_list
        from wqscore.rendering.numbers import size
        from wqscore.rendering.sections import Table
        from wqscore.rendering.terminal import print_sections

        for name in list_names():
            shipped = load_list(name)
            rows = [
                [
                    model.id,
                    ", ".join(model.aliases) or "–",
                    size(model.parameters) if model.parameters else "–",
                    model.licence or "–",
                    str(model.year or "–"),
                ]
                for model in shipped.models
            ]
            title = f"{shipped.title} · wqscore rank --list {shipped.name}"
            columns = ["id", "aliases", "params", "licence", "year"]
            optional = ["year", "licence", "params"]
            print_sections([Table(title, columns, rows, folding=["id", "aliases"], optional=optional)])
