"""Make options from dataclasses: a command's dataclass parameter becomes one option per field."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import Field, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import typer

from wqscore.api.settings import Settings
from wqscore.cli.exits import one_line_errors
from wqscore.cli.sizes import parse_size

_Function = TypeVar("_Function", bound=Callable[..., None])

#: Option types of settings whose default is `None`, or that Python takes in other forms too.
_TYPED: dict[str, Any] = {
    "metrics": str,
    "base": str | None,
    "family": str | None,
    "layers": str | None,
    "roles": str | None,
    "store": Path | None,
    "jobs": int | None,
    "memory": int | None,
}
_PARSERS = {"memory": parse_size}


class Only:
    """The fields of a record that a command offers: `Annotated[Settings, Only("preset", "jobs")]`."""

    def __init__(self, *names: str) -> None:
        self.names = names


def with_options(function: _Function) -> _Function:
    """Turn a function's dataclass parameters into options, one per field, with its name and default.

    A field's `Annotated[..., typer.Option(...)]` describes its option; for `Settings` its metadata do.
    The command turns the UsageError of a record that refuses its values into a line and an exit code.
    """
    hints = get_type_hints(function, include_extras=True)
    records: dict[str, tuple[Any, list[Field[Any]]]] = {}
    parameters: list[inspect.Parameter] = []
    for parameter in inspect.signature(function).parameters.values():
        hint = hints[parameter.name]
        kind, *notes = get_args(hint) if get_origin(hint) is Annotated else (hint,)
        if is_dataclass(kind):
            only = next((note.names for note in notes if isinstance(note, Only)), None)
            offered = [each for each in fields(kind) if only is None or each.name in only]
            records[parameter.name] = kind, offered
            parameters += _parameters(kind, offered)
        else:
            parameters.append(parameter.replace(annotation=hint, kind=inspect.Parameter.KEYWORD_ONLY))

    def command(**given: Any) -> None:
        with one_line_errors():
            made = {
                name: kind(**{each.name: given.pop(each.name) for each in offered})
                for name, (kind, offered) in records.items()
            }
        function(**given, **made)

    command.__name__, command.__doc__ = function.__name__, function.__doc__
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return command  # type: ignore[return-value]


def _parameters(kind: Any, offered: list[Field[Any]]) -> list[inspect.Parameter]:
    hints = {} if kind is Settings else get_type_hints(kind, include_extras=True)
    return [
        inspect.Parameter(
            each.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=each.default,
            annotation=hints.get(each.name) or _setting(each),
        )
        for each in offered
    ]


def _setting(field: Field[Any]) -> Any:
    """The type and option of one field of `Settings`."""
    words = field.metadata
    choices = words.get("choices")
    typed = Literal[choices] if choices else _TYPED.get(field.name, type(field.default))
    option = typer.Option(
        f"--{field.name}",
        metavar=words.get("metavar"),
        help=words["help"],
        min=words.get("least"),
        max=words.get("most"),
        parser=_PARSERS.get(field.name),
        show_default=field.default is not None,
    )
    return Annotated[typed, option]
