"""Runs the command: signals, streams, and an exit code with a reason for every error instead of a traceback."""

from __future__ import annotations

import fcntl
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from types import FrameType, TracebackType
from typing import Any, Self

from ..errors import BatchError, SevenDigitalError
from .output import (
    COMPLETION_VARIABLE,
    INTERRUPTED_EXIT_CODE,
    ExitCode,
    ExitError,
    StandardOutput,
    echo_error,
    echo_message,
    help_width,
    tolerate_unencodable,
)


def run(arguments: Sequence[str] | None) -> int:
    """Run the command and return its exit code.

    Args:
        arguments: In place of the process's own; None also sets up the process, which then runs nothing else.
    """
    owns_process = arguments is None
    try:
        if owns_process:
            set_up_process()
        code = _run(arguments)
    except (KeyboardInterrupt, SignalExit):  # while the reason for the exit code was being written
        code = INTERRUPTED_EXIT_CODE
    if owns_process:
        shut_down_process(code)
    return code


def _run(arguments: Sequence[str] | None) -> int:
    stdout = sys.stdout
    reason = None
    try:
        tolerate_unencodable()
        sys.stdout = StandardOutput(stdout)
        # The commands themselves report what matters of the library's log.
        logging.getLogger("sevendigital_async").addHandler(logging.NullHandler())
        report_background_errors(logging.getLogger("asyncio"))
        from .app import command  # noqa: PLC0415 - typer and rich may be missing

        code = command.main(
            args=None if arguments is None else list(arguments),
            prog_name="sevendigital",
            standalone_mode=False,
            terminal_width=help_width(),
        )
    except BaseException as error:  # noqa: BLE001 - no error becomes a traceback
        code, reason = explain(error)
    finally:
        sys.stdout = stdout
    code = code if isinstance(code, int) else ExitCode.DONE
    if code and COMPLETION_VARIABLE not in os.environ:
        echo_message(reason or ("interrupted" if code == INTERRUPTED_EXIT_CODE else f"ended with exit code {code}"))
    return code


SIGNAL_EXIT_BASE = 128
"""Exit codes above this one mean signals."""

SIGNAL_RESEND_DELAY = 0.05

SIGNALS = (signal.SIGTERM, signal.SIGHUP)
_CLOSED_STREAM_FLAGS = (os.O_WRONLY, os.O_RDONLY, os.O_RDONLY)
"""Flags for closed standard input, output and error: reading or writing them still fails."""


class SignalExit(SystemExit):
    """A signal asked the process to end; a SystemExit because event loops pass on only that and KeyboardInterrupt."""

    def __init__(self, name: str, number: int) -> None:
        super().__init__(SIGNAL_EXIT_BASE + number)
        self.name = name
        self.number = signal.Signals(number)


def set_up_process() -> None:
    """Set up a process that runs nothing but the command."""
    reserve_standard_descriptors()
    sys.excepthook = lambda _kind, error, _traceback: _report(error)
    threading.excepthook = lambda args: _report(args.exc_value or args.exc_type())
    sys.unraisablehook = _report_unraisable
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:  # set by main() for the time of the imports
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in SIGNALS:
        if signal.getsignal(number) is signal.SIG_DFL:  # nohup ignores SIGHUP
            signal.signal(number, _terminate)


def shut_down_process(code: int) -> None:
    """Ignore signals while the interpreter shuts down: the exit code is decided.

    After a signal the process exits at once, because a thread that is blocked on a pipe would keep it alive.
    """
    for number in (signal.SIGINT, *SIGNALS):
        signal.signal(number, signal.SIG_IGN)
    if code > SIGNAL_EXIT_BASE:
        os._exit(code)


def reserve_standard_descriptors() -> None:
    """Open /dev/null for closed standard streams: a file with such a number would receive what is printed."""
    for number, flags in enumerate(_CLOSED_STREAM_FLAGS):
        try:
            fcntl.fcntl(number, fcntl.F_GETFD)
        except OSError:
            descriptor = os.open(os.devnull, flags)
            if descriptor != number:  # pragma: no cover - the lowest number that is free is this one
                os.dup2(descriptor, number)
                os.close(descriptor)


def report_background_errors(logger: logging.Logger) -> None:
    """Write the warnings and errors of a logger to standard error, a line for each."""
    if not any(isinstance(handler, _OneLineHandler) for handler in logger.handlers):
        logger.addHandler(_OneLineHandler(logging.WARNING))
    logger.propagate = False


class _OneLineHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        cause = "" if error is None else f": {type(error).__name__}: {error}"
        first, *_ = record.getMessage().splitlines() or [""]
        echo_message(f"{first}{cause}")


def _report_unraisable(args: Any) -> None:
    """Report an error of a destructor; send a signal again whose exception Python dropped there."""
    error = args.exc_value or args.exc_type()
    if isinstance(error, KeyboardInterrupt):
        _send_again(signal.SIGINT)
    elif isinstance(error, SignalExit):
        _send_again(error.number)
    else:
        _report(error)


def _send_again(number: signal.Signals) -> None:
    # After a moment: within the hook it would be dropped once more. Only a signal interrupts a blocking read.
    timer = threading.Timer(SIGNAL_RESEND_DELAY, os.kill, (os.getpid(), number))
    timer.daemon = True
    timer.start()


