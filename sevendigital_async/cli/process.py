"""Turns every error into an exit code and a reason; no error becomes a traceback on the command line."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Self

from ..errors import SevenDigitalError
from .output import INTERRUPTED, ExitCode, ExitError, complain, say_error


class SignalWatcher:
    """Counts SIGINT, SIGTERM and SIGHUP while it is open, in place of what they would do.

    A SIGHUP that is ignored (``nohup``) stays ignored.

    Attributes:
        first: Set by the first signal.
        again: Set by the second.
        name: Of the first one.
    """

    def __init__(self) -> None:
        self.first = asyncio.Event()
        self.again = asyncio.Event()
        self.name = ""
        self._signals = [signal.SIGINT, signal.SIGTERM]
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            self._signals.append(signal.SIGHUP)

    def __enter__(self) -> Self:
        """Listen."""
        loop = asyncio.get_running_loop()
        self._previous = {number: signal.getsignal(number) for number in self._signals}
        for number in self._signals:
            loop.add_signal_handler(number, self._hear, number)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Listen no longer."""
        loop = asyncio.get_running_loop()
        for number in self._signals:
            loop.remove_signal_handler(number)
            signal.signal(number, self._previous[number] or signal.SIG_DFL)

    def _hear(self, number: signal.Signals) -> None:
        if self.first.is_set():
            self.again.set()
        else:
            self.name = number.name
            self.first.set()


SIGNALLED = 128
"""Exit codes beyond this one stand for signals."""

SOON = 0.05

SIGNALS = (signal.SIGTERM, signal.SIGHUP)
_UNUSABLE = (os.O_WRONLY, os.O_RDONLY, os.O_RDONLY)
"""How standard input, output and error are opened where they were closed: their use fails, as it should."""


class Terminated(SystemExit):
    """A signal asked the process to end; an exit, for event loops let only those and Ctrl-C pass."""

    def __init__(self, name: str, number: int) -> None:
        super().__init__(SIGNALLED + number)
        self.name = name
        self.number = signal.Signals(number)


def prepare() -> None:
    """Set up a process that runs nothing but the command."""
    reserve_standard_descriptors()
    sys.excepthook = lambda _kind, error, _traceback: _tell(error)
    threading.excepthook = lambda told: _tell(told.exc_value or told.exc_type())
    sys.unraisablehook = _report_unraisable
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:  # until now; see _early_interrupt
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in SIGNALS:
        if signal.getsignal(number) is signal.SIG_DFL:  # nohup and others have it ignored
            signal.signal(number, _terminate)


def finish(code: int) -> None:
    """Let nothing interrupt the end of the interpreter: the exit code is decided.

    After a signal the process ends here and now. A thread that waits for a pipe would keep it from ending.
    """
    for number in (signal.SIGINT, *SIGNALS):
        signal.signal(number, signal.SIG_IGN)
    if code > SIGNALLED:
        os._exit(code)


def reserve_standard_descriptors() -> None:
    """Keep files from taking the numbers 0, 1 and 2 where those are closed: what is printed would end up in them."""
    for number, flags in enumerate(_UNUSABLE):
        try:
            fcntl.fcntl(number, fcntl.F_GETFD)
        except OSError:
            opened = os.open(os.devnull, flags)
            if opened != number:  # pragma: no cover - the lowest number that is free is this one
                os.dup2(opened, number)
                os.close(opened)


def report_background_errors(logger: logging.Logger) -> None:
    """Write the warnings and errors of a logger to standard error, a line for each."""
    if not any(isinstance(handler, _OneLine) for handler in logger.handlers):
        logger.addHandler(_OneLine(logging.WARNING))
    logger.propagate = False


class _OneLine(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        cause = "" if error is None else f": {type(error).__name__}: {error}"
        first, *_ = record.getMessage().splitlines() or [""]
        complain(f"{first}{cause}")


def _report_unraisable(told: Any) -> None:
    """Let a signal that came within a destructor, where Python drops what its handler raises, come again."""
    error = told.exc_value or told.exc_type()
    if isinstance(error, KeyboardInterrupt):
        _send_again(signal.SIGINT)
    elif isinstance(error, Terminated):
        _send_again(error.number)
    else:
        _tell(error)


def _send_again(number: signal.Signals) -> None:
    # Later, for within the hook it would be dropped once more; a signal also wakes what waits for a file.
    timer = threading.Timer(SOON, os.kill, (os.getpid(), number))
    timer.daemon = True
    timer.start()


def _tell(error: BaseException) -> None:
    if not isinstance(error, (KeyboardInterrupt, SystemExit, BrokenPipeError)):
        complain(f"{type(error).__name__}: {error}")


def _terminate(number: int, _frame: FrameType | None) -> None:
    raise Terminated(signal.Signals(number).name, number)


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
