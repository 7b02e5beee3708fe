"""Write docs/reference/commands.md from the commands of the typer app: ``python -m tools.command_line``.

The functions that typer makes commands of are read, because their signatures are the same for every release of typer.
"""

from __future__ import annotations

import enum
import inspect
import textwrap
import types
import typing
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from typer.models import ArgumentInfo, OptionInfo

from sevendigital_async.cli.app import COMMANDS
from sevendigital_async.cli.completion import PROGRAM

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "commands.md"
METAVARS = {str: "TEXT", int: "INTEGER", float: "NUMBER", Path: "PATH"}

INTRODUCTION = f"""\
# Commands and options

Every command of `{PROGRAM}`, as its `--help` describes it. This page is generated from the commands by
`python -m tools.command_line`; a test checks that it is up to date. [The command line](../command-line.md) explains how
the commands work together.

`{PROGRAM} --version` prints the version, `{PROGRAM} --install-completion SHELL` installs completion, and `--help` of a
command shows its help.
"""

TABLE = """
| argument or option | | default |
|---|---|---|
"""


def page() -> str:
    """Return the page's text."""
    return INTRODUCTION + "".join(part for name in COMMANDS for part in sections(name))


def sections(name: str) -> Iterator[str]:
    """Yield the section of a command, or those of a group and of the commands in it."""
    app = import_module(f"sevendigital_async.cli.commands.{COMMANDS[name][0]}").app
    commands = {command.name: command for command in app.registered_commands}
    if name in commands:
        yield section(f"{PROGRAM} {name}", commands[name].help, commands[name].callback)
        return
    yield f"\n## {PROGRAM} {name}\n\n{text_of(app.info.help)}\n"
    for below, command in commands.items():
        yield section(f"{PROGRAM} {name} {below}", command.help, command.callback)


def section(path: str, help_text: str, function: Callable[..., Any]) -> str:
    """Return the section of one command."""
    parameters = [
        Option(parameter, info)
        for parameter in inspect.signature(function, eval_str=True).parameters.values()
        for info in getattr(parameter.annotation, "__metadata__", ())
        if isinstance(info, OptionInfo | ArgumentInfo) and not info.hidden
    ]
    arguments = [option.spelling for option in parameters if option.is_argument]
    usage = " ".join([path, *arguments, "[OPTIONS]"])
    rows = "".join(option.row for option in parameters)
    return f"\n## {path}\n\n```text\n{usage}\n```\n\n{text_of(help_text)}\n{TABLE}{rows}"


def text_of(help_text: str) -> str:
    """Return a help text in Markdown; its preformatted paragraphs, which begin with a backspace, become code."""
    return "\n\n".join(map(_paragraph, help_text.strip().split("\n\n")))


def _paragraph(text: str) -> str:
    if not text.startswith("\b\n"):
        return text
    title, _, lines = text.removeprefix("\b\n").partition("\n")
    return f"{title}\n\n```text\n{textwrap.dedent(lines)}\n```"


class Option:
    """An argument or an option of a command."""

    def __init__(self, parameter: inspect.Parameter, info: Any) -> None:
        self.is_argument = isinstance(info, ArgumentInfo)
        self._parameter = parameter
        self._info = info
        self._type, self._is_list = _value_type(parameter.annotation.__origin__)

    @property
    def spelling(self) -> str:
        """As it is typed, such as ``--port INTEGER``."""
        if self.is_argument:
            name = self._info.metavar or self._parameter.name.upper()
            return f"{name} ..." if self._is_list and not name.endswith("...") else name
        return self._names if self._type is bool else f"{self._names} {self._metavar}"

    @property
    def row(self) -> str:
        """Its row of the table."""
        text = " ".join((self._info.help or "").split()).replace("<", "&lt;")
        cells = (f"`{self.spelling}`", text, self._default)
        return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |\n"

    @property
    def _names(self) -> str:
        # Within Annotated, typer takes the first name for the default.
        first = [self._info.default] if isinstance(self._info.default, str) else []
        names = [*first, *self._info.param_decls] or [f"--{self._parameter.name.replace('_', '-')}"]
        return ", ".join(names).replace("/", " / ")

    @property
    def _metavar(self) -> str:
        if self._info.metavar:
            return str(self._info.metavar)
        if typing.get_origin(self._type) is typing.Literal:
            return "|".join(typing.get_args(self._type))
        if issubclass(self._type, enum.Enum):
            return "|".join(str(member.value) for member in self._type)
        return METAVARS[self._type]

    @property
    def _default(self) -> str:
        default = self._parameter.default
        if default is inspect.Parameter.empty:
            return "required"
        variables = [self._info.envvar] if isinstance(self._info.envvar, str) else self._info.envvar or []
        known = [f"`{name}`" for name in variables]
        if isinstance(self._info.show_default, str):
            known.append(self._info.show_default)
        elif default is True:
            known.append(f"`{self._names.partition(' / ')[0]}`")
        elif default not in (None, "", False):
            known.append(f"`{default.value if isinstance(default, enum.Enum) else default}`")
        return ", else ".join(known)


def _value_type(annotation: Any) -> tuple[Any, bool]:
    """Return the type of one value, and whether there may be several."""
    if isinstance(annotation, types.UnionType):
        annotation = next(part for part in typing.get_args(annotation) if part is not types.NoneType)
    if typing.get_origin(annotation) is list:
        return typing.get_args(annotation)[0], True
    return annotation, False


if __name__ == "__main__":
    PAGE.write_text(page())
