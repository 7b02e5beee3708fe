"""The ``sevendigital`` command: how it starts, and how it ends."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from ..errors import SevenDigitalError
from .exits import CLICK_USAGE, INTERRUPTED, ExitCode
from .output import complain, forgive_odd_characters

EXTRA = frozenset({"typer", "rich"})
"""What the command line needs beyond the library."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code.

    Args:
        arguments: In place of the process's own, for tests.
    """
    forgive_odd_characters()
    try:
        from .app import app  # noqa: PLC0415 - typer and rich may be missing
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in EXTRA:
            raise
        complain('the command line needs more than the library: pip install "sevendigital_async[cli]"')
        return ExitCode.USAGE
    # What matters of the library's log reaches people as messages of the commands themselves.
    logging.getLogger("sevendigital_async").addHandler(logging.NullHandler())
    try:
        app(args=None if arguments is None else list(arguments), prog_name="sevendigital")
    except SystemExit as end:
        return ExitCode.USAGE if end.code == CLICK_USAGE else _code(end)
    except SevenDigitalError as error:
        complain(str(error))
        return ExitCode.USAGE
    except KeyboardInterrupt:
        return INTERRUPTED
    return ExitCode.DONE


def _code(end: SystemExit) -> int:
    return end.code if isinstance(end.code, int) else ExitCode.DONE
