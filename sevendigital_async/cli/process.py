"""What the command asks of its process: standard streams, signals, and hooks that show no traceback."""

from __future__ import annotations

import fcntl
import logging
import os
import signal
import sys
import threading
from types import FrameType
from typing import Any

from .output import complain

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
