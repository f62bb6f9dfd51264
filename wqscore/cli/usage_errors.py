"""Wrong options and arguments in one line, like every other error: `wqscore: WHAT (WHERE): WHAT TO DO`."""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Sequence
from functools import partial
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup

from wqscore.cli.exits import print_error

#: The base of all errors that the parser of options raises.
_ParserError: Any = typer.BadParameter.__mro__[2]
_EXTRA = re.compile(r"Got unexpected extra argument(?:s|\(s\))? \((.*)\)", re.DOTALL)
_UNKNOWN_COMMAND = re.compile(r"No such command '(.*?)'\.", re.DOTALL)
_NO_CHOICE = re.compile(r"'(.*?)' is not one of (.*?)\.?", re.DOTALL)
_NO_VALUE = re.compile(r"Option '(.*)' requires an argument\.?", re.DOTALL)
#: How alike two options have to be, both of which begin with dashes.
_ALIKE = 0.75
#: Commands of one model, and what takes several.
_OF_ONE = {
    "score": "score takes one model; use rank for several",
    "plot": "plot takes one model; use rank for several, whose report has the charts of all",
    "describe": "describe takes one model; use plan for several",
    "check": "check takes one model: name one at a time",
    "crosscheck": "crosscheck takes one model: name one at a time",
}


class OneLineGroup(TyperGroup):
    """A group of commands whose wrong usage is one line on standard error, and exit code 2."""

    def main(self, args: Sequence[str] | None = None, *others: Any, standalone_mode: bool = True, **more: Any) -> Any:
        """Run; as the parser's own, but for what it prints of errors."""
        run = partial(super().main, args, *others, **{**more, "standalone_mode": False})
        if not standalone_mode:
            return run()
        try:
            code = run()
        except _ParserError as error:
            _leave(error)
        except typer.Abort:
            sys.exit(1)
        sys.exit(code if isinstance(code, int) else 0)


def _leave(error: Any) -> NoReturn:
    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()
    else:
        print_error(worded(error))
    sys.exit(error.exit_code)


def worded(error: Any) -> str:
    """An error of the parser in this program's words."""
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "wqscore"
    path = f"wqscore{path.removeprefix(context.find_root().command_path)}" if context else path
    name, see = path.rpartition(" ")[2], f"see {path} --help"
    message = error.message or ""
    if found := _EXTRA.fullmatch(message):
        return _OF_ONE.get(name, f"{found[1]} is one argument too many ({path}): {see}")
    if found := _UNKNOWN_COMMAND.match(message):
        commands = list(getattr(context.command, "commands", {})) if context else []
        return f"no command {found[1]} ({path}): {_nearest(found[1], commands) or see}"
    if found := _NO_VALUE.fullmatch(message):
        return f"{found[1]} needs a value: write one after it, or leave {found[1]} out"
    option = getattr(error, "option_name", "")
    if type(error).__name__ == "NoSuchOption":
        known = [name for each in context.command.params for name in each.opts] if context else []
        return f"no option {option} ({path}): {_nearest(option, known, _ALIKE) or see}"
    parameter = getattr(error, "param", None)
    if parameter is None:
        return f"{_sentence(message)} ({path}): {see}"
    label = _label(parameter)
    if type(error).__name__ == "MissingParameter":
        return f"{label} is missing ({path}): {see}"
    message = message.removeprefix("Value error, ")
    if found := _NO_CHOICE.fullmatch(message):
        choices = re.findall(r"'(.*?)'", found[2])
        return f"no {found[1]!r} ({label}): {_nearest(found[1], choices) or _all_of(choices)}"
    what = _sentence(message.removeprefix("Input "))
    return f"{label}: {what}" if ": " in what else f"{label} {what} ({path}): {see}"


def _label(parameter: Any) -> str:
    """An option by its long name, an argument as the help has it."""
    if getattr(parameter, "param_type_name", "") == "option":
        return str(max(parameter.opts, key=len))
    return str(getattr(parameter, "metavar", None) or parameter.name.upper())


def _nearest(given: str, known: Sequence[str], cutoff: float = 0.6) -> str:
    near = difflib.get_close_matches(given.lower()[:100], known, n=1, cutoff=cutoff)
    return f"did you mean {near[0]}?" if near else ""


def _all_of(choices: Sequence[str]) -> str:
    return f"choose from {', '.join(choices)}"


def _sentence(message: str) -> str:
    """A sentence of the parser's as part of a line."""
    text = message.removesuffix(".")
    return text[:1].lower() + text[1:] if text[1:2].islower() else text
