"""Turns every error into an exit code and a reason; no error becomes a traceback on the command line."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from ..errors import SevenDigitalError
from .exits import INTERRUPTED, ExitCode, ExitError
from .output import say_error
from .process import Terminated

EXTRA = frozenset({"typer", "rich"})
"""What the command line needs beyond the library."""

Explanation = tuple[int, str | None]
"""An exit code, and the reason for it; None if the code says it all."""


def explain(error: BaseException) -> Explanation:
    """Return the exit code that an error ends the command with, and the reason."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    for kinds, explanation in _EXPLANATIONS:
        if isinstance(error, kinds):
            return explanation(error)
    # The option parser's own errors, which it keeps to itself.
    if hasattr(error, "format_message"):
        return ExitCode.USAGE, _explain_usage(error)
    if type(error).__name__ == "Abort":
        return ExitCode.USAGE, "aborted; nothing was done"
    return ExitCode.USAGE, f"unexpected {type(error).__name__}: {error}"


def _explain_exit(error: SystemExit) -> Explanation:
    return (error.code, None) if isinstance(error.code, int) else (int(error.code is not None), error.code)


def _explain_import(error: ModuleNotFoundError) -> Explanation:
    if (error.name or "").partition(".")[0] in EXTRA:
        return ExitCode.USAGE, 'the command line needs more than the library: pip install "sevendigital_async[cli]"'
    return ExitCode.USAGE, str(error)


def _explain_os(error: OSError) -> Explanation:
    words = error.strerror or str(error) or type(error).__name__
    names = [os.fsdecode(name) for name in (error.filename, error.filename2) if isinstance(name, str | bytes)]
    return ExitCode.USAGE, ": ".join([" -> ".join(names), words]) if names else words


def _explain_usage(error: Any) -> str:
    """Write how the command is used; returns what is wrong with this use of it."""
    context = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError":
        say_error(error.format_message())
        return "arguments are missing"
    if context is not None:
        say_error(f"{context.get_usage()}\nTry '{context.command_path} --help' for help.")
    return str(error.format_message())


_EXPLANATIONS: tuple[tuple[type[BaseException], Callable[[Any], Explanation]], ...] = (
    (ExitError, lambda error: (error.code, str(error))),
    (SevenDigitalError, lambda error: (ExitCode.USAGE, str(error))),
    (Terminated, lambda error: (error.code, f"ended by {error.name}")),
    (SystemExit, _explain_exit),
    (KeyboardInterrupt, lambda _: (INTERRUPTED, None)),
    (ModuleNotFoundError, _explain_import),
    (OSError, _explain_os),
    (UnicodeError, lambda error: (ExitCode.USAGE, f"text that is not valid Unicode: {error}")),
    (MemoryError, lambda _: (ExitCode.USAGE, "out of memory")),
)
