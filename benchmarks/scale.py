"""The sizes of a run."""

from __future__ import annotations

import enum


class Scale(enum.StrEnum):
    """The size of a run; every job defines its own figures for each."""

    FULL = "full"
    QUICK = "quick"
    """All jobs in a few minutes."""
    SMALLEST = "smallest"
    """All jobs within seconds; the figures mean nothing."""
