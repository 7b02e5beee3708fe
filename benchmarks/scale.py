"""How much is measured."""

from __future__ import annotations

import enum


class Scale(enum.StrEnum):
    """How much time a run may take; every job has its own sizes for each."""

    FULL = "full"
    QUICK = "quick"
    """All jobs in under two minutes."""
    SMALLEST = "smallest"
    """Proves in seconds that everything still runs; its figures mean nothing."""
