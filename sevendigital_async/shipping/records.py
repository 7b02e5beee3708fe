"""The values that shipper, lanes and spools exchange."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from datetime import datetime

from attrs import define, field, frozen

from ..errors import InvalidArgumentError, SpoolInUseError
from ..models import LogKind, StreamLog

PARTNER_QUEUE = ""
"""The partner queue: plays signed by the partner, which may be sent together whatever their users."""

SequenceRuns = list[tuple[int, int]]
"""Sequence numbers as runs of (first, count)."""


@define(eq=False)
class Record:
    """One accepted play.

    Attributes:
        body: The play in its wire form.
        queue: The partition key (see ``user_of``), or ``PARTNER_QUEUE``; never a token.
        played_at: When it was played; timezone-aware.
        sequence: Its place in the order of acceptance.
        put_at: When it was put, in seconds on the spool's monotonic clock.
        in_doubt: It may have reached the service already.
        origin: The span in which it was put, for a tracer; durable spools don't store it.
    """

    body: bytes
    queue: str
    played_at: datetime
    sequence: int = 0
    put_at: float = 0.0
    in_doubt: bool = False
    origin: object = field(default=None, repr=False)


@frozen
class LastRequest:
    """A request and how it ended."""

    request_id: str
    outcome: str
    seconds: float = 0.0


@define(eq=False)
class Lease:
    """Records leased to a lane: one batch, one signer.

    Attributes:
        kind: Kind of the records.
        queue: Their queue.
        records: In order of acceptance.
        attempt: Failed attempts of this queue in a row, for the back-off.
        sending: The records of an intent that has no outcome yet.
        suspect: It was refused and may have been saved in part, so that released records may be doubled.
        key: The spool's own name for the lease.
        last_request: The last request that was sent for it; set by the lane.
        origin: The span of that request, for a tracer.
    """

    kind: LogKind
    queue: str
    records: tuple[Record, ...] = field(repr=False)
    attempt: int = 0
    sending: tuple[Record, ...] = field(default=(), repr=False)
    suspect: bool = False
    key: object = field(default=None, repr=False)
    last_request: LastRequest | None = None
    origin: object = field(default=None, repr=False)


@frozen
class Checkpoint:
    """How far a source has been read; stored together with the records that were read from it.

    Attributes:
        source: Its name.
        position: Where to continue, in a form that the reader chooses.
        after: The position that must be stored now, empty if none: if another one is, another shipper reads the same
            source, and nothing is accepted. None: do not check.
    """

    source: str
    position: str
    after: str | None = None

    def __attrs_post_init__(self) -> None:
        """Check that a spool can store the texts."""
        for name, text in (("source", self.source), ("position", self.position)):
            if not text.isascii() and text != text.encode(errors="replace").decode():
                raise InvalidArgumentError(
                    f"the {name} of a checkpoint can't be written as UTF-8: {text!a}", argument=name
                )

    def check(self, kept: str | None) -> None:
        """Check that no other shipper reads the same source.

        Raises:
            SpoolInUseError: ``kept``, the stored position, is not the one that this follows.
        """
        if self.after is not None and kept is not None and kept != self.after:
            raise self.conflict

    @property
    def conflict(self) -> SpoolInUseError:
        """The error of :meth:`check`."""
        return SpoolInUseError(f"another shipper reads {self.source} into this spool; stop one of them")


class InDoubtPolicy(enum.Enum):
    """What to do with records in doubt."""

    RESEND = "resend"
    HOLD = "hold"
    KEEP = "keep"
    """They stay in the lease: the same lane is about to send them again."""


@frozen
class Receipt:
    """Proof of one accepted request.

    Attributes:
        request_id: Our unique id of the request.
        delivered_at: When the response had been read.
        answer: Its status and the beginning of its body.
    """

    request_id: str
    delivered_at: datetime
    answer: str = ""


@frozen
class Delivery:
    """A batch that the service accepted; given to ``on_delivered``.

    Attributes:
        kind: Kind of the logs.
        user_id: The user who signed, or None.
        logs: In their wire form, one JSON object each.
        in_doubt: How many of them may have reached the service before.
        receipt: When and in which request.
    """

    kind: LogKind
    user_id: str | None
    logs: tuple[bytes, ...] = field(repr=False)
    in_doubt: int
    receipt: Receipt


@frozen
class DeadLetter:
    """A play that the shipper has given up; given to ``on_dead_letter``.

    Attributes:
        kind: Kind of the play.
        body: The play in its wire form.
        reason: Why it was buried, in the service's words where it gave any.
        code: The service's error code, if it gave one.
        buried_at: When.
        in_doubt: It may have reached the service all the same.
    """

    kind: LogKind
    body: bytes = field(repr=False)
    reason: str
    code: int | None
    buried_at: datetime
    in_doubt: bool

    @property
    def log(self) -> StreamLog:
        """The play as it was put."""
        return StreamLog.decode(self.body)


@frozen
class Counts:
    """Where the plays of one kind are; ``put`` is always the sum of the others but ``in_doubt``.

    Attributes:
        put: Accepted since the spool was made.
        delivered: Accepted by the service.
        waiting: To be sent.
        in_flight: Leased to a lane.
        buried: Dead letters, each with its reason.
        held: Dead letters that are in doubt: not sent again until an operator decides.
        in_doubt: Plays ever sent without a certain outcome, in whatever state they are now.
    """

    put: int = 0
    delivered: int = 0
    waiting: int = 0
    in_flight: int = 0
    buried: int = 0
    held: int = 0
    in_doubt: int = 0


@frozen(eq=False)
class StaleCounts(Counts):
    """The counts when the spool last answered, with what this process has put since."""


def size_of(records: Sequence[Record]) -> int:
    """Return the bytes of plays in their wire form."""
    return sum([len(record.body) for record in records])


def runs_of(records: Sequence[Record]) -> SequenceRuns:
    """Return the sequence numbers of records as runs."""
    runs: SequenceRuns = []
    if records and records[-1].sequence - records[0].sequence == len(records) - 1:
        return [(records[0].sequence, len(records))]  # nearly always
    for record in records:
        if runs and sum(runs[-1]) == record.sequence:
            runs[-1] = (runs[-1][0], runs[-1][1] + 1)
        else:
            runs.append((record.sequence, 1))
    return runs
