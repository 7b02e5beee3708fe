"""The command and its subcommands, each imported when it is used."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.completion import completion_init  # type: ignore[attr-defined]
from typer.core import TyperGroup

from .._version import __version__
from .completion import Shell, completion_script, install_completion
from .output import echo

COMMANDS = {
    "demo": ("demo", "Ship made-up plays to a local sandbox and account for each."),
    "ship": ("ship", "Report the plays in a file to the service."),
    "spool": ("spool", "Show the state of a spool."),
    "dead-letters": ("dead_letters", "List, replay or discard plays that were not delivered."),
    "journal": ("journal", "Export the journal of deliveries, or compare it with a list."),
    "sandbox": ("sandbox", "Run a sandbox of the API on this machine."),
    "call": ("call", "Call an operation of the API and print its response."),
    "operations": ("operations", "List the operations of the API."),
    "sign-url": ("call", "Print a signed URL for an operation."),
}
"""Name of a command: its module in ``commands``, and its line in the list of commands."""


def _apply_common_rules(command: Any) -> None:
    """Apply the rules of all commands to a command and its subcommands."""
    _hide_types(command)
    _refuse_repeated_options(command)
    for subcommand in getattr(command, "commands", {}).values():
        _apply_common_rules(subcommand)


def _hide_types(command: Any) -> None:
    """Show arguments in help texts without their Python types."""
    for parameter in command.params:
        if parameter.param_type_name == "argument":
            parameter.display_type = lambda ctx: ""  # noqa: ARG005 - the help formatter passes it


def _refuse_repeated_options(command: Any) -> None:
    """Make a command refuse an option with one value that is given twice; the parser would take the last one.

    A plain flag such as ``--json`` may be repeated, because that changes nothing; of a pair such as
    ``--in-doubt/--certain`` the second could contradict the first.
    """
    make_parser = command.make_parser

    def make_strict_parser(context: Any) -> Any:
        parser = make_parser(context)
        parse = parser.parse_args

        def parse_args(args: list[str]) -> tuple[Any, Any, Any]:
            values, rest, order = parse(args)
            if not context.resilient_parsing:  # a shell that completes a line
                _check_repeated(order, context)
            return values, rest, order

        parser.parse_args = parse_args
        return parser

    command.make_parser = make_strict_parser


def _check_repeated(order: Iterable[Any], context: Any) -> None:
    for parameter, times in Counter(order).items():
        if times > 1 and _takes_one_value(parameter):
            names = "/".join((parameter.opts[-1], *parameter.secondary_opts))
            raise typer.BadParameter(f"{names} is given more than once", ctx=context)


def _takes_one_value(parameter: Any) -> bool:
    if parameter.param_type_name != "option" or parameter.multiple:
        return False
    return not parameter.is_flag or bool(parameter.secondary_opts)


class CommandTable(TyperGroup):
    """Imports the module of a command when the command is used, so that one command does not load the others."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.commands: Any = dict.fromkeys(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - the parser passes it
        """Import a command; None if there is no such command."""
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f".commands.{COMMANDS[cmd_name][0]}", __package__)
        group = typer.main.get_group(module.app)
        _apply_common_rules(group)
        return group.commands.get(cmd_name, group)

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - as above
        return list(COMMANDS)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - as above
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])


app = typer.Typer(
    cls=CommandTable,
    help="The 7digital music API on the command line: call it, report plays, and try both on this machine.",
    no_args_is_help=True,
    rich_markup_mode=None,
    # Its options detect the shell by the parents of this process; ours take the shell's name.
    add_completion=False,
    # Tracebacks with the values of variables would show secrets.
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(value: bool) -> None:
    if value:
        echo(f"sevendigital {__version__}")
        raise typer.Exit


def _show_completion(shell: Shell | None) -> None:
    if shell is not None:
        echo(completion_script(shell))
        raise typer.Exit


def _install_completion(shell: Shell | None) -> None:
    if shell is not None:
        path = install_completion(shell)
        echo(f"completion for {shell} is installed in {path}; it works in new shells")
        raise typer.Exit


@app.callback()
def _options(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
    install_completion: Annotated[
        Shell | None,
        typer.Option("--install-completion", callback=_install_completion, is_eager=True, help="Install completion."),
    ] = None,
    show_completion: Annotated[
        Shell | None,
        typer.Option("--show-completion", callback=_show_completion, is_eager=True, help="Print its script."),
    ] = None,
) -> None:
    pass


completion_init()
command = typer.main.get_command(app)
_refuse_repeated_options(command)
"""The parser. Calling ``app`` itself would install typer's own hook for tracebacks."""
