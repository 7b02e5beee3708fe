"""Plays from a Kafka topic: one JSON object a message."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from enum import Enum
from typing import Any

from ..errors import ConfigurationError, InvalidLogError, ShipperError
from ..models.stream_log import Window
from .base import Portion, ReadCheckpoint
from .bulk import plays_from_lines
from .dead_letter_topic import DeadLetterTopic
from .kafka_url import KafkaURL, error_text
from .lag import TopicLag
from .parsed_records import ParsedRecords
from .rows import Columns, Play, play_from_line

try:
    from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
    from aiokafka.errors import IllegalStateError, KafkaConnectionError, KafkaError
except ImportError as error:  # pragma: no cover - the extra is installed for the tests
    raise ConfigurationError("Kafka needs the extra kafka: pip install 'sevendigital-async[kafka]'") from error

__all__ = ["DeadLetterTopic", "KafkaSource", "KafkaURL"]

logger = logging.getLogger("sevendigital_async.sources")

MAX_MESSAGES = 500
"""Most messages of a portion."""

COMMIT_INTERVAL = 0.2
"""Seconds between two commits, at the least. What is put in between is doubled if a worker with its own spool dies."""

ANSWER_TIMEOUT = 5.0
"""Seconds for reading or writing committed offsets; without a coordinator aiokafka would retry for ever."""

CLOSE_TIMEOUT = 10.0
"""Seconds that leaving the group may take."""

REBALANCE_TIMEOUT = 30.0
"""Seconds for which the group waits for a member whose put takes long, before others get its partitions."""

REQUEST_TIMEOUT = REBALANCE_TIMEOUT + 10.0
"""Seconds; a request to join the group is answered when the rebalance has ended."""

MAX_FAILURES = 10
"""Consecutive failures after which the source gives up."""

RECONNECT_DELAY = 0.5
"""Seconds before the first try to connect again; each further wait is that much longer."""

KEEP_ALIVE_DELAY = 5.0
"""Seconds that a put may take before the partitions are paused and polled, so that the group keeps this member."""

MAX_HEARTBEAT_INTERVAL_MS = 3_000
"""Milliseconds."""


class Assignment(Enum):
    """What is known of the partitions that this worker reads."""

    NONE = "none"
    """There are none: the group is being rebalanced."""
    NEW = "new"
    """They were assigned; their starting offsets are not known yet."""
    READING = "reading"
    """They are read."""


class KafkaSource:
    """Plays in a topic, for any number of workers of one group.

    A partition is read from the checkpoint in the spool, or from the group's committed offset if that is further. An
    offset is committed after the spool has the plays. With a spool that all workers share each play gets into it
    exactly once. With a spool for each worker, plays are doubled if a worker dies between a put and the commit, or is
    frozen for longer than the session timeout, and its partition moves to another worker; ``moved_partitions``
    counts the partitions that came from another worker.

    Args:
        url: The topic; see :class:`KafkaURL`.
        columns: Wire name (or ``kind``) to the name of the field in a message; None for the wire names.

    Attributes:
        moved_partitions: Partitions that were assigned with plays put by another worker since this spool's checkpoint.
    """

    def __init__(self, url: str | KafkaURL, *, columns: Mapping[str, str] | None = None) -> None:
        self._url = url if isinstance(url, KafkaURL) else KafkaURL.parse(url)
        self._columns = Columns(columns).mapping
        self._consumer: AIOKafkaConsumer | None = None
        self._assignment = Assignment.NONE
        self._assignment_count = 0
        self._start_offsets: dict[TopicPartition, str | None] = {}
        self._end_offsets: dict[TopicPartition, int] = {}
        self._uncommitted: dict[TopicPartition, int] = {}
        self._committed_at = 0.0
        self._put_lock = asyncio.Lock()
        self._put_partition: TopicPartition | None = None
        self._checkpoint: ReadCheckpoint | None = None
        self._keep_alive_task: asyncio.Task[None] | None = None
        self._was_connected = False
        self._last_lag = TopicLag()
        self.moved_partitions: int = 0

    async def portions(self, checkpoint: ReadCheckpoint) -> AsyncGenerator[Portion, None]:
        """Yield messages as they come; ends only with an error.

        Raises:
            ConfigurationError: The brokers can't be reached, or keep refusing this worker.
        """
        failures = 0
        self._checkpoint = checkpoint
        while True:
            try:
                await self._connect()
                async for portion in self._messages(checkpoint):
                    failures = 0
                    yield portion
            except (KafkaError, TimeoutError) as error:
                failures += 1
                if failures > MAX_FAILURES or (isinstance(error, KafkaConnectionError) and not self._was_connected):
                    servers = ", ".join(self._url.servers)
                    raise ConfigurationError(f"Kafka at {servers} can't be used: {_reason(error)}") from None
                logger.warning("connecting to Kafka again: %s", _reason(error), extra={"event": "kafka-failed"})
                await self._disconnect()
                await asyncio.sleep(RECONNECT_DELAY * failures)

    async def _connect(self) -> None:
        url = self._url
        self._assignment = Assignment.NONE
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=list(url.servers),
            group_id=url.group,
            group_instance_id=url.group_instance_id,
            session_timeout_ms=url.session_timeout,
            heartbeat_interval_ms=min(MAX_HEARTBEAT_INTERVAL_MS, url.session_timeout // 4),
            rebalance_timeout_ms=int(REBALANCE_TIMEOUT * 1000),
            request_timeout_ms=int(REQUEST_TIMEOUT * 1000),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_poll_records=MAX_MESSAGES,
            **url.connection,
        )
        self._consumer.subscribe([url.topic], listener=_RebalanceListener(self))
        await self._consumer.start()
        self._was_connected = True

    async def _messages(self, checkpoint: ReadCheckpoint) -> AsyncGenerator[Portion, None]:
        assert self._consumer is not None
        while True:
            assignments, fetched_at = self._assignment_count, time.monotonic()
            batches = await self._consumer.getmany(timeout_ms=200, max_records=MAX_MESSAGES)
            if self._assignment is not Assignment.READING:
                # Messages that were fetched before have other offsets.
                for portion in await self._seek_to_start(checkpoint):
                    await self._put_lock.acquire()
                    self._begin_put(_partition(portion))
                    yield portion
                continue
            for partition, messages in batches.items():
                await self._put_lock.acquire()  # released by `confirm`, or when the consumer is closed
                if self._assignment_count != assignments or self._is_stale(fetched_at):
                    self._put_lock.release()
                    self._reset_positions()
                    break
                self._begin_put(partition)
                yield self._portion(partition, messages)
            await self._commit_if_due()

    def _begin_put(self, partition: TopicPartition) -> None:
        self._put_partition = partition
        self._keep_alive_task = asyncio.create_task(self._keep_membership())

    async def _end_put(self) -> None:
        await self._stop_keep_alive()
        self._put_partition = None
        self._put_lock.release()

    def _reset_positions(self) -> None:
        """Drop fetched messages, and look up the starting offsets of the partitions again."""
        if self._assignment is Assignment.READING:
            self._assignment = Assignment.NEW

    def _is_stale(self, fetched_at: float) -> bool:
        """Return whether the group may have dropped this worker since, because the process did not run."""
        return time.monotonic() - fetched_at > self._url.session_timeout / 1000

    async def _seek_to_start(self, checkpoint: ReadCheckpoint) -> list[Portion]:
        """Seek the assigned partitions to their starting offsets; return portions that store new ones."""
        assert self._consumer is not None
        consumer, assignments = self._consumer, self._assignment_count
        partitions = sorted(consumer.assignment())
        if self._assignment is Assignment.NONE or not partitions:
            return []
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT):
                committed = {partition: await consumer.committed(partition) for partition in partitions}
                beginnings = await consumer.beginning_offsets(partitions)
                self._end_offsets = await consumer.end_offsets(partitions)
            new: list[Portion] = []
            for partition in partitions:
                kept = await checkpoint(_stream_name(partition))
                start = self._starting_offset(partition, kept, committed[partition])
                if start is None:
                    start = beginnings[partition]
                    stream, label = _stream_name(partition), _label(partition)
                    new.append(Portion(stream, str(start), None, [], label, []))
                elif start < beginnings[partition]:
                    logger.error(
                        "partition %s: Kafka has removed %d messages before they were read",
                        *(_label(partition), beginnings[partition] - start),
                        extra={"event": "messages-removed", "partition": partition.partition},
                    )
                self._uncommitted[partition] = start
                consumer.seek(partition, start)
            # Other workers see in it where this one begins. It fails if the group has dropped this worker meanwhile.
            if not await self._commit() or self._assignment_count != assignments:
                return []
        except IllegalStateError:  # the partitions were revoked meanwhile
            return []
        self._assignment = Assignment.READING
        return new

    def _starting_offset(self, partition: TopicPartition, kept: str | None, committed: int | None) -> int | None:
        """Return the offset from which a partition is read; None if no worker has read it before."""
        before = self._start_offsets.get(partition)
        self._start_offsets[partition] = kept
        if committed is None or committed <= int(kept or -1):
            return None if kept is None else int(kept)
        self._start_offsets[partition] = str(committed)
        if before != str(committed):
            # Committed messages are in a spool, possibly in that of another worker.
            self.moved_partitions += 1
            logger.info(
                "partition %s continues at offset %d, where another worker stopped",
                *(_label(partition), committed),
                extra={"event": "partition-moved", "partition": partition.partition},
            )
        return committed

    async def _disconnect(self) -> None:
        if (partition := self._put_partition) is not None:
            await self._recover_interrupted_put(partition)
            await self._end_put()
        if self._consumer is not None:
            await self._commit()
            consumer, self._consumer = self._consumer, None
            await _stop_consumer(consumer)

    async def _recover_interrupted_put(self, partition: TopicPartition) -> None:
        """Ask the spool whether it has a portion whose put was interrupted: a cancellation may come after that."""
        assert self._checkpoint is not None
        with suppress(ShipperError, TimeoutError):
            async with asyncio.timeout(ANSWER_TIMEOUT):
                kept = await self._checkpoint(_stream_name(partition))
            if kept is not None and partition in self._start_offsets:
                self._uncommitted[partition] = max(int(kept), int(self._start_offsets[partition] or 0))

    async def confirm(self, portion: Portion) -> None:
        """Note that a portion's offset may be committed."""
        partition = _partition(portion)
        self._start_offsets[partition] = portion.position
        self._uncommitted[partition] = int(portion.position)
        await self._end_put()

    async def superseded(self, portion: Portion) -> None:
        """Drop a portion of a partition that another worker reads now: read on from the checkpoint."""
        logger.warning("partition %s is read by another worker now", portion.label, extra={"event": "partition-lost"})
        self._reset_positions()
        self._assignment_count += 1
        await self._end_put()

    async def aclose(self) -> None:
        """Commit what was confirmed, and leave the group."""
        self._last_lag = self.lag()
        await self._disconnect()

    def lag(self) -> TopicLag:
        """Return how far the assigned partitions are behind, or were when this was closed."""
        consumer = self._consumer
        if consumer is None:
            return self._last_lag
        behind = {}
        for partition in sorted(consumer.assignment()):
            start = self._start_offsets.get(partition)
            if start is not None:
                end = max(self._end_offsets.get(partition, 0), consumer.highwater(partition) or 0)
                behind[partition.partition] = max(0, end - int(start))
        return TopicLag(behind)

    def _portion(self, partition: TopicPartition, messages: Sequence[Any]) -> Portion:
        window = Window.at(datetime.now(UTC))
        label = _label(partition)
        values = [message.value for message in messages]
        parsed = ParsedRecords(size=sum(len(value or b"") for value in values))
        parsed.add_records(
            label,
            [message.offset for message in messages],
            values,
            parse_block=lambda block: None if None in block else plays_from_lines(block, window, self._columns),
            parse_record=lambda value: self._play(value, window),
            raw_bytes=lambda value: value or b"",
        )
        position = str(messages[-1].offset + 1)
        start = self._start_offsets.get(partition)
        return Portion(
            _stream_name(partition),
            position,
            start,
            parsed.logs,
            label,
            parsed.numbers,
            parsed.kinds,
            parsed.bad,
            parsed.size,
        )

    def _play(self, value: bytes | None, window: Window) -> Play:
        if value is None:
            raise InvalidLogError("the message has no value")
        return play_from_line(value, window, self._columns)

    # -- partitions come and go --

    def on_assigned(self) -> None:
        """Note that there are other partitions to read."""
        self._assignment_count += 1
        self._assignment = Assignment.NEW
        self._uncommitted.clear()

    async def on_revoked(self) -> None:
        """Wait for the put under way, and commit it, before the partitions go to other workers."""
        self._assignment_count += 1
        async with self._put_lock:
            await self._commit()
            self._assignment = Assignment.NONE

    async def _commit_if_due(self) -> None:
        if time.monotonic() - self._committed_at >= COMMIT_INTERVAL:
            await self._commit()

    async def _commit(self) -> bool:
        """Commit what was put, and return whether the group has accepted it."""
        self._committed_at = time.monotonic()
        consumer = self._consumer
        if consumer is None:
            return False
        assigned = consumer.assignment()
        offsets = {partition: offset for partition, offset in self._uncommitted.items() if partition in assigned}
        self._uncommitted = {}
        try:
            if offsets:
                async with asyncio.timeout(ANSWER_TIMEOUT):
                    await consumer.commit(offsets)
        except (KafkaError, TimeoutError) as error:
            self._uncommitted = offsets | self._uncommitted
            logger.info("could not commit offsets: %s", _reason(error), extra={"event": "commit-failed"})
            return False
        return True

    async def _keep_membership(self) -> None:
        """Stay a member of the group while a put takes long, for example because the spool is full."""
        assert self._consumer is not None
        await asyncio.sleep(KEEP_ALIVE_DELAY)
        while True:
            with suppress(KafkaError):  # it is raised again where messages are fetched
                partitions = self._consumer.assignment()
                self._consumer.pause(*partitions)
                for partition, messages in (await self._consumer.getmany(timeout_ms=0)).items():
                    self._consumer.seek(partition, messages[0].offset)  # it was assigned in this moment
                self._end_offsets |= await self._consumer.end_offsets(partitions)
            await asyncio.sleep(1.0)

    async def _stop_keep_alive(self) -> None:
        holding, self._keep_alive_task = self._keep_alive_task, None
        if holding is not None:
            holding.cancel()
            await asyncio.wait([holding])  # which raises only if this task is cancelled
            if self._consumer is not None and (paused := self._consumer.paused()):
                self._consumer.resume(*paused)


