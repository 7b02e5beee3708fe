"""The values that pass between shipper, lanes and spools."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from datetime import datetime

from attrs import define, field, frozen

from ..errors import InvalidArgumentError, SpoolInUseError
from ..models import LogKind, StreamLog

PARTNER_QUEUE = ""
"""The queue of plays that the partner signs; they may travel together, whoever played."""


@define(eq=False)
class Record:
    """One accepted play.

    Attributes:
        body: The play as it goes over the wire.
        queue: What the records of a batch have in common (see ``user_of``), or ``SHARED``; never a token.
        played_at: When it was played; timezone-aware.
        sequence: Order of acceptance, given by a durable spool.
        put_at: Seconds on the spool's monotonic clock.
        in_doubt: It may have reached the service already.
    """

    body: bytes
    queue: str
    played_at: datetime
    sequence: int = 0
    put_at: float = 0.0
    in_doubt: bool = False


@frozen
class LastRequest:
    """A request and how it ended.

    Attributes:
        request_id: Ours; empty if none was sent.
        outcome: How it ended, in one word.
        seconds: From sending to the end of the answer.
    """

    request_id: str
    outcome: str
    seconds: float = 0.0


@define(eq=False)
class Lease:
    """Records handed to a lane: one batch, one signer.

    Attributes:
        kind: Of the records.
        queue: Whose records these are.
        records: In order of acceptance.
        attempt: How often this queue's head has failed in a row, for the back-off.
        sending: The records of an intent that has no outcome yet.
        suspect: It was refused and a part may have been saved, so that what goes back may be doubled.
        key: The spool's own name for the lease.
        exchange: The last request that was made for it, as far as it has come; the lane's own note.
    """

    kind: LogKind
    queue: str
    records: tuple[Record, ...] = field(repr=False)
    attempt: int = 0
    sending: tuple[Record, ...] = field(default=(), repr=False)
    suspect: bool = False
    key: object = field(default=None, repr=False)
    last_request: LastRequest | None = None


@frozen
class Checkpoint:
    """How far a source has been read; kept together with the records that were read from it.

    Attributes:
        source: Its name.
        position: Where to go on, in the reader's own terms.
        after: The position that was kept before, empty if none was: if another one is kept, somebody else is reading
            the same source, and nothing is accepted. None: whatever was kept.
    """

    source: str
    position: str
    after: str | None = None

    def __attrs_post_init__(self) -> None:
        """Refuse what no spool can keep."""
        for name, text in (("source", self.source), ("position", self.position)):
            if not text.isascii() and text != text.encode(errors="replace").decode():
                raise InvalidArgumentError(
                    f"the {name} of a checkpoint can't be written as UTF-8: {text!a}", argument=name
                )

    def check(self, kept: str | None) -> None:
        """See that nobody else has read on.

        Raises:
            SpoolInUseError: Somebody has; ``kept`` is not what this follows.
        """
        if self.after is not None and kept is not None and kept != self.after:
            raise self.conflict

    @property
    def conflict(self) -> SpoolInUseError:
        """What is raised if somebody has read on."""
        return SpoolInUseError(f"{self.source} is being read into this spool by another shipper; let only one do that")


class InDoubtPolicy(enum.Enum):
    """What becomes of records whose delivery nobody can vouch for."""

    RESEND = "resend"
    HOLD = "hold"
    KEEP = "keep"
    """Stay in the lease: they are about to be sent again by the same lane."""


@frozen
class Receipt:
    """Proof of one accepted request.

    Attributes:
        request_id: Ours, unique to the request.
        delivered_at: When the answer had been read.
        answer: Its status and the beginning of its body.
    """

    request_id: str
    delivered_at: datetime
    answer: str = ""


@frozen
class Delivery:
    """A batch that the service accepted; given to ``on_delivered``.

    Attributes:
        kind: Of the logs.
        user_id: Who signed beside the partner, or None.
        logs: As they went over the wire, one JSON object each.
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
    """A play that was set aside for good; given to ``on_dead_letter``.

    Attributes:
        kind: Of the play.
        body: The play as it went over the wire.
        reason: Why, in the service's words where it gave any.
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
        buried: Set aside for good, each with its reason.
        held: In doubt, waiting for a person.
        in_doubt: How many were ever sent without a certain outcome, wherever they are now.
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
    """Where plays were when the spool could last be asked, with what this process has put since."""


def size_of(records: Sequence[Record]) -> int:
    """Return the bytes of plays, as they go over the wire."""
    return sum([len(record.body) for record in records])
