"""The ``sevendigital`` command."""

import signal
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code; the last line on standard error says why it isn't zero.

    Args:
        arguments: In place of the process's own, for tests.
    """
    if arguments is None and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        # Until the command is imported, which takes some tenths of a second, Ctrl-C ends it without a traceback.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from .process import run  # noqa: PLC0415 - as above

    return run(arguments)
