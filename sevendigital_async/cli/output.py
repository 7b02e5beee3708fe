"""Exit codes, and text on standard output and standard error."""

from __future__ import annotations

import enum
import io
import json
import os
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, TextIO

import orjson
from attrs import define, field


class ExitCode(enum.IntEnum):
    """How a command ended."""

    DONE = 0
    USAGE = 1
    REJECTED = 3
    WAITING = 4


EXIT_CODE_PRECEDENCE = (ExitCode.USAGE, ExitCode.WAITING, ExitCode.REJECTED, ExitCode.DONE)

INTERRUPTED_EXIT_CODE = 130
"""The exit code of a process that SIGINT ended, as shells report it."""


COMPLETION_VARIABLE = "_SEVENDIGITAL_COMPLETE"
"""Set by a shell that completes a line: fish reads the exit code, and what is printed would be shown in the line."""


class ExitError(Exception):
    """Ends a command with a code that is not zero; the message is the last line on standard error."""

    def __init__(self, reason: str, code: int = ExitCode.USAGE) -> None:
        super().__init__(reason)
        self.code = code


class OutputError(ExitError):
    """Standard output can't be written."""


def highest_precedence(codes: Iterable[ExitCode]) -> ExitCode:
    return min(codes, key=EXIT_CODE_PRECEDENCE.index, default=ExitCode.DONE)


STANDARD_OUTPUT = "-"
"""The name of standard output, where an option names a file to write."""

_CANNOT_WRITE = "cannot write to standard output"
_SURROGATE = re.compile("[\ud800-\udfff]")
_ESCAPED_BYTES = range(0xDC80, 0xDD00)
"""How Python represents the bytes of a file name that is not UTF-8."""


class TerminalText(str):
    """Text that is safe to print as it is; its control sequences, if any, are our own."""

    __slots__ = ()


MAX_HELP_WIDTH = 80
MIN_HELP_WIDTH = 38


def help_width() -> int:
    """Return the width of help texts: that of the terminal, or COLUMNS, up to 80 columns."""
    return max(min(shutil.get_terminal_size().columns, MAX_HELP_WIDTH) - 2, MIN_HELP_WIDTH)


def tolerate_unencodable() -> None:
    """Write characters that a stream cannot encode as escapes: an odd file name must not end a run."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


class StandardOutput:
    """Standard output while a command runs; the only place that handles its errors.

    When the reader closes a pipe, further output is dropped and the command continues: plays matter more than output.

    Args:
        stream: What is there; None if it is closed.

    Attributes:
        reader_left: The reader has closed the pipe; output is dropped.
        failure: The first error in writing; every later write raises it, too.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream
        self.reader_left = False
        self.failure: OutputError | None = None if stream is not None else OutputError(f"{_CANNOT_WRITE}: it is closed")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def isatty(self) -> bool:
        return self._stream is not None and self._stream.isatty()

    def write(self, text: str) -> int:
        if text != "":  # an empty write would fail on a full disk, too
            self._write_with(lambda stream: stream.write(text))
        return len(text)

    def write_bytes(self, data: bytes) -> None:
        """Write bytes without buffering, after the text that was written before."""

        def write(stream: TextIO) -> None:
            stream.flush()
            if hasattr(stream, "buffer"):
                stream.buffer.write(data)
                stream.buffer.flush()
            else:
                stream.write(data.decode(errors="backslashreplace"))

        self._write_with(write)

    def flush(self) -> None:
        self._write_with(lambda stream: stream.flush())

    def _write_with(self, write: Callable[[TextIO], object]) -> None:
        if self._stream is None or self.failure is not None:
            assert self.failure is not None
            raise self.failure
        try:
            write(self._stream)
        except BrokenPipeError:
            self.reader_left = True
            _silence(self._stream)
        except (OSError, ValueError) as error:
            _silence(self._stream)
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            self.failure = OutputError(f"{_CANNOT_WRITE}: {reason}")
            raise self.failure from None


