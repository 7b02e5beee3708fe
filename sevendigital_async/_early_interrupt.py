"""Ctrl-C while the ``sevendigital`` command is still being imported: the process ends, and shows no traceback.

Nothing in ``cli`` runs before the package has been imported, so that this has to be the package's first import. In any
other program it does nothing.
"""

import signal
import sys
from collections.abc import Sequence


def is_command(argv: Sequence[str], original: Sequence[str]) -> bool:
    """Tell from its arguments whether a process is the command.

    Args:
        argv: As Python passes them on; ``-m`` stands for a module that is still being looked for.
        original: As the process was started.
    """
    program = argv[0].rpartition("/")[2] if argv else ""
    return program == "sevendigital" or (program == "-m" and "sevendigital_async.cli" in original)


if (
    is_command(getattr(sys, "argv", ()), sys.orig_argv)
    and signal.getsignal(signal.SIGINT) is signal.default_int_handler
):
    signal.signal(signal.SIGINT, signal.SIG_DFL)