class _RebalanceListener(ConsumerRebalanceListener):  # type: ignore[misc]
    def __init__(self, source: KafkaSource) -> None:
        self._source = source

    async def on_partitions_revoked(self, _revoked: Iterable[TopicPartition]) -> None:
        await self._source.on_revoked()

    async def on_partitions_assigned(self, _assigned: Iterable[TopicPartition]) -> None:
        self._source.on_assigned()


async def _stop_consumer(consumer: AIOKafkaConsumer) -> None:
    """Leave the group and close the connections.

    aiokafka first waits for the end of a rebalance, which takes as long as the slowest member. If that is too long, the
    connections are closed at once: its request to join then fails, and none of the consumer's tasks keeps running.
    """
    stopping = asyncio.create_task(consumer.stop())
    try:
        await asyncio.wait([stopping], timeout=CLOSE_TIMEOUT)
    finally:
        if not stopping.done():
            await consumer._client.close()  # noqa: SLF001 - `stop` has no timeout
            await asyncio.wait([stopping], timeout=1.0)
            stopping.cancel()
            await asyncio.wait([stopping])
        # A connection may have been opened meanwhile.
        await consumer._client.close()  # noqa: SLF001 - as above
    if not stopping.cancelled() and (error := stopping.exception()) is not None:
        logger.info("could not leave the group: %s", _reason(error), extra={"event": "leave-failed"})


def _stream_name(partition: TopicPartition) -> str:
    return f"kafka:{partition.topic}:{partition.partition}"


def _partition(portion: Portion) -> TopicPartition:
    _, topic, number = portion.stream.split(":")
    return TopicPartition(topic, int(number))


def _label(partition: TopicPartition) -> str:
    return f"{partition.topic}:{partition.partition}"


def _reason(error: BaseException) -> str:
    return error_text(error) or "no answer in time"
