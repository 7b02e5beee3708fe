"""Writes docs/errors.md from the exception classes: ``python -m tools.error_tree``."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path

from sevendigital_async import SevenDigitalError, errors

PAGE = Path(__file__).parents[1] / "docs" / "errors.md"

INTRODUCTION = """\
# Errors

Every exception that the package raises, and what each means. This page is made from the classes by
`python -m tools.error_tree`; a test keeps it up to date. All of them can be imported from `sevendigital_async`, and one
`except SevenDigitalError` catches them all. Some are built-in exceptions as well; those are named in parentheses.

`error.maybe_sent` is true if the service may have received and carried out the request. No message, repr or attribute
contains a secret, a token or a signature.

"""


def page() -> str:
    """Return the page's text."""
    return INTRODUCTION + "".join(f"{line}\n" for line in lines(SevenDigitalError))


def lines(error: type[Exception], depth: int = 0) -> Iterator[str]:
    """Return the lines of a class and of the classes below it."""
    summary = (inspect.getdoc(error) or "").split("\n\n")[0].replace("\n", " ").replace("``", "`")
    builtin = [base.__name__ for base in error.__bases__ if base.__module__ == "builtins" and base is not Exception]
    also = f" ({', '.join(builtin)})" if builtin else ""
    yield f"{'  ' * depth}- `{error.__name__}`{also}: {summary}"
    for child in error.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from lines(child, depth + 1)


if __name__ == "__main__":
    PAGE.write_text(page())
