"""Failpoints: named places where a test kills the process, raises an error or waits.

A lane or a spool calls ``hit("before commit")`` at each point where a crash matters. A test sets ``on_hit`` to a
function that is called there. Without a test, a failpoint costs one comparison.
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
"""Called with every failpoint that is hit, in the same thread."""


def hit(point: str) -> None:
    """Hit one of ``POINTS``."""
    if on_hit is not None:
        on_hit(point)
