"""Plays out of somebody else's CSV, whatever they call the columns."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from ..errors import ConfigurationError
from .columns import KEY, PLAY, Column, plain

DELIMITERS = ",;\t|"


class TheirRows:
    """A CSV file, read a row at a time.

    Args:
        name: Of the file: UTF-8, with a line of headers.

    Attributes:
        columns: Facts about plays that it has.
        ignored: Headers of columns that say nothing about plays.

    Raises:
        ConfigurationError: It cannot be read, or has no columns that tell one play from another.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        try:
            self._file: IO[str] = Path(name).open(encoding="utf-8-sig", newline="")  # noqa: SIM115 - closed by __exit__
        except (OSError, ValueError) as error:
            raise self._unreadable(error) from None
        try:
            self._begin()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the file, unless a thread may still wait for what somebody writes to it."""
        if error is None or isinstance(error, Exception):
            self._file.close()

    def __iter__(self) -> Iterator[tuple[int, list[str]]]:
        """Give the number of each row, as a spreadsheet has it, and its values of ``columns``.

        Raises:
            ConfigurationError: It cannot be read on.
        """
        number = 1
        try:
            for row in self._rows:
                number += 1
                if any(row):
                    yield number, [row[place] if place < len(row) else "" for place in self._places]
        except (OSError, ValueError, csv.Error) as error:
            raise self._unreadable(error, number + 1) from None

    def _begin(self) -> None:
        try:
            first = self._file.readline()
            delimiter = max(DELIMITERS, key=first.count)
            headers = next(csv.reader([first], delimiter=delimiter), [])
            self._rows = csv.reader(self._file, delimiter=delimiter)
        except (OSError, ValueError, csv.Error) as error:
            raise self._unreadable(error) from None
        found = [(place, column) for place, header in enumerate(headers) if (column := _column(header))]
        self.columns: Sequence[Column] = [column for _, column in found]
        self._places = [place for place, _ in found]
        self.ignored = [header for header in headers if not _column(header)]
        names = [column.header for column in self.columns]
        if twice := [name for name in names if names.count(name) > 1]:
            raise ConfigurationError(f"{self._name} has more than one column for {twice[0]}")
        if not KEY.intersection(names) - {"KIND"}:
            needed = ", ".join(column.header for column in PLAY if column.header in KEY - {"KIND"})
            raise ConfigurationError(f"{self._name} needs a line of headers with some of {needed} in it")

    def _unreadable(self, error: Exception, row: int | None = None) -> ConfigurationError:
        match error:
            case UnicodeDecodeError():
                reason = "it is not UTF-8"
            case OSError():
                reason = str(error.strerror)
            case _:
                reason = str(error)
        where = "" if row is None else f", row {row}"
        return ConfigurationError(f"cannot read {self._name}{where}: {reason}")


def _column(header: str) -> Column | None:
    return next((column for column in PLAY if plain(header) in column.names), None)
