"""How a shipment ended: the numbers, the exit code, the words."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from attrs import asdict, field, frozen

from ...models import LogKind
from ...shipping import Counts
from ..output import ExitCode, Styled, one_line, weightiest
from .display import rendered, table


@frozen
class RunCounts:
    """What became of plays; ``put + left = delivered + waiting + buried + held``.

    Attributes:
        put: Accepted in this run.
        left: Waiting or held when it began.
        delivered: Accepted by the service in this run.
        waiting: Not delivered at its end.
        buried: Set aside for good in this run.
        held: In doubt at its end, waiting for a person.
        in_doubt: Found to be in doubt in this run, wherever they are now.
    """

    put: int
    left: int
    delivered: int
    waiting: int
    buried: int
    held: int
    in_doubt: int


def tally(before: Counts, now: Counts) -> RunCounts:
    """Compare the figures of a spool at the beginning and at the end of a run."""
    return RunCounts(
        put=now.put - before.put,
        left=before.waiting + before.in_flight + before.held,
        delivered=now.delivered - before.delivered,
        waiting=now.waiting + now.in_flight,
        buried=now.buried - before.buried,
        held=now.held,
        in_doubt=now.in_doubt - before.in_doubt,
    )


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
    """What is where at the end; ``put + left = delivered + waiting + buried + held``.

    Attributes:
        input: Name of the input.
        kind: Of the plays.
        lines: Lines read.
        put: Plays accepted for shipping.
        left: Plays that earlier runs had left in the spool, waiting or held.
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
        unfinished_line: Number of the last line, if it has no line feed and is not a play; it was not dealt with.
        stop: Why it ended early, if it did.
        rejected_file: Where rejected lines and buried plays are.
        unsent_file: Where plays that wait or are held are.
        unsent: How many are in it.
        unsent_in_doubt: How many of those the service may have already; they come first.
        lost: Plays and lines that could be kept nowhere.
        spool: Where plays are kept for the next run; None if they end with this one.
        begun_at: Number of the first line, as the command line has it; None if it was left to the checkpoint.
        resumes: The next run finds by itself where to go on.
        flushed: All plays that this run has put, or found in the spool, were delivered, buried or held. What waits was
            put by other workers since.
        others: Of plays of other kinds that earlier runs had left.
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
    unfinished_line: int | None = None
    stop: Stop | None = None
    rejected_file: Path | None = None
    unsent_file: Path | None = None
    unsent: int = 0
    unsent_in_doubt: int = 0
    lost: int = 0
    left: int = 0
    spool: str | None = None
    begun_at: int | None = None
    resumes: bool = False
    flushed: bool = False
    others: Mapping[LogKind, RunCounts] = field(factory=dict)

    @property
    def exit_code(self) -> ExitCode:
        """The code that the numbers and the reason for stopping demand."""
        others = self.others.values()
        waits = self._waiting or self.held or any(tally.held for tally in others)
        undelivered = bool(waits or self.unsent or self.continue_at)
        refused = self.rejected or self.buried or any(tally.buried for tally in others)
        return weightiest(
            [
                self.stop.code if self.stop else ExitCode.DONE,
                ExitCode.USAGE if self.lost else ExitCode.DONE,
                ExitCode.WAITING if undelivered else ExitCode.DONE,
                ExitCode.REJECTED if refused else ExitCode.DONE,
            ]
        )

    @property
    def _waiting(self) -> int:
        """Plays of this run, or of earlier ones, that are not delivered."""
        return 0 if self.flushed else self.waiting + sum(tally.waiting for tally in self.others.values())

    @property
    def reason(self) -> str | None:
        """Why the exit code is not zero; None if it is."""
        kinds: list[RunCounts | Report] = [self, *self.others.values()]
        held, buried = (sum(getattr(kind, name) for kind in kinds) for name in ("held", "buried"))
        facts = [
            (self.stop, self.stop and self.stop.reason),
            (self.lost, f"plays that could not be kept: {self.lost:,}"),
            (self.unfinished_line, f"line {self.unfinished_line} is not finished"),
            (self._waiting, f"plays waiting: {self._waiting:,}"),
            (held, f"plays held: {held:,}"),
            (self.unsent, f"plays in {self.unsent_file}: {self.unsent:,}"),
            (self.continue_at and not self.unfinished_line, f"not read from line {self.continue_at} on"),
            (self.rejected, f"lines rejected: {self.rejected:,}"),
            (buried, f"plays buried: {buried:,}"),
        ]
        return "; ".join(str(words) for holds, words in facts if holds) if self.exit_code else None

    @property
    def rate(self) -> float:
        """Plays delivered in a second."""
        return self.delivered / self.seconds if self.seconds else 0.0

    def as_json(self) -> dict[str, Any]:
        """Return the report as a tree."""
        return {
            **asdict(self, recurse=False),
            "others": {kind.value: asdict(tally) for kind, tally in self.others.items()},
            "seconds": round(self.seconds, 3),
            "logs_per_second": round(self.rate, 1),
            "stop": self.stop.reason if self.stop else None,
            "rejected_file": str(self.rejected_file) if self.rejected_file else None,
            "unsent_file": str(self.unsent_file) if self.unsent_file else None,
            "exit_code": int(self.exit_code),
            "reason": self.reason,
        }

    def as_text(self, stream: TextIO | None) -> Styled:
        """Return the report as a table, and what a person should know beyond it."""
        rows = [
            ("lines read", f"{self.lines:,}"),
            ("put", f"{self.put:,}"),
            *([("left by earlier runs", f"{self.left:,}")] if self.left else []),
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
        return Styled("\n".join([shown, *map(one_line, self.notes())]))

    def notes(self) -> list[str]:
        """Say where the rest is, and how to go on."""
        notes = []
        if self.resumes and not (self.lines or self.continue_at):
            notes.append(f"there were no new lines in {self.input}")
        if self.rejected_file:
            whose = "rejected lines are" if self.spool else "rejected lines and buried plays are"
            notes.append(f"{whose} in {self.rejected_file}")
        if self.unsent_file:
            what = "lines that were read from the pipe and not put" if self.spool else "undelivered plays"
            notes.append(f"{self.unsent:,} {what} are in {self.unsent_file}, ready to be shipped again")
        if self.unsent_in_doubt:
            notes.append(f"the first {self.unsent_in_doubt:,} of them are in doubt: the service may have them already")
        if self.lost:
            notes.append(f"{self.lost:,} plays are neither delivered nor kept; they are in {self.input} only")
        if self.spool:
            notes += [*self._notes_of_others(), *self._notes_of_spool(shlex.quote(self.spool))]
        if self.unfinished_line:
            how = "run the same command again" if self.resumes else f"go on with --from-line {self.unfinished_line}"
            notes.append(
                f"line {self.unfinished_line}, the last one, has no line feed and is not a play; {how} when it is whole"
            )
        elif self.continue_at and not self.resumes:
            notes.append(f"stopped after line {self.continue_at - 1}; continue with --from-line {self.continue_at}")
        elif self.continue_at:
            notes.append(f"stopped after line {self.continue_at - 1}; {self._again}")
        return notes

    @property
    def _again(self) -> str:
        return "run the same command again to go on" + (", without --from-line" if self.begun_at else "")

    def _notes_of_others(self) -> list[str]:
        return [
            f"of {tally.left:,} {kind} plays that earlier runs had left, {tally.delivered:,} were delivered,"
            f" {tally.waiting:,} wait, {tally.held:,} are held, {tally.buried:,} were buried"
            for kind, tally in self.others.items()
        ]

    def _notes_of_spool(self, spool: str) -> list[str]:
        tallies: list[RunCounts | Report] = [self, *self.others.values()]
        waiting = self._waiting
        notes = []
        if waiting:
            how = "" if self.continue_at and self.resumes else f"; {self._again}"
            notes.append(f"{waiting:,} plays wait in {spool}{how}")
        if any(tally.held or tally.buried for tally in tallies):
            notes.append(f"look at what was set aside with: sevendigital dead-letters list --spool {spool}")
        if self.exit_code is ExitCode.DONE:
            notes.append(f"everything is delivered; {spool} keeps the journal of it (sevendigital journal export)")
        return notes