def echo(text: str, stream: TextIO | None = None) -> None:
    """Write lines to standard output or another stream, unbuffered, with control characters as escapes.

    Any other stream is silenced when it cannot be written.

    Raises:
        OutputError: Standard output can't be written.
    """
    stream = stream or sys.stdout
    if stream is None:
        return
    try:
        stream.write((text if isinstance(text, TerminalText) else escape_control_characters(text)) + "\n")
        stream.flush()
    except (OSError, ValueError):
        _silence(stream)


def echo_json(value: object, *, default: Callable[[Any], Any] | None = None, indent: bool = False) -> None:
    """Write a value to standard output as JSON, with control characters and bidirectional marks as escapes."""
    echo(TerminalText(as_json(value, default=default, indent=indent)))


def as_json(value: object, *, default: Callable[[Any], Any] | None = None, indent: bool = False) -> str:
    """Return a value as JSON that is safe to show on a terminal."""
    try:
        text = orjson.dumps(value, default=default, option=orjson.OPT_INDENT_2 if indent else None).decode()
    except TypeError:
        # A file name that is not UTF-8, or a number beyond 64 bits.
        text = json.dumps(value, default=default, indent=2 if indent else None, ensure_ascii=False)
        text = _SURROGATE.sub(lambda found: _escaped(found[0]).replace("\\", "\\\\"), text)
    return text if _is_plain(text) else "".join(c if c == "\n" else _json_escaped(c) for c in text)


def echo_bytes(data: bytes) -> None:
    """Write an answer to standard output unchanged, or with escapes if standard output is a terminal."""
    data = data.rstrip(b"\n")
    if sys.stdout is not None and sys.stdout.isatty():
        echo(data.decode(errors="backslashreplace"))
    else:
        write_bytes(data + b"\n")


def write_bytes(data: bytes) -> bool:
    """Write bytes to standard output, unbuffered; False if the reader has closed the pipe."""
    stdout = sys.stdout if isinstance(sys.stdout, StandardOutput) else StandardOutput(sys.stdout)
    stdout.write_bytes(data)
    return not stdout.reader_left


def echo_error(text: str) -> None:
    if sys.stderr is not None:
        echo(text, sys.stderr)


def echo_message(text: str) -> None:
    """Write ``sevendigital: ...`` to standard error, on one line."""
    echo_error(f"sevendigital: {one_line(text)}")


def one_line(text: str) -> str:
    """Make text from outside safe to print on one line: line breaks and control characters become escapes."""
    return text if text.isprintable() else "".join(char if char.isprintable() else _escaped(char) for char in text)


def escape_control_characters(text: str) -> str:
    """Make text from outside safe to print: control characters except line breaks become escapes."""
    return "\n".join(map(one_line, text.split("\n")))


@define
class LineLimit:
    """Prints the first lines of a kind and drops the others.

    Attributes:
        notice: Printed in place of the first line that is dropped.
        limit: Lines to print.
        line_count: Lines so far, including dropped ones.
        period: Seconds after which as many are printed again; None for never.
    """

    _echo: Callable[[str], None]
    notice: str
    limit: int = 50
    line_count: int = 0
    period: float | None = None
    _period_start: float = field(init=False, factory=time.monotonic)

    def __call__(self, line: str) -> None:
        if self.period is not None and time.monotonic() - self._period_start >= self.period:
            self.line_count, self._period_start = 0, time.monotonic()
        self.line_count += 1
        if self.line_count <= self.limit:
            self._echo(line)
        elif self.line_count == self.limit + 1:
            self._echo(self.notice)


def _escaped(char: str) -> str:
    if ord(char) in _ESCAPED_BYTES:
        return f"\\x{ord(char) - 0xDC00:02x}"
    return char.encode("unicode_escape").decode()


def _is_plain(text: str) -> bool:
    return all(map(str.isprintable, text.split("\n")))


def _json_escaped(char: str) -> str:
    return char if char.isprintable() else json.dumps(char)[1:-1]


def _silence(stream: TextIO) -> None:
    """Send the rest of a stream to /dev/null, including what the interpreter flushes at exit."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, stream.fileno())
        finally:
            os.close(nowhere)
