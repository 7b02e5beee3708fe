"""The report of a run: counts, exit code, and what to do next."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from attrs import asdict, astuple, field, frozen

from ...models import LogKind
from ...quantity import pluralize
from ...shipping import Counts
from ...sources import Lag, TopicLag
from ..output import ExitCode, TerminalText, highest_precedence, one_line
from ..tables import Table, wrap


@frozen
class RunCounts:
    """Counts of plays in a run; ``put + from_earlier_runs = delivered + waiting + buried + held``.

    Attributes:
        put: Accepted in this run.
        from_earlier_runs: Waiting or held at its start.
        delivered: Accepted by the service in this run.
        waiting: Not delivered at its end.
        buried: Refused for good, or expired, in this run.
        held: In doubt and held at its end.
        in_doubt: Came to be in doubt in this run, whatever their state is now.
    """

    put: int
    from_earlier_runs: int
    delivered: int
    waiting: int
    buried: int
    held: int
    in_doubt: int


def run_counts(before: Counts, now: Counts) -> RunCounts:
    return RunCounts(
        put=now.put - before.put,
        from_earlier_runs=before.waiting + before.in_flight + before.held,
        delivered=now.delivered - before.delivered,
        waiting=now.waiting + now.in_flight,
        buried=now.buried - before.buried,
        held=now.held,
        in_doubt=now.in_doubt - before.in_doubt,
    )


def sum_counts(counts: Iterable[RunCounts]) -> RunCounts:
    return RunCounts(*(sum(values) for values in zip(*map(astuple, counts), strict=True)))


@frozen
class SourceReport:
    """What was read of one of several sources.

    Attributes:
        name: Name of the source.
        lines: Lines, rows or messages that were read.
        put: Plays accepted for shipping.
        rejected: Records that are not plays.
        continue_at: Number of the first line that is not done; None if all are.
        unfinished_line: Number of the last line, if it has no line feed and is not a play.
    """

    name: str
    lines: int
    put: int
    rejected: int
    continue_at: int | None = None
    unfinished_line: int | None = None


@frozen
class StopReason:
    """Why a run stopped before its input was read and delivered."""

    reason: str
    code: ExitCode


MAX_SOURCE_NOTES = 10
"""Sources that were not read to their ends and are named."""


@frozen(kw_only=True)
class Report:
    """The result of a run; ``put + from_earlier_runs = delivered + waiting + buried + held``.

    Attributes:
        input: Name of the input.
        kind: Kind of the plays; None if the input gave their kinds.
        lines: Lines read, or messages.
        put: Plays accepted for shipping.
        from_earlier_runs: Plays that earlier runs had left in the spool, waiting or held.
        delivered: Accepted by the service.
        rejected: Lines that are not plays.
        buried: Plays that the service refused for good, or that became too old.
        in_doubt: Plays that were sent without a response, whatever their state is now.
        held: Plays in doubt that are not sent again on their own.
        waiting: Plays not delivered.
        requests: Requests sent.
        largest_batch: Plays in the largest of them.
        seconds: From the first byte read to the last response.
        continue_at: Number of the first line that is not done; None if all are, or if there are several sources.
        unfinished_line: Number of the last line, if it has no line feed and is not a play; else None.
        stop: Why the run stopped early, if it did.
        rejected_file: File of rejected lines and buried plays.
        unsent_file: File of plays that wait or are held.
        unsent: Number of plays in it.
        unsent_in_doubt: How many of those the service may have already; they come first.
        lost: Plays and lines that could not be written to any file.
        spool: Name of the spool; None for memory.
        from_line: The value of --from-line; None if the run started at the checkpoint.
        resumes: The next run starts at the checkpoint of this one.
        flushed: All plays that this run put or found in the spool were delivered, buried or held. Plays that wait were
            put later by other processes.
        other_kinds: Counts of plays of other kinds that earlier runs had left.
        kinds: Counts by kind, if this run put plays of several; their sums are the counts of the report.
        sources: What was read of each source, if there are several.
        lag: How far reading was behind at the end, of files that grow or of a topic.
        moved_partitions: Partitions of a topic that other workers had read since this spool's checkpoints.
    """

    input: str
    kind: LogKind | None
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
    stop: StopReason | None = None
    rejected_file: Path | None = None
    unsent_file: Path | None = None
    unsent: int = 0
    unsent_in_doubt: int = 0
    lost: int = 0
    from_earlier_runs: int = 0
    spool: str | None = None
    from_line: int | None = None
    resumes: bool = False
    flushed: bool = False
    other_kinds: Mapping[LogKind, RunCounts] = field(factory=dict)
    kinds: Mapping[LogKind, RunCounts] = field(factory=dict)
    sources: Sequence[SourceReport] = ()
    lag: Lag | TopicLag | None = None
    moved_partitions: int = 0

    @property
    def exit_code(self) -> ExitCode:
        others = self.other_kinds.values()
        waits = self._waiting or self.held or any(counts.held for counts in others)
        undelivered = bool(waits or self.unsent or self.continue_at or self._unread_sources)
        refused = self.rejected or self.buried or any(counts.buried for counts in others)
        return highest_precedence(
            [
                self.stop.code if self.stop else ExitCode.DONE,
                ExitCode.USAGE if self.lost else ExitCode.DONE,
                ExitCode.WAITING if undelivered else ExitCode.DONE,
                ExitCode.REJECTED if refused else ExitCode.DONE,
            ]
        )

    @property
    def _unread_sources(self) -> list[SourceReport]:
        """Of several sources, those that were not read to their ends."""
        return [source for source in self.sources if source.continue_at is not None]

    @property
    def _waiting(self) -> int:
        """Plays of this run or earlier ones that wait."""
        return 0 if self.flushed else self.waiting + sum(counts.waiting for counts in self.other_kinds.values())

    @property
    def reason(self) -> str | None:
        """Why the exit code is not 0; None if it is."""
        kinds: list[RunCounts | Report] = [self, *self.other_kinds.values()]
        held, buried = (sum(getattr(kind, name) for kind in kinds) for name in ("held", "buried"))
        facts = [
            (self.stop, self.stop and self.stop.reason),
            (self.lost, f"plays that could not be saved: {self.lost:,}"),
            (self.unfinished_line, f"line {self.unfinished_line} is incomplete"),
            (self._waiting, f"plays waiting: {self._waiting:,}"),
            (held, f"plays held: {held:,}"),
            (self.unsent, f"plays in {self.unsent_file}: {self.unsent:,}"),
            (self.continue_at and not self.unfinished_line, f"not read from line {self.continue_at} on"),
            (self._unread_sources, f"files not read to their ends: {len(self._unread_sources):,}"),
            (self.rejected, f"lines rejected: {self.rejected:,}"),
            (buried, f"plays buried: {buried:,}"),
        ]
        return "; ".join(str(text) for applies, text in facts if applies) if self.exit_code else None

    @property
    def rate(self) -> float:
        return self.delivered / self.seconds if self.seconds else 0.0

    def as_json(self) -> dict[str, Any]:
        return {
            **asdict(self, recurse=False),
            "other_kinds": {kind.value: asdict(counts) for kind, counts in self.other_kinds.items()},
            "kinds": {kind.value: asdict(counts) for kind, counts in self.kinds.items()},
            "sources": [asdict(source) for source in self.sources],
            "lag": self.lag.as_json() if self.lag else None,
            "seconds": round(self.seconds, 3),
            "logs_per_second": round(self.rate, 1),
            "stop": self.stop.reason if self.stop else None,
            "rejected_file": str(self.rejected_file) if self.rejected_file else None,
            "unsent_file": str(self.unsent_file) if self.unsent_file else None,
            "exit_code": int(self.exit_code),
            "reason": self.reason,
        }

    def as_text(self, stream: TextIO | None) -> TerminalText:
        rows = [
            self._row("lines read", "lines"),
            self._row("put"),
            *([self._row("left by earlier runs", "from_earlier_runs")] if self.from_earlier_runs else []),
            self._row("delivered"),
            self._row("rejected lines", "rejected"),
            self._row("buried"),
            self._row("in doubt", "in_doubt"),
            self._row("held"),
            self._row("waiting"),
            self._row("requests"),
            self._row("largest batch", "largest_batch"),
            (*self._row("seconds")[:-1], f"{self.seconds:.1f}"),
            (*self._row("logs/s", "seconds")[:-1], f"{self.rate:,.0f}"),
        ]
        last = f"{self.kind} plays" if self.kind else "all plays"
        shown = Table(("", *self.kinds, last), rows).render(stream)
        return TerminalText("\n".join([shown, *(wrap(one_line(note), stream) for note in self.notes())]))

    def _row(self, title: str, name: str | None = None) -> tuple[str, ...]:
        """Return a row: a count of each kind, where it is counted by kind, and the count of the run."""
        name = name or title
        by_kind = [f"{getattr(counts, name):,}" if hasattr(counts, name) else "" for counts in self.kinds.values()]
        return (title, *by_kind, f"{getattr(self, name):,}")

    def notes(self) -> list[str]:
        """Return where undelivered plays are, and what to do next."""
        notes = []
        if self.resumes and not (self.lines or self.continue_at or self._unread_sources):
            notes.append(f"no new lines in {self.input}")
        if self.rejected_file:
            whose = "rejected lines are" if self.spool else "rejected lines and buried plays are"
            notes.append(f"{whose} in {self.rejected_file}")
        if self.unsent_file:
            what = "lines that were read from the pipe and not put" if self.spool else "undelivered plays"
            notes.append(f"{self.unsent_file} has {self.unsent:,} {what}; ship it to send them")
        if self.unsent_in_doubt:
            notes.append(f"the first {self.unsent_in_doubt:,} of them are in doubt: the service may already have them")
        if self.lost:
            notes.append(f"{pluralize(self.lost)} not delivered and not saved: only in {self.input}")
        notes += self._notes_of_sources()
        if self.spool:
            notes += [*self._notes_of_other_kinds(), *self._notes_of_spool(shlex.quote(self.spool))]
        if self.unfinished_line:
            how = "run the same command again" if self.resumes else f"continue with --from-line {self.unfinished_line}"
            notes.append(
                f"line {self.unfinished_line}, the last one, has no line feed and is not a play;"
                f" {how} when it is complete"
            )
        elif self.continue_at and not self.resumes:
            notes.append(f"stopped after line {self.continue_at - 1}; continue with --from-line {self.continue_at}")
        elif self.continue_at:
            notes.append(f"stopped after line {self.continue_at - 1}; {self._continue_hint}")
        return notes

    def _notes_of_sources(self) -> list[str]:
        notes = [
            f"{source.name}: line {source.unfinished_line}, the last one, has no line feed and is not a play"
            if source.unfinished_line
            else f"{source.name}: {'stopped after line ' + str(source.continue_at - 1) if source.lines else 'not read'}"
            for source in self._unread_sources[:MAX_SOURCE_NOTES]
            if source.continue_at is not None
        ]
        if self._unread_sources and self.resumes:
            notes.append(self._continue_hint)
        if isinstance(self.lag, Lag) and self.lag.size:
            notes.append(f"not read yet: {pluralize(self.lag.size, 'byte')} of files that grow; {self._continue_hint}")
        if isinstance(self.lag, TopicLag) and self.lag.messages:
            notes.append(f"not read yet: {pluralize(self.lag.messages, 'message')} of the topic; {self._continue_hint}")
        if self.moved_partitions:
            notes.append(
                f"partitions that other workers had read before: {self.moved_partitions:,}; plays that such a worker"
                " put and did not commit may be there twice, unless all workers share one spool"
            )
        return notes

    @property
    def _continue_hint(self) -> str:
        return "run the same command again to continue" + (", without --from-line" if self.from_line else "")

    def _notes_of_other_kinds(self) -> list[str]:
        return [
            f"{kind} plays from earlier runs: {counts.from_earlier_runs:,}, of which {counts.delivered:,} delivered,"
            f" {counts.waiting:,} waiting, {counts.held:,} held, {counts.buried:,} buried"
            for kind, counts in self.other_kinds.items()
        ]

    def _notes_of_spool(self, spool: str) -> list[str]:
        all_counts: list[RunCounts | Report] = [self, *self.other_kinds.values()]
        waiting = self._waiting
        notes = []
        if waiting:
            how = "" if self.continue_at and self.resumes else f"; {self._continue_hint}"
            notes.append(f"waiting in {spool}: {pluralize(waiting)}{how}")
        if any(counts.held or counts.buried for counts in all_counts):
            notes.append(f"buried and held plays: sevendigital dead-letters list --spool {spool}")
        if self.exit_code is ExitCode.DONE:
            notes.append(
                f"everything was delivered; the journal is in {spool} (sevendigital journal export --spool {spool})"
            )
        return notes
