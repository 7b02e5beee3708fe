"""How a shipment ended: the numbers, the exit code, the words."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TextIO

from attrs import asdict, frozen

from ..models import LogKind
from .display import rendered, table
from .exits import ExitCode, weightiest


@frozen
class Stop:
    """Why a shipment ended before its input was read and delivered.

    Attributes:
        reason: For people.
        code: What it means for the exit code; ``DONE`` if nothing by itself.
    """

    reason: str
    code: ExitCode


@frozen(kw_only=True)
class Report:
    """What is where at the end; ``put = delivered + waiting + buried + held``.

    Attributes:
        input: Name of the input.
        kind: Of the plays.
        lines: Lines read.
        put: Plays accepted for shipping.
        delivered: Accepted by the service.
        rejected: Lines that are no plays.
        buried: Plays that the service refused for good, or that grew too old.
        in_doubt: Plays that were ever sent without a certain outcome, wherever they are now.
        held: Plays in doubt that wait for a person.
        waiting: Plays not delivered.
        requests: Requests sent.
        largest_batch: Plays in the largest of them.
        seconds: From the first byte read to the last answer.
        continue_at: Number of the first line that was not dealt with; None if all were.
        stop: Why it ended early, if it did.
        rejected_file: Where rejected lines and buried plays are.
        unsent_file: Where plays that wait or are held are.
        unsent: How many are in it.
        unsent_in_doubt: How many of those the service may have already; they come first.
        lost: Plays and lines that could be kept nowhere.
    """

    input: str
    kind: LogKind
    lines: int
    put: int
    delivered: int
    rejected: int
    buried: int
    in_doubt: int
    held: int
    waiting: int
    requests: int
    largest_batch: int
    seconds: float
    continue_at: int | None = None
    stop: Stop | None = None
    rejected_file: Path | None = None
    unsent_file: Path | None = None
    unsent: int = 0
    unsent_in_doubt: int = 0
    lost: int = 0

    @property
    def exit_code(self) -> ExitCode:
        """The code that the numbers and the reason for stopping demand."""
        undelivered = bool(self.waiting or self.held or self.unsent or self.continue_at)
        return weightiest(
            [
                self.stop.code if self.stop else ExitCode.DONE,
                ExitCode.USAGE if self.lost else ExitCode.DONE,
                ExitCode.WAITING if undelivered else ExitCode.DONE,
                ExitCode.REJECTED if self.rejected or self.buried else ExitCode.DONE,
            ]
        )

    @property
    def rate(self) -> float:
        """Plays delivered in a second."""
        return self.delivered / self.seconds if self.seconds else 0.0

    def as_json(self) -> dict[str, Any]:
        """Return the report as a tree."""
        return {
            **asdict(self, recurse=False),
            "seconds": round(self.seconds, 3),
            "logs_per_second": round(self.rate, 1),
            "stop": self.stop.reason if self.stop else None,
            "rejected_file": str(self.rejected_file) if self.rejected_file else None,
            "unsent_file": str(self.unsent_file) if self.unsent_file else None,
            "exit_code": int(self.exit_code),
        }

    def as_text(self, stream: TextIO | None) -> str:
        """Return the report as a table, and what a person should know beyond it."""
        rows = [
            ("lines read", f"{self.lines:,}"),
            ("put", f"{self.put:,}"),
            ("delivered", f"{self.delivered:,}"),
            ("rejected lines", f"{self.rejected:,}"),
            ("buried", f"{self.buried:,}"),
            ("in doubt", f"{self.in_doubt:,}"),
            ("held", f"{self.held:,}"),
            ("waiting", f"{self.waiting:,}"),
            ("requests", f"{self.requests:,}"),
            ("largest batch", f"{self.largest_batch:,}"),
            ("seconds", f"{self.seconds:.1f}"),
            ("logs/s", f"{self.rate:,.0f}"),
        ]
        shown = rendered(table(("", f"{self.kind.value} plays"), rows), stream)
        return "\n".join([shown, *self.notes()])

    def notes(self) -> list[str]:
        """Say where the rest is, and how to go on."""
        notes = []
        if self.rejected_file:
            notes.append(f"rejected lines and buried plays are in {self.rejected_file}")
        if self.unsent_file:
            notes.append(f"{self.unsent:,} undelivered plays are in {self.unsent_file}, ready to be shipped again")
        if self.unsent_in_doubt:
            notes.append(f"the first {self.unsent_in_doubt:,} of them are in doubt: the service may have them already")
        if self.lost:
            notes.append(f"{self.lost:,} plays are neither delivered nor kept; they are in {self.input} only")
        if self.continue_at:
            notes.append(f"stopped after line {self.continue_at - 1}; continue with --from-line {self.continue_at}")
        return notes
