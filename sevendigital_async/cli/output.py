"""Lines for people, on standard output and standard error."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TextIO

from attrs import define


def forgive_odd_characters() -> None:
    """Write what a stream's encoding lacks as escapes: a file's odd name must not end a run."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def say(text: str, stream: TextIO | None = None) -> None:
    """Write lines to standard output, or another stream, at once.

    A reader that has left silences the stream and changes nothing else: output is never worth a play.
    """
    stream = stream or sys.stdout
    if stream is None:  # the process was started without it
        return
    try:
        stream.write(text + "\n")
        stream.flush()
    except BrokenPipeError:
        _hush(stream)
    except (OSError, ValueError) as error:
        _hush(stream)
        if stream is sys.stdout:
            complain(f"cannot write to standard output: {error}")


def complain(text: str) -> None:
    """Write a message of the command itself to standard error."""
    if sys.stderr is not None:
        say(f"sevendigital: {one_line(text)}", sys.stderr)


def one_line(text: str) -> str:
    """Make text from outside safe to print: line breaks and control characters as escapes."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


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


def _hush(stream: TextIO) -> None:
    """Let the rest of a stream go nowhere, also what the interpreter flushes at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        with suppress(OSError, ValueError):
            os.dup2(nowhere, stream.fileno())
    finally:
        os.close(nowhere)
