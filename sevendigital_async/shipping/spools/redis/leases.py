"""The leases of one worker. Each step of a lease has a number and is taken once, and never after a take-over."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from attrs import define, field

from ....clock import EPOCH, to_microseconds
from ....errors import LeaseLostError
from ....models import LogKind
from ....quantity import pluralize
from ....redis_connection import RedisUnavailableError
from ...records import InDoubtPolicy, Lease, Record
from ...rules import LaneRules
from . import scripts
from .chunk_lists import lease_arguments, records_of, runs_text
from .client import SpoolClient, to_milliseconds

ABANDON_TIMEOUT = 0.1
"""Seconds that Redis has to abandon a lease when a lane ends."""

LOST_STATUSES = frozenset({b"gone", b"missing"})
"""Answers to a step if Redis has lost the plays: with the whole spool, or with their list."""


@define(eq=False)
class RedisLeaseState:
    """What this worker knows of one of its leases; ``unsettled`` are its records without an outcome, in order."""

    token: str
    spool_id: str
    unsettled: dict[Record, None] = field(repr=False)
    step: int = 0
    request: str = ""


class RedisLeases:
    """The leases that this worker holds.

    Args:
        client: Of the spool.
        lease_seconds: How long a lease is kept without a heartbeat.
        on_settled: Called after every step with the kind, and with the logs and bytes that the spool holds.

    Attributes:
        orphans: Tokens of leases that may exist although nothing here works on them.
        ready_kinds: Kinds of which another batch was ready when the last one was leased.
    """

    def __init__(
        self, client: SpoolClient, lease_seconds: float, on_settled: Callable[[LogKind, int, int], None]
    ) -> None:
        self.orphans: set[str] = set()
        self.ready_kinds: set[LogKind] = set()
        self._client = client
        self._lease_ms = to_milliseconds(lease_seconds)
        self._on_settled = on_settled
        self._leases: dict[str, Lease] = {}

    @property
    def tokens(self) -> Iterable[str]:
        return self._leases.keys()

    async def lease(self, kind: LogKind, rules: LaneRules, *, flush: bool) -> Lease | None:
        token, spool_id = uuid.uuid4().hex, self._client.id
        try:
            answer = await self._client.run_once(
                scripts.LEASE,
                expected_spool=spool_id,
                kind=kind.value,
                flush=flush,
                token=token,
                max_logs=rules.max_count,
                max_bytes=rules.max_bytes,
                lease_ms=self._lease_ms,
            )
        except BaseException as error:
            # The lease may exist all the same; nothing has been done with it.
            self.orphans.add(token)
            if isinstance(error, RedisUnavailableError):
                return None
            raise
        if answer[0] == b"lost":
            self._client.report_losses(answer[1] if each is kind else 0 for each in LogKind)
        if answer[0] != b"lease":
            return None
        if answer[3]:
            self.ready_kinds.add(kind)
        user = answer[1].decode()
        records = [record for chunk in answer[4:] for record in records_of(chunk, user)]
        state = RedisLeaseState(token, spool_id, dict.fromkeys(records))
        lease = Lease(kind, user, tuple(records), answer[2], key=state)
        self._leases[token] = lease
        return lease

    async def intent(self, lease: Lease, records: Sequence[Record], request_id: str) -> None:
        """Note what is about to be sent.

        Raises:
            LeaseLostError: Another worker has taken over, or a cancelled put has withdrawn plays.
        """
        state = self._state_of(lease)
        state.step += 1
        loop = asyncio.get_running_loop()
        while True:
            asked_at = loop.time()
            answer = await self._client.run_until_answered(
                scripts.INTENT,
                expected_spool=state.spool_id,
                token=state.token,
                step=state.step,
                lease_ms=self._lease_ms,
                request=request_id,
                suspect=lease.suspect,
                sending=runs_text(records),
            )
            if answer[0] == b"gone":
                await self._adopt(lease)
            elif answer[0] == b"lost":
                raise self._lost(lease)
            elif answer[0] == b"withdrawn":
                await self._abandon_withdrawn(lease, state)
                del self._leases[state.token]
                raise LeaseLostError("a cancelled put has withdrawn plays of this batch; its other plays wait again")
            elif loop.time() - asked_at < self._lease_ms / 2000:
                break  # else this process was stalled after it had asked, and must ask again
        lease.sending = tuple(records)
        state.request = request_id

    async def settle(
        self,
        lease: Lease,
        records: Sequence[Record],
        transition: str,
        *,
        delay: float = 0.0,
        count_attempt: bool = False,
        request: str = "",
        answer: str = "",
        at: datetime = EPOCH,
        reasons: Sequence[tuple[str, int | str]] = (),
    ) -> None:
        """Settle records of a lease.

        Args:
            lease: Whose they are.
            records: The records.
            transition: ``ack``, ``release``, ``bury``, or the value of a policy for plays in doubt.
            delay: Seconds before their queue may be leased again.
            count_attempt: Count a failed attempt.
            request: Id of the request; that of the intent if left out.
            answer: Of the service.
            at: When it was read, or when they were buried.
            reasons: Reason and code of each record that is buried.

        Raises:
            LeaseLostError: Another worker has taken over, and settled them.
        """
        if not records:
            return
        state = self._state_of(lease)
        state.step += 1
        while True:
            outcome = await self._client.run_until_answered(
                scripts.SETTLE,
                expected_spool=state.spool_id,
                token=state.token,
                step=state.step,
                transition=transition,
                delay_ms=to_milliseconds(delay),
                count_attempt=count_attempt,
                request=request,
                answer=answer,
                at=to_microseconds(at),
                plays=runs_text(records),
                reasons=[part for r, texts in zip(records, reasons, strict=False) for part in (r.sequence, *texts)],
            )
            if outcome[0] not in LOST_STATUSES:
                break
            await self._adopt(lease)
        if outcome[0] == b"lost":
            raise self._lost(lease)
        if transition != "keep":
            for record in records:
                del state.unsettled[record]
            lease.sending = tuple([record for record in lease.sending if record in state.unsettled])
            if not state.unsettled:
                del self._leases[state.token]
        self._on_settled(lease.kind, outcome[1], outcome[2])

    async def abandon(self, lease: Lease, policy: InDoubtPolicy) -> None:
        """Settle what is left of a lease; while Redis is unavailable, that is left to the next heartbeat."""
        state = lease.key
        if not isinstance(state, RedisLeaseState) or self._leases.get(state.token) is not lease:
            return
        token = state.token
        if self._client.is_unavailable:
            self.orphans.add(token)
            del self._leases[token]
            return
        try:
            async with asyncio.timeout(ABANDON_TIMEOUT):
                while True:
                    answer = await self._client.run_once(
                        scripts.ABANDON,
                        expected_spool=state.spool_id,
                        in_doubt_policy=policy.value,
                        has_plays=True,
                        tokens=[token],
                    )
                    if answer[0] not in LOST_STATUSES:
                        break
                    await self._adopt(lease)
            for record in state.unsettled if lease.suspect else lease.sending:
                record.in_doubt = True
            self._on_settled(lease.kind, answer[1], answer[2])
        except RedisUnavailableError:
            self.orphans.add(token)
        except TimeoutError:
            self._client.report_timeout()
            self.orphans.add(token)
        finally:
            self._leases.pop(token, None)

    async def _abandon_withdrawn(self, lease: Lease, state: RedisLeaseState) -> None:
        while True:
            answer = await self._client.run_until_answered(
                scripts.ABANDON,
                expected_spool=state.spool_id,
                in_doubt_policy=InDoubtPolicy.RESEND.value,
                has_plays=True,
                tokens=[state.token],
            )
            if answer[0] not in LOST_STATUSES:
                return
            await self._adopt(lease)

    async def _adopt(self, lease: Lease) -> None:
        """Put the plays of a lease back into a spool that has lost them."""
        state = self._state_of(lease)
        records = list(state.unsettled)
        spool_id = self._client.id
        answer = await self._client.run_until_answered(
            scripts.ADOPT,
            expected_spool=spool_id,
            token=state.token,
            kind=lease.kind.value,
            user=lease.queue,
            step=state.step - 1,
            is_sending=bool(lease.sending),
            suspect=lease.suspect,
            request=state.request,
            lease_ms=self._lease_ms,
            plays=lease_arguments(records),
        )
        if answer[0] == b"ok":
            state.spool_id = spool_id
            if answer[1] >= 0:
                for sequence, record in enumerate(records, answer[1]):
                    record.sequence = sequence
            self._client.report_losses(answer[2] if kind is lease.kind else 0 for kind in LogKind)

    def _state_of(self, lease: Lease) -> RedisLeaseState:
        state = lease.key
        assert isinstance(state, RedisLeaseState)
        if state.token not in self._leases:
            raise self._lost(lease)
        return state

    def _lost(self, lease: Lease) -> LeaseLostError:
        if isinstance(lease.key, RedisLeaseState):
            self._leases.pop(lease.key.token, None)
        return LeaseLostError(
            f"another worker has taken over {pluralize(len(lease.records))}: this one had missed its heartbeat"
        )
