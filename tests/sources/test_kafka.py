"""A Kafka topic: every message is put once, whatever happens to the workers of the group."""

import asyncio
import contextlib
import gc
import random
import warnings
from collections import Counter
from datetime import UTC, datetime

import orjson
import pytest
from support.kafka_cluster import followers_sync_first, open_cluster

from sevendigital_async import ConfigurationError, LogKind
from sevendigital_async.sources import Ingestion
from sevendigital_async.sources import kafka as kafka_module
from sevendigital_async.sources.kafka import DeadLetterTopic, KafkaSource, KafkaURL

KIND = LogKind.PREVIEW
NOW = datetime.now(UTC).isoformat()
PARTITIONS = 4


@pytest.fixture(scope="module")
def cluster():
    with open_cluster() as cluster:
        yield cluster


@pytest.fixture(autouse=True)
def balanced(monkeypatch):
    followers_sync_first(monkeypatch)


@pytest.fixture(autouse=True)
def collected():
    """A connection that aiokafka was opening when it was stopped may stay open; it must not fail another test."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture
def topic(request, cluster):
    name = request.node.name
    cluster.create(name, PARTITIONS)
    return name


def message(number, **more):
    return orjson.dumps({"trackId": str(number), "timestamp": NOW, **more})


def produce(cluster, topic, numbers):
    for number in numbers:
        cluster.produce(topic, message(number), partition=number % PARTITIONS)
    cluster.producer.flush(50)


async def until(condition):
    async with asyncio.timeout(50):
        while not condition():
            await asyncio.sleep(0.01)


class Sink:
    """Keeps track ids and checkpoints, as a spool does that outlives the process."""

    def __init__(self):
        self.tracks, self.positions, self.waiting = [], {}, 0
        self.open = asyncio.Event()
        self.open.set()

    async def put_many(self, kind, logs, *, checkpoint=None):
        await asyncio.sleep(0.002)
        self.waiting += 1
        await self.open.wait()
        self.waiting -= 1
        checkpoint.check(self.positions.get(checkpoint.source))
        self.tracks += [int(orjson.loads(log.encode())["trackId"]) for log in logs]
        self.positions[checkpoint.source] = checkpoint.position
        return len(logs)

    async def position(self, source):
        return self.positions.get(source)

    async def has(self, number):
        async with asyncio.timeout(60):
            while len(self.tracks) < number:
                await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def worker(cluster, topic, sink, group="", **options):
    source = KafkaSource(cluster.url(topic, f"{topic}{group}"))
    task = asyncio.create_task(Ingestion(source, sink, kind=KIND, **options).run())
    source.task = task
    try:
        yield source
        if task.done():
            task.result()
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_messages_are_put_once_and_a_restart_resumes_at_the_checkpoint(cluster, topic):
    sink = Sink()
    produce(cluster, topic, range(100))
    async with worker(cluster, topic, sink):
        await sink.has(100)
    produce(cluster, topic, range(100, 150))
    # Another group has committed nothing, so that only the checkpoints in the spool count.
    async with worker(cluster, topic, sink, "-of-others") as source:
        await sink.has(150)
        assert source.moved_partitions == 0
    assert Counter(sink.tracks) == Counter(range(150))
    assert sum(int(position) for position in sink.positions.values()) == 150
    assert [number for number in sink.tracks if number % PARTITIONS == 1] == list(range(1, 150, 4))


async def test_bad_messages_go_to_a_topic_with_their_places(cluster, topic):
    sink = Sink()
    cluster.produce(topic, b"nonsense", partition=2)
    cluster.produce(topic, message(1, kind="subscriber"), partition=2)
    cluster.produce(topic, None, partition=2)
    cluster.producer.flush(50)
    dead_letters = DeadLetterTopic(cluster.url(topic), f"{topic}-dead")
    async with worker(cluster, topic, sink, on_bad_records=dead_letters):
        await sink.has(1)
    await dead_letters.aclose()
    received = await asyncio.to_thread(cluster.read, f"{topic}-dead", 2)
    found = {dict(message.headers())["place"].decode(): message.value() for message in received}
    assert found == {f"{topic}:2:0": b"nonsense", f"{topic}:2:2": b""}


async def test_workers_that_come_and_die_put_every_message_once_into_a_shared_spool(cluster, topic):
    sink, rng = Sink(), random.Random(1)
    produce(cluster, topic, range(2000))

    async def produce_more():
        for start in range(2000, 6000, 200):
            produce(cluster, topic, range(start, start + 200))
            await asyncio.sleep(0.1)

    producing = asyncio.create_task(produce_more())
    async with contextlib.AsyncExitStack() as others:
        await others.enter_async_context(worker(cluster, topic, sink))
        async with worker(cluster, topic, sink):
            await asyncio.sleep(1 + rng.random())
        await producing
        await sink.has(6000)
    assert Counter(sink.tracks) == Counter(range(6000))


async def test_with_a_spool_each_a_partition_that_moves_continues_at_the_committed_offset(cluster, topic):
    first, second = Sink(), Sink()
    produce(cluster, topic, range(200))
    async with worker(cluster, topic, first):
        await first.has(200)
    produce(cluster, topic, range(200, 300))
    async with worker(cluster, topic, second) as source:
        await second.has(100)
        assert source.moved_partitions == PARTITIONS
    assert Counter(first.tracks + second.tracks) == Counter(range(300))


async def test_a_put_that_takes_long_pauses_the_partitions(cluster, topic, monkeypatch):
    monkeypatch.setattr(kafka_module, "KEEP_ALIVE_DELAY", 0.01)
    sink = Sink()
    sink.open.clear()
    produce(cluster, topic, range(40))
    async with worker(cluster, topic, sink) as source:
        async with asyncio.timeout(60):
            while source._consumer is None or not source._consumer.paused():
                await asyncio.sleep(0.02)
        sink.open.set()
        await sink.has(40)
        produce(cluster, topic, range(40, 80))
        await sink.has(80)
    assert Counter(sink.tracks) == Counter(range(80))


async def test_a_put_that_takes_long_has_a_lag(cluster, topic, monkeypatch):
    monkeypatch.setattr(kafka_module, "KEEP_ALIVE_DELAY", 0.01)
    sink = Sink()
    produce(cluster, topic, range(40))
    async with worker(cluster, topic, sink) as source:
        await sink.has(40)
        sink.open.clear()
        produce(cluster, topic, range(40, 80))
        async with asyncio.timeout(50):
            while source.lag().messages < 40:
                await asyncio.sleep(0.02)
        assert source.lag().partitions == dict.fromkeys(range(PARTITIONS), 10)
        sink.open.set()
        await sink.has(80)
    assert source.lag().messages == 0


async def test_a_partition_that_another_worker_has_put_is_read_on_from_its_checkpoint(cluster, topic):
    sink = Sink()
    for number in range(20):
        cluster.produce(topic, message(number), partition=0)
    cluster.producer.flush(50)
    stream = f"kafka:{topic}:0"
    async with worker(cluster, topic, sink):
        await sink.has(20)
        sink.open.clear()
        for number in range(20, 40):
            cluster.produce(topic, message(number), partition=0)
        cluster.producer.flush(50)
        await until(lambda: sink.waiting)
        sink.positions[stream] = "35"
        sink.open.set()
        await sink.has(25)
    assert sink.tracks == [*range(20), *range(35, 40)]


async def test_a_worker_that_was_frozen_asks_where_to_read_on(cluster, topic, monkeypatch):
    monkeypatch.setattr(KafkaSource, "_is_stale", lambda self, fetched_at: len(sink.tracks) == 20)
    sink = Sink()
    produce(cluster, topic, range(20))
    async with worker(cluster, topic, sink):
        await sink.has(20)
        produce(cluster, topic, range(20, 24))
        await asyncio.sleep(0.5)
        assert len(sink.tracks) == 20
        sink.tracks.append(-1)
        await sink.has(25)
    assert sorted(sink.tracks) == [-1, *range(24)]


async def test_messages_that_kafka_has_removed_are_reported(cluster, topic, monkeypatch, caplog):
    async def removed(self, partitions):
        return dict.fromkeys(partitions, 3)

    sink = Sink()
    sink.positions[f"kafka:{topic}:1"] = "1"
    produce(cluster, topic, range(40))
    monkeypatch.setattr(kafka_module.AIOKafkaConsumer, "beginning_offsets", removed)
    async with worker(cluster, topic, sink):
        await sink.has(9 + 3 * 7)
    assert f"partition {topic}:1: Kafka has removed 2 messages before they were read" in caplog.text


async def test_a_worker_connects_again_when_the_brokers_are_back(cluster, topic):
    sink = Sink()
    produce(cluster, topic, range(20))
    async with worker(cluster, topic, sink):
        await sink.has(20)
        cluster.stop_brokers()
        await asyncio.sleep(0.3)
        cluster.start_brokers()
        produce(cluster, topic, range(20, 40))
        await sink.has(40)
    assert Counter(sink.tracks) == Counter(range(40))


async def test_a_worker_stops_while_the_group_is_being_rebalanced(cluster, topic, monkeypatch):
    monkeypatch.setattr(kafka_module, "CLOSE_TIMEOUT", 0.1)
    sink = Sink()
    produce(cluster, topic, range(20))
    # The mock cluster answers the second one after this time less a second.
    url = cluster.url(topic, topic, session=60_000)
    first, second = (KafkaSource(url) for _ in range(2))
    tasks = [asyncio.create_task(Ingestion(first, sink, kind=KIND).run())]
    await sink.has(20)
    tasks.append(asyncio.create_task(Ingestion(second, sink, kind=KIND).run()))
    await until(lambda: second._consumer and second._consumer._coordinator)
    await until(lambda: second._consumer._coordinator.coordinator_id is not None)
    async with asyncio.timeout(50):
        for task in reversed(tasks):
            task.cancel()
            await asyncio.wait([task])


async def test_a_cancellation_while_a_put_ends_is_not_lost(cluster, topic):
    source = KafkaSource(cluster.url(topic))
    source._keep_alive_task = asyncio.create_task(asyncio.sleep(60))
    stopping = asyncio.create_task(source._stop_keep_alive())
    await asyncio.sleep(0)
    stopping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stopping


async def test_brokers_that_can_not_be_reached_are_a_clear_error():
    source = KafkaSource("kafka://127.0.0.1:1/plays?group=g")
    with pytest.raises(ConfigurationError, match=r"127\.0\.0\.1:1 can't be used"):
        await Ingestion(source, Sink(), kind=KIND).run()


@pytest.mark.parametrize(
    "url",
    [
        "kafka://broker:9092/plays",
        "kafka://broker:9092?group=g",
        "kafka:///plays?group=g",
        "kafka://user:hunter2@broker:9092/plays?group=g&nonsense=1",
        "kafka://user:hunter2@[/plays?group=g",
        "kafka://user:hunter2@broker/plays?group=g&cafile=/absent",
        "kafka://user:hunter2@broker/plays?group",
        "kafka://user:hunter2@broker/plays?group=g&session_timeout_ms=soon",
    ],
)
def test_a_url_that_can_not_be_used_is_refused_without_its_password(url):
    with pytest.raises(ConfigurationError) as caught:
        KafkaURL.parse(url)
    assert "hunter2" not in str(caught.value)


def test_a_url_has_credentials_and_options():
    url = KafkaURL.parse(
        "KAFKA://me:p%40ss@a:1,b:2/plays?group=g&client_id=c&group_instance_id=i&session_timeout_ms=45000"
    )
    assert (url.servers, url.topic, url.group) == (["a:1", "b:2"], "plays", "g")
    assert (url.group_instance_id, url.session_timeout) == ("i", 45_000)
    assert url.connection["sasl_plain_password"] == "p@ss"
    assert url.connection["security_protocol"] == "SASL_PLAINTEXT"
    assert "p@ss" not in repr(url)
