"""Exit codes, which of them wins, and the error that ends a command with one."""

from __future__ import annotations

import enum
from collections.abc import Iterable


class ExitCode(enum.IntEnum):
    """How a command ended."""

    DONE = 0
    USAGE = 1
    REJECTED = 3
    WAITING = 4


PRECEDENCE = (ExitCode.USAGE, ExitCode.WAITING, ExitCode.REJECTED, ExitCode.DONE)

INTERRUPTED = 130
"""What shells report of a process that SIGINT ended."""

CLICK_USAGE = 2
"""What the option parser makes of wrong usage; here it is ``USAGE``."""


class ExitError(Exception):
    """Ends a command with a code that is not zero; the message is the last line on standard error.

    Attributes:
        code: The exit code.
    """

    def __init__(self, reason: str, code: int = ExitCode.USAGE) -> None:
        super().__init__(reason)
        self.code = code


class OutputError(ExitError):
    """Standard output can't be written."""


def weightiest(codes: Iterable[ExitCode]) -> ExitCode:
    """Choose the code that a script must not miss."""
    return min(codes, key=PRECEDENCE.index, default=ExitCode.DONE)