def _report(error: BaseException) -> None:
    if not isinstance(error, (KeyboardInterrupt, SystemExit, BrokenPipeError)):
        echo_message(f"{type(error).__name__}: {error}")


def _terminate(number: int, _frame: FrameType | None) -> None:
    raise SignalExit(signal.Signals(number).name, number)


class SignalWatcher:
    """Catches SIGINT, SIGTERM and SIGHUP while it is open.

    A SIGHUP that is ignored (``nohup``) stays ignored.

    Args:
        on_hangup: Called at every SIGHUP, which then stops nothing; without it SIGHUP is a signal like the others.

    Attributes:
        first_signal: Set by the first signal.
        second_signal: Set by the second.
        signal_name: Name of the first one.
    """

    def __init__(self, on_hangup: Callable[[], None] | None = None) -> None:
        import asyncio  # noqa: PLC0415 - a tenth of a second that `--version` and `--help` need not take

        self._loop = asyncio.get_running_loop()
        self.first_signal = asyncio.Event()
        self.second_signal = asyncio.Event()
        self.signal_name = ""
        self._on_hangup = on_hangup
        self._signals = [signal.SIGINT, signal.SIGTERM]
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            self._signals.append(signal.SIGHUP)

    def __enter__(self) -> Self:
        self._previous = {number: signal.getsignal(number) for number in self._signals}
        for number in self._signals:
            self._loop.add_signal_handler(number, self._on_signal, number)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for number in self._signals:
            self._loop.remove_signal_handler(number)
            signal.signal(number, self._previous[number] or signal.SIG_DFL)

    def _on_signal(self, number: signal.Signals) -> None:
        if number is signal.SIGHUP and self._on_hangup is not None:
            self._on_hangup()
        elif self.first_signal.is_set():
            self.second_signal.set()
        else:
            self.signal_name = number.name
            self.first_signal.set()


MAX_SHOWN_ITEMS = 3
"""Refused items of a batch whose reasons are shown."""

OPTIONAL_MODULES = frozenset({"typer", "rich"})
"""Packages of the ``cli`` extra."""

Explanation = tuple[int, str | None]
"""An exit code, and the reason; None where the code alone says it."""


def explain(error: BaseException) -> Explanation:
    """Return the exit code that an error ends the command with, and the reason."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    for kinds, explanation in _EXPLANATIONS:
        if isinstance(error, kinds):
            return explanation(error)
    # Errors of the option parser, whose classes are not public.
    if hasattr(error, "format_message"):
        return ExitCode.USAGE, _explain_usage(error)
    if type(error).__name__ == "Abort":
        return ExitCode.USAGE, "aborted; nothing was changed"
    return ExitCode.USAGE, f"unexpected {type(error).__name__}: {error}"


def _explain_exit(error: SystemExit) -> Explanation:
    return (error.code, None) if isinstance(error.code, int) else (int(error.code is not None), error.code)


def _explain_import(error: ModuleNotFoundError) -> Explanation:
    if (error.name or "").partition(".")[0] in OPTIONAL_MODULES:
        return ExitCode.USAGE, 'the command line needs typer and rich: pip install "sevendigital_async[cli]"'
    return ExitCode.USAGE, str(error)


def _explain_os(error: OSError) -> Explanation:
    words = error.strerror or str(error) or type(error).__name__
    names = [os.fsdecode(name) for name in (error.filename, error.filename2) if isinstance(name, str | bytes)]
    return ExitCode.USAGE, ": ".join([" -> ".join(names), words]) if names else words


def _explain_batch(error: BatchError) -> str:
    """Return the error with the reasons of the first refused items."""
    items = [f"; item {'?' if one.index is None else one.index}: {one.message}" for one in error.errors]
    more = len(items) - MAX_SHOWN_ITEMS
    return "".join((str(error), *items[:MAX_SHOWN_ITEMS], f"; {more:,} more" if more > 0 else ""))


def _explain_usage(error: Any) -> str:
    """Print the usage of the command and return what is wrong with the arguments."""
    from .usage import usage_problem  # noqa: PLC0415 - only wrong arguments need it

    context = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError":
        echo_error(error.format_message())
        return "arguments are missing"
    if context is not None:
        echo_error(f"{context.get_usage()}\nTry '{context.command_path} --help' for help.")
    return usage_problem(error)


_EXPLANATIONS: tuple[tuple[type[BaseException], Callable[[Any], Explanation]], ...] = (
    (ExitError, lambda error: (error.code, str(error))),
    (BatchError, lambda error: (ExitCode.USAGE, _explain_batch(error))),
    (SevenDigitalError, lambda error: (ExitCode.USAGE, str(error))),
    (SignalExit, lambda error: (error.code, f"ended by {error.name}")),
    (SystemExit, _explain_exit),
    (KeyboardInterrupt, lambda _: (INTERRUPTED_EXIT_CODE, None)),
    (ModuleNotFoundError, _explain_import),
    (OSError, _explain_os),
    (UnicodeError, lambda error: (ExitCode.USAGE, f"text that is not valid Unicode: {error}")),
    (MemoryError, lambda _: (ExitCode.USAGE, "out of memory")),
)
