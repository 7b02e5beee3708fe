"""Plays from a Kafka topic: one JSON object a message."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from attrs import field, frozen

from ..errors import ConfigurationError, InvalidLogError
from ..models.stream_log import Window
from .base import BadRecord, Portion, ReadCheckpoint
from .rows import Columns, play_of_line

try:
    from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
    from aiokafka.errors import IllegalStateError, KafkaConnectionError, KafkaError
    from aiokafka.helpers import create_ssl_context
except ImportError as error:  # pragma: no cover - the extra is installed for the tests
    raise ConfigurationError("Kafka needs the extra kafka: pip install 'sevendigital-async[kafka]'") from error

logger = logging.getLogger("sevendigital_async.sources")

MAX_MESSAGES = 500
"""Most messages of a portion."""

COMMIT_INTERVAL = 1.0
"""Seconds between two commits, at the least; more often would cost a round trip each."""

COMMIT_TIMEOUT = 5.0
"""Seconds that a commit may take; without a coordinator aiokafka would retry for ever."""

CLOSE_TIMEOUT = 10.0
"""Seconds that leaving the group may take."""

MAX_FAILURES = 10
"""Consecutive failures after which the source gives up."""

RECONNECT_AFTER = 0.5
"""Seconds before the first try to connect again; each further wait is that much longer."""

HOLD_AFTER = 5.0
"""Seconds that a put may take before the partitions are paused and polled, so that the group keeps this member."""

SECURE_OPTIONS = {"security_protocol", "sasl_mechanism", "client_id", "group_instance_id"}
OPTIONS = {"group", "cafile", "certfile", "keyfile", *SECURE_OPTIONS}


@frozen
class KafkaURL:
    """Where a topic is: ``kafka://[user:password@]host:port[,host:port]/topic?group=plays``.

    Options: ``group`` (needed), ``security_protocol``, ``sasl_mechanism``, ``client_id``, ``group_instance_id``,
    ``cafile``, ``certfile``, ``keyfile``.

    Attributes:
        servers: Host and port of some brokers.
        topic: The topic.
        group: The consumer group.
        connection: Arguments of aiokafka's clients.
    """

    servers: Sequence[str]
    topic: str
    group: str
    connection: Mapping[str, Any] = field(factory=dict, repr=False)

    @classmethod
    def parse(cls, url: str) -> KafkaURL:
        """Read a URL.

        Raises:
            ConfigurationError: It is not of this form; the message has no password.
        """
        try:
            parts = urlsplit(url)
            options = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
        except ValueError:
            raise ConfigurationError(f"not a Kafka URL; use {EXAMPLE}") from None
        credentials, _, hosts = parts.netloc.rpartition("@")
        topic, group = parts.path.strip("/"), options.pop("group", "")
        if parts.scheme.lower() != "kafka" or not hosts or not topic or "/" in topic or not group:
            raise ConfigurationError(f"a Kafka URL needs brokers, a topic and a group: {EXAMPLE}")
        if unknown := options.keys() - OPTIONS:
            raise ConfigurationError(
                f"unknown option {min(unknown)!r} in a Kafka URL; known are {', '.join(sorted(OPTIONS))}"
            )
        return cls(hosts.split(","), unquote(topic), group, _connection(credentials, options))


EXAMPLE = "kafka://broker:9092/topic?group=plays"


def _connection(credentials: str, options: dict[str, str]) -> dict[str, Any]:
    files = {name: options.pop(name) for name in ("cafile", "certfile", "keyfile") if name in options}
    connection: dict[str, Any] = dict(options)
    user, _, password = credentials.partition(":")
    if user:
        connection["sasl_plain_username"], connection["sasl_plain_password"] = unquote(user), unquote(password)
        connection.setdefault("sasl_mechanism", "PLAIN")
    is_secure = bool(files) or "SSL" in connection.get("security_protocol", "").upper()
    if "security_protocol" not in connection:
        prefix = "SASL_" if user else ""
        connection["security_protocol"] = f"{prefix}{'SSL' if is_secure else 'PLAINTEXT'}"
    if is_secure:
        try:
            connection["ssl_context"] = create_ssl_context(**files)
        except OSError as error:
            raise ConfigurationError(f"the TLS files of Kafka can't be read: {error.strerror or error}") from None
    return connection


class KafkaSource:
    """Plays in a topic, for any number of workers of one group.

    A partition is read from the checkpoint in the spool, or from the group's committed offset if that is further. An
    offset is committed after the spool has the plays. With a spool that all workers share each play gets into it
    exactly once. With a spool for each worker, plays are doubled if a worker dies between a put and the commit, and its
    partition moves to another worker; ``moved`` counts the partitions that came from another worker.

    Args:
        url: The topic; see :class:`KafkaURL`.
        columns: Wire name (or ``kind``) to the name of the field in a message; None for the wire names.

    Attributes:
        moved: Partitions that were assigned with plays put by another worker since this spool's checkpoint.
    """

    def __init__(self, url: str | KafkaURL, *, columns: Mapping[str, str] | None = None) -> None:
        self._url = url if isinstance(url, KafkaURL) else KafkaURL.parse(url)
        self._columns = Columns(columns).mapping
        self._consumer: AIOKafkaConsumer | None = None
        self._starts: dict[TopicPartition, str | None] = {}
        self._uncommitted: dict[TopicPartition, int] = {}
        self._assignments = 0
        self._putting = asyncio.Lock()
        self._holding: asyncio.Task[None] | None = None
        self._committed_at = 0.0
        self._was_connected = False
        self.moved = 0

    async def portions(self, checkpoint: ReadCheckpoint) -> AsyncGenerator[Portion, None]:
        """Yield messages as they come; ends only with an error.

        Raises:
            ConfigurationError: The brokers can't be reached, or keep refusing this worker.
        """
        failures = 0
        while True:
            try:
                await self._connect(checkpoint)
                async for portion in self._messages():
                    failures = 0
                    yield portion
            except KafkaError as error:
                failures += 1
                if failures > MAX_FAILURES or (isinstance(error, KafkaConnectionError) and not self._was_connected):
                    servers = ", ".join(self._url.servers)
                    raise ConfigurationError(f"Kafka at {servers} can't be used: {_one_line(error)}") from None
                logger.warning("connecting to Kafka again: %s", _one_line(error), extra={"event": "kafka-failed"})
                await self._disconnect()
                await asyncio.sleep(RECONNECT_AFTER * failures)

    async def _connect(self, checkpoint: ReadCheckpoint) -> None:
        url = self._url
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=list(url.servers),
            group_id=url.group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_poll_records=MAX_MESSAGES,
            **url.connection,
        )
        self._consumer.subscribe([url.topic], listener=_RebalanceListener(self, self._consumer, checkpoint))
        await self._consumer.start()
        self._was_connected = True

    async def _messages(self) -> AsyncGenerator[Portion, None]:
        assert self._consumer is not None
        while True:
            assignments = self._assignments
            batches = await self._consumer.getmany(timeout_ms=200, max_records=MAX_MESSAGES)
            for partition, messages in batches.items():
                await self._putting.acquire()  # released by `confirm`, or when the consumer is closed
                if self._assignments != assignments:
                    self._putting.release()
                    # They were fetched before a rebalance or at its end, which can't be distinguished.
                    await self._rewind(batches)
                    break
                self._holding = asyncio.create_task(self._hold())
                yield self._portion(partition, messages)
            await self._commit_sometimes()

    async def _rewind(self, partitions: Iterable[TopicPartition]) -> None:
        """Move back to the last positions, so that what was fetched and not put is fetched again by its owner."""
        assert self._consumer is not None
        for partition in self._consumer.assignment().intersection(partitions):
            if (start := self._starts.get(partition)) is not None:
                self._consumer.seek(partition, int(start))
            else:
                await self._consumer.seek_to_beginning(partition)

    async def _disconnect(self) -> None:
        await self._stop_holding()
        if self._putting.locked():
            self._putting.release()
        consumer = self._consumer
        if consumer is not None:
            await self._commit()
            self._consumer = None
            with suppress(KafkaError, TimeoutError):
                async with asyncio.timeout(CLOSE_TIMEOUT):
                    await consumer.stop()

    async def confirm(self, portion: Portion) -> None:
        """Note that a portion's offset may be committed."""
        await self._stop_holding()
        partition = TopicPartition(self._url.topic, int(portion.stream.rpartition(":")[2]))
        self._starts[partition] = portion.position
        self._uncommitted[partition] = int(portion.position)
        self._putting.release()

    async def aclose(self) -> None:
        """Commit what was confirmed, and leave the group."""
        await self._disconnect()

    def _portion(self, partition: TopicPartition, messages: Sequence[Any]) -> Portion:
        window = Window.at(datetime.now(UTC))
        label = f"{partition.topic}:{partition.partition}"
        logs, numbers, kinds, bad, size = [], [], [], [], 0
        for message in messages:
            data = message.value
            size += len(data or b"")
            try:
                if data is None:
                    raise InvalidLogError("the message has no value")  # noqa: TRY301 - as for any other bad message
                play = play_of_line(data, window, self._columns)
            except InvalidLogError as error:
                bad.append(BadRecord(f"{label}:{message.offset}", data or b"", str(error)))
            else:
                logs.append(play.log)
                numbers.append(message.offset)
                kinds.append(play.kind)
        position = str(messages[-1].offset + 1)
        start = self._starts.get(partition)
        return Portion(_stream(partition), position, start, logs, label, numbers, kinds, bad, size)

    # -- partitions come and go --

    async def on_assigned(
        self, consumer: AIOKafkaConsumer, partitions: Iterable[TopicPartition], checkpoint: ReadCheckpoint
    ) -> None:
        """Move to the checkpoints of partitions."""
        self._assignments += 1
        self._uncommitted.clear()
        for partition in partitions:
            kept = await checkpoint(_stream(partition))
            committed = await consumer.committed(partition)
            self._starts[partition] = kept
            if committed is not None and committed > int(kept or -1):
                # Committed messages are in a spool, possibly another worker's.
                self.moved += 1
                logger.info(
                    "partition %s:%d continues at offset %d, where another worker stopped",
                    *(partition.topic, partition.partition, committed),
                    extra={"event": "partition-moved", "partition": partition.partition},
                )
                self._starts[partition] = str(committed)
                consumer.seek(partition, committed)
            elif kept is not None:
                consumer.seek(partition, int(kept))

    async def on_revoked(self) -> None:
        """Wait for the put under way, and commit it, before the partitions go to other workers."""
        self._assignments += 1
        async with self._putting:
            await self._commit()

    async def _commit_sometimes(self) -> None:
        if time.monotonic() - self._committed_at >= COMMIT_INTERVAL:
            await self._commit()

    async def _commit(self) -> None:
        self._committed_at = time.monotonic()
        consumer = self._consumer
        if consumer is None:
            return
        assigned = consumer.assignment()
        offsets = {partition: offset for partition, offset in self._uncommitted.items() if partition in assigned}
        self._uncommitted = {}
        try:
            if offsets:
                async with asyncio.timeout(COMMIT_TIMEOUT):
                    await consumer.commit(offsets)
        except (KafkaError, IllegalStateError, TimeoutError) as error:
            self._uncommitted = offsets | self._uncommitted
            logger.info("offsets were not committed: %s", _one_line(error), extra={"event": "commit-failed"})

    async def _hold(self) -> None:
        """Stay a member of the group while a put takes long, for example because the spool is full."""
        assert self._consumer is not None
        await asyncio.sleep(HOLD_AFTER)
        while True:
            self._consumer.pause(*self._consumer.assignment())
            for partition, messages in (await self._consumer.getmany(timeout_ms=0)).items():
                self._consumer.seek(partition, messages[0].offset)  # it has just been assigned
            await asyncio.sleep(1.0)

    async def _stop_holding(self) -> None:
        holding, self._holding = self._holding, None
        if holding is not None:
            holding.cancel()
            with suppress(asyncio.CancelledError, KafkaError):
                await asyncio.shield(holding)
            if self._consumer is not None and (paused := self._consumer.paused()):
                self._consumer.resume(*paused)


