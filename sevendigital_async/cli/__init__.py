"""The ``sevendigital`` command: how it starts, and how it ends."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence

from . import process
from .output import INTERRUPTED, ExitCode, StandardOutput, complain, tolerate_unencodable
from .process import explain


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code; the last line on standard error says why it isn't zero.

    Args:
        arguments: In place of the process's own, for tests.
    """
    owns_process = arguments is None
    try:
        if owns_process:
            process.prepare()
        code = _run(arguments)
    except (KeyboardInterrupt, process.Terminated):  # while the end of another one was being written
        code = INTERRUPTED
    if owns_process:
        process.finish(code)
    return code


def _run(arguments: Sequence[str] | None) -> int:
    stdout = sys.stdout
    reason = None
    try:
        tolerate_unencodable()
        sys.stdout = StandardOutput(stdout)
        # What matters of the library's log reaches people as messages of the commands themselves.
        logging.getLogger("sevendigital_async").addHandler(logging.NullHandler())
        process.report_background_errors(logging.getLogger("asyncio"))
        from .app import command  # noqa: PLC0415 - typer and rich may be missing

        code = command.main(
            args=None if arguments is None else list(arguments), prog_name="sevendigital", standalone_mode=False
        )
    except BaseException as error:  # noqa: BLE001 - whatever it is, nobody gets a traceback
        code, reason = explain(error)
    finally:
        sys.stdout = stdout
    code = code if isinstance(code, int) else ExitCode.DONE
    if code:
        complain(reason or ("interrupted" if code == INTERRUPTED else f"ended with exit code {code}"))
    return code
