"""The command and its subcommands."""

from __future__ import annotations

from typing import Annotated

import typer

from .._version import __version__
from .commands import call, dead_letters, demo, journal, operations, sandbox, ship, spool
from .output import say

app = typer.Typer(
    help="The 7digital music API on the command line: call it, report plays, and try it all out on this machine.",
    no_args_is_help=True,
    rich_markup_mode=None,
    # Tracebacks with the values of variables would show secrets.
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("demo", help=demo.HELP)(demo.demo)
app.command("ship", help=ship.HELP, no_args_is_help=True)(ship.ship)
app.add_typer(spool.app, name="spool")
app.add_typer(dead_letters.app, name="dead-letters")
app.add_typer(journal.app, name="journal")
app.command("sandbox", help=sandbox.HELP)(sandbox.sandbox)
app.command("call", help=call.HELP, no_args_is_help=True)(call.call)
app.command("operations", help=operations.HELP)(operations.operations)
app.command("sign-url", help=call.HELP, no_args_is_help=True)(call.call)


def _show_version(wanted: bool) -> None:
    if wanted:
        say(f"sevendigital {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


command = typer.main.get_command(app)
"""The same for the parser; ``app`` itself would put a hook for tracebacks of its own in place."""