class _RebalanceListener(ConsumerRebalanceListener):  # type: ignore[misc]
    def __init__(self, source: KafkaSource, consumer: AIOKafkaConsumer, checkpoint: ReadCheckpoint) -> None:
        self._source = source
        self._consumer = consumer
        self._checkpoint = checkpoint

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        if revoked:
            await self._source.on_revoked()

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        await self._source.on_assigned(self._consumer, assigned, self._checkpoint)


class DeadLetterTopic:
    """Sends records that are not plays to a topic; pass it as ``on_bad_records``.

    The message has the record's bytes, and headers ``place`` and ``reason``.

    Args:
        url: URL of the source; the same brokers are used.
        topic: Where the records go.
    """

    def __init__(self, url: str | KafkaURL, topic: str) -> None:
        self._url = url if isinstance(url, KafkaURL) else KafkaURL.parse(url)
        self._topic = topic
        self._producer: AIOKafkaProducer | None = None

    async def __call__(self, records: Sequence[BadRecord]) -> None:
        """Send records, and wait until the brokers have them.

        Raises:
            ConfigurationError: They can't be sent; the checkpoint then stays before them.
        """
        try:
            if self._producer is None:
                servers = list(self._url.servers)
                self._producer = AIOKafkaProducer(bootstrap_servers=servers, acks="all", **self._url.connection)
                await self._producer.start()
            for record in records:
                headers = [("place", record.place.encode()), ("reason", record.reason.encode())]
                await self._producer.send_and_wait(self._topic, record.data, headers=headers)
        except KafkaError as error:
            raise ConfigurationError(f"bad messages can't be sent to topic {self._topic}: {error}") from None

    async def aclose(self) -> None:
        """Close the connection."""
        if self._producer is not None:
            await self._producer.stop()


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _stream(partition: TopicPartition) -> str:
    return f"kafka:{partition.topic}:{partition.partition}"
