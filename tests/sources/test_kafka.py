"""A Kafka topic: every message is put once, whatever happens to the workers of the group."""

import asyncio
import contextlib
import random
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
    cluster.producer.flush(10)


class Sink:
    """Keeps track ids and checkpoints, as a spool does that outlives the process."""

    def __init__(self):
        self.tracks, self.positions = [], {}
        self.open = asyncio.Event()
        self.open.set()

    async def put_many(self, kind, logs, *, checkpoint=None):
        await asyncio.sleep(0.002)
        await self.open.wait()
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
    # Another group has committed nothing, so that only the checkpoints in the spool can tell.
    async with worker(cluster, topic, sink, "-of-others") as source:
        await sink.has(150)
        assert source.moved == 0
    assert Counter(sink.tracks) == Counter(range(150))
    assert sum(int(position) for position in sink.positions.values()) == 150
    assert [number for number in sink.tracks if number % PARTITIONS == 1] == list(range(1, 150, 4))


async def test_bad_messages_go_to_a_topic_with_their_places(cluster, topic):
    sink = Sink()
    cluster.produce(topic, b"nonsense", partition=2)
    cluster.produce(topic, message(1, kind="subscriber"), partition=2)
    cluster.produce(topic, None, partition=2)
    cluster.producer.flush(10)
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
        assert source.moved == PARTITIONS
    assert Counter(first.tracks + second.tracks) == Counter(range(300))


async def test_a_put_that_takes_long_pauses_the_partitions(cluster, topic, monkeypatch):
    monkeypatch.setattr(kafka_module, "HOLD_AFTER", 0.01)
    sink = Sink()
    sink.open.clear()
    produce(cluster, topic, range(40))
    async with worker(cluster, topic, sink) as source:
        async with asyncio.timeout(20):
            while source._consumer is None or not source._consumer.paused():
                await asyncio.sleep(0.02)
        sink.open.set()
        await sink.has(40)
        produce(cluster, topic, range(40, 80))
        await sink.has(80)
    assert Counter(sink.tracks) == Counter(range(80))


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
    ],
)
def test_a_url_that_can_not_be_used_is_refused_without_its_password(url):
    with pytest.raises(ConfigurationError) as caught:
        KafkaURL.parse(url)
    assert "hunter2" not in str(caught.value)


def test_a_url_has_credentials_and_options():
    url = KafkaURL.parse("KAFKA://me:p%40ss@a:1,b:2/plays?group=g&client_id=c")
    assert (url.servers, url.topic, url.group) == (["a:1", "b:2"], "plays", "g")
    assert url.connection["sasl_plain_password"] == "p@ss"
    assert url.connection["security_protocol"] == "SASL_PLAINTEXT"
    assert "p@ss" not in repr(url)
