"""Named places where a process may die: in tests, nowhere else.

A lane or a spool says ``reached("before commit")`` where dying would be most awkward, and a test that has put a
function into ``on_hit`` kills the process there, or raises, or waits. Without one, it costs a comparison.
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
"""Hears of every point as it is reached, in the thread that has reached it."""


def hit(point: str) -> None:
    """Say that one of ``POINTS`` has been reached."""
    if on_hit is not None:
        on_hit(point)
