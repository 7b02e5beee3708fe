"""Text for people and for programs, on standard output and standard error."""

from __future__ import annotations

import enum
import io
import json
import math
import os
import re
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, TextIO

import orjson
import typer
from attrs import define

from ..errors import ConfigurationError
from ..models import LogKind
from ..models.scalars import parse_datetime
from ..shipping.spools.inspector import SpoolInspector
from ..shipping.spools.registry import open_inspector


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


UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)(ms|s|m)?")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, None: 1.0}
LONGEST = timedelta(days=1)
_AGO = re.compile(r"(\d{1,6})([mhdw])")


def moment(text: str | None, option: str, now: datetime | None = None) -> datetime | None:
    """Read a date, a date and time, or how long ago; UTC unless it says otherwise.

    Args:
        text: Such as ``2026-11-01``, ``2026-11-01T08:30+01:00`` or ``7d``; None stays None.
        option: For the message.
        now: The current time; for tests.

    Raises:
        ConfigurationError: It is none of these.
    """
    if text is None:
        return None
    try:
        if ago := _AGO.fullmatch(text):
            return (now or datetime.now(UTC)) - timedelta(**{UNITS[ago[2]]: int(ago[1])})
        read = parse_datetime(text)
        return (read if read.tzinfo else read.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ConfigurationError(
            f"{option}: {text!r} is no moment; write 2026-11-01, 2026-11-01T08:30+01:00, or 7d for a week ago"
            " (m, h, d, w)"
        ) from None


def duration(text: str, option: str) -> timedelta:
    """Read a length of time of up to a day, such as ``500ms``, ``1.5s`` or ``2m``; a mere number is seconds.

    Args:
        text: As it was typed.
        option: For the message.

    Raises:
        ConfigurationError: It is none of these.
    """
    read = _DURATION.fullmatch(text)
    length = timedelta(seconds=float(read[1]) * _SECONDS[read[2]]) if read else None
    if length is None or length > LONGEST:
        raise ConfigurationError(f"{option}: {text!r} is no length of time up to a day; write 500ms, 1.5s or 2m")
    return length


SpoolOption = Annotated[
    str, typer.Option("--spool", metavar="SPOOL", help="The spool: a file such as plays.jsonl.spool, or redis://...")
]
KindOption = Annotated[LogKind | None, typer.Option("--kind", help="Only plays of this kind.")]
SinceOption = Annotated[
    str | None,
    typer.Option("--since", metavar="WHEN", help="From then on: 2026-11-01, with a time if need be, or 7d (days ago)."),
]
UntilOption = Annotated[str | None, typer.Option("--until", metavar="WHEN", help="Before then.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")]


def check_place(place: str) -> str:
    """Return the name of a spool, if it can be one at all.

    Raises:
        ConfigurationError: It is a file name that no file can have: too long, with a NUL, or links in a circle.
    """
    if "://" not in place:
        try:
            Path(place).resolve().exists()
        except (OSError, ValueError, RuntimeError) as error:
            words = error.strerror if isinstance(error, OSError) else str(error)
            raise ConfigurationError(f"cannot use {one_line(place)} as a spool: {words}") from None
    return place


def finite(value: float) -> float:
    """Refuse what is no number of anything.

    Raises:
        typer.BadParameter: It is NaN or infinite.
    """
    if not math.isfinite(value):
        raise typer.BadParameter(f"{value} is not a finite number")
    return value


class Opened:
    """An archive for the length of a block.

    Args:
        spool: Its name.

    Raises:
        ConfigurationError: There can be none.
    """

    def __init__(self, spool: str) -> None:
        self._archive = open_inspector(check_place(spool))

    async def __aenter__(self) -> SpoolInspector:
        """Begin."""
        return self._archive

    async def __aexit__(self, *_: object) -> None:
        """Let go of it."""
        await self._archive.aclose()


_CANNOT_WRITE = "cannot write to standard output"
_SURROGATE = re.compile("[\ud800-\udfff]")
_BYTE = range(0xDC80, 0xDD00)
"""What stands for the bytes of a file name that is not UTF-8."""


class Styled(str):
    """Text whose control sequences are ours: it is written as it is."""

    __slots__ = ()


def tolerate_unencodable() -> None:
    """Write what a stream's encoding lacks as escapes: a file's odd name must not end a run."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


class StandardOutput:
    """Standard output for the length of a command: the one place where its troubles are noticed.

    A reader that has left silences it and changes nothing else, for output is never worth a play.

    Args:
        stream: What is there; None if it is closed.

    Attributes:
        reader_left: Nobody sees what is written.
        failure: Why something was not written, once that has happened; nothing is written after it.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream
        self.reader_left = False
        self.failure: OutputError | None = None if stream is not None else OutputError(f"{_CANNOT_WRITE}: it is closed")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def isatty(self) -> bool:
        """Tell whether it is a terminal."""
        return self._stream is not None and self._stream.isatty()

    def write(self, text: str) -> int:
        """Write text.

        Raises:
            OutputError: It can't be written.
        """
        if text != "":  # nothing at all fails, too, where the disk is full
            self._attempt(lambda stream: stream.write(text))
        return len(text)

    def write_bytes(self, data: bytes) -> None:
        """Write bytes at once, behind the text that was written before.

        Raises:
            OutputError: They can't be written.
        """

        def write(stream: TextIO) -> None:
            stream.flush()
            if hasattr(stream, "buffer"):
                stream.buffer.write(data)
                stream.buffer.flush()
            else:
                stream.write(data.decode(errors="backslashreplace"))

        self._attempt(write)

    def flush(self) -> None:
        """Write what is kept back.

        Raises:
            OutputError: It can't be written.
        """
        self._attempt(lambda stream: stream.flush())

    def _attempt(self, write: Callable[[TextIO], object]) -> None:
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


def say(text: str, stream: TextIO | None = None) -> None:
    """Write lines to standard output, or another stream, at once; control characters are written as escapes.

    Trouble with any other stream than standard output silences it.

    Raises:
        OutputError: Standard output can't be written.
    """
    stream = stream or sys.stdout
    if stream is None:
        return
    try:
        stream.write((text if isinstance(text, Styled) else visible(text)) + "\n")
        stream.flush()
    except (OSError, ValueError):
        _silence(stream)


def say_json(value: object, *, default: Callable[[Any], Any] | None = None, indent: bool = False) -> None:
    """Write a value to standard output as JSON: ASCII controls, C1 controls and bidirectional marks are escaped.

    Raises:
        OutputError: As for :func:`say`.
    """
    say(Styled(as_json(value, default=default, indent=indent)))


def as_json(value: object, *, default: Callable[[Any], Any] | None = None, indent: bool = False) -> str:
    """Return a value as JSON that is safe to show on a terminal."""
    try:
        text = orjson.dumps(value, default=default, option=orjson.OPT_INDENT_2 if indent else None).decode()
    except TypeError:
        # A file name that is not UTF-8, or a number beyond 64 bits.
        text = json.dumps(value, default=default, indent=2 if indent else None, ensure_ascii=False)
        text = _SURROGATE.sub(lambda found: _escaped(found[0]).replace("\\", "\\\\"), text)
    return text if _is_plain(text) else "".join(c if c == "\n" else _json_escaped(c) for c in text)


def say_bytes(data: bytes) -> None:
    """Write an answer to standard output as it came, or with escapes if that is a terminal.

    Raises:
        OutputError: As for :func:`say`.
    """
    data = data.rstrip(b"\n")
    if sys.stdout is not None and sys.stdout.isatty():
        say(data.decode(errors="backslashreplace"))
    else:
        write_bytes(data + b"\n")


def write_bytes(data: bytes) -> bool:
    """Write bytes to standard output as they are, at once; False if nobody reads them any more.

    Raises:
        OutputError: As for :func:`say`.
    """
    stdout = sys.stdout if isinstance(sys.stdout, StandardOutput) else StandardOutput(sys.stdout)
    stdout.write_bytes(data)
    return not stdout.reader_left


def say_error(text: str) -> None:
    """Write lines to standard error."""
    if sys.stderr is not None:
        say(text, sys.stderr)


def complain(text: str) -> None:
    """Write a message of the command itself to standard error."""
    say_error(f"sevendigital: {one_line(text)}")


def one_line(text: str) -> str:
    """Make text from outside safe to print on one line: line breaks and control characters as escapes."""
    return text if text.isprintable() else "".join(char if char.isprintable() else _escaped(char) for char in text)


def visible(text: str) -> str:
    """Make text from outside safe to print: control characters as escapes, but for line breaks."""
    return "\n".join(map(one_line, text.split("\n")))


@define
class FirstFew:
    """Passes on the first lines of a sort and drops the others, for a million of them help nobody.

    Attributes:
        more: What to say in place of the first line that is dropped.
        limit: Lines passed on.
        seen: Lines so far, dropped ones included.
    """

    _say: Callable[[str], None]
    more: str
    limit: int = 50
    seen: int = 0

    def __call__(self, line: str) -> None:
        """Take one line."""
        self.seen += 1
        if self.seen <= self.limit:
            self._say(line)
        elif self.seen == self.limit + 1:
            self._say(self.more)


def _escaped(char: str) -> str:
    if ord(char) in _BYTE:
        return f"\\x{ord(char) - 0xDC00:02x}"
    return char.encode("unicode_escape").decode()


def _is_plain(text: str) -> bool:
    return all(map(str.isprintable, text.split("\n")))


def _json_escaped(char: str) -> str:
    return char if char.isprintable() else json.dumps(char)[1:-1]


def _silence(stream: TextIO) -> None:
    """Let the rest of a stream go nowhere, also what the interpreter flushes at its end."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, stream.fileno())
        finally:
            os.close(nowhere)
