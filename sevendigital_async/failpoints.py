"""Failpoints: named places where a test kills the process, raises an error or waits.

A lane or a spool calls ``hit("before commit")`` where a crash would do most harm. A test sets ``on_hit`` to a function
that is called there. Outside tests a failpoint costs a comparison.
"""

from __future__ import annotations

from collections.abc import Callable

POINTS = (
    "before append",
    "after append",
    "before commit",
    "after commit",
    "before lease",
    "after lease",
    "before intent",
    "after intent",
    "headers sent",
    "body sent",
    "answer read",
    "before outcome",
    "after outcome",
    "before bury",
    "after bury",
    "before journal",
    "after journal",
    "before take-over",
    "after take-over",
)

on_hit: Callable[[str], None] | None = None
"""Called with every failpoint that is hit, in the thread that has hit it."""


def hit(point: str) -> None:
    """Pass one of ``POINTS``."""
    if on_hit is not None:
        on_hit(point)
