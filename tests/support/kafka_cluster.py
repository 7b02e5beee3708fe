"""A cluster that speaks Kafka's protocol over TCP: the mock cluster of librdkafka, which confluent-kafka brings.

``test.mock.num.brokers`` makes one, too, but with four partitions in every topic, and with three seconds before the
first member of a group gets partitions. So this calls librdkafka itself.

Some of its properties matter to tests:

* An answer to a fetch has one batch of a partition, however small. Messages that are produced one by one are read one
  by one, each in a round trip: thousands of them take a minute. So the producer waits until a batch is full.
* Every further rebalance takes ``session.timeout.ms`` less one second, so that tests need short sessions.
* A follower that synchronises after the leader is refused, where a real cluster answers. :func:`followers_sync_first`
  makes leaders wait; where that is not long enough, the source connects again, and the group is rebalanced once more.
"""

import asyncio
import ctypes
from contextlib import contextmanager

import confluent_kafka
from aiokafka.consumer.group_coordinator import CoordinatorGroupRebalance
from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition

SESSION = 1_300
"""Milliseconds; a rebalance takes 300 of them."""

PRODUCER, ERROR_SIZE = 0, 512
HANDLES = {
    "rd_kafka_conf_new": (),
    "rd_kafka_conf_set": (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_size_t),
    "rd_kafka_new": (ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t),
    "rd_kafka_destroy": (ctypes.c_void_p,),
    "rd_kafka_mock_cluster_new": (ctypes.c_void_p, ctypes.c_int),
    "rd_kafka_mock_cluster_destroy": (ctypes.c_void_p,),
    "rd_kafka_mock_cluster_bootstraps": (ctypes.c_void_p,),
    "rd_kafka_mock_topic_create": (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_int),
    "rd_kafka_mock_group_initial_rebalance_delay_ms": (ctypes.c_void_p, ctypes.c_int32),
    "rd_kafka_mock_broker_set_down": (ctypes.c_void_p, ctypes.c_int32),
    "rd_kafka_mock_broker_set_up": (ctypes.c_void_p, ctypes.c_int32),
}
POINTERS = ("rd_kafka_conf_new", "rd_kafka_new", "rd_kafka_mock_cluster_new")


def library():
    """Load librdkafka, on which the extension module of confluent-kafka depends."""
    loaded = ctypes.CDLL(confluent_kafka.cimpl.__file__)
    for name, arguments in HANDLES.items():
        function = getattr(loaded, name)
        function.argtypes = arguments
        function.restype = ctypes.c_void_p if name in POINTERS else ctypes.c_int
    loaded.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p
    return loaded


class Cluster:
    """Some brokers, in threads of this process.

    Attributes:
        servers: Their addresses.
        producer: Produces to them.
    """

    def __init__(self, brokers=2):
        self._library = library()
        error = ctypes.create_string_buffer(ERROR_SIZE)
        settings = self._library.rd_kafka_conf_new()
        self._library.rd_kafka_conf_set(settings, b"log_level", b"0", error, ERROR_SIZE)
        self._handle = self._library.rd_kafka_new(PRODUCER, settings, error, ERROR_SIZE)
        assert self._handle, error.value
        self._cluster = self._library.rd_kafka_mock_cluster_new(self._handle, brokers)
        self._library.rd_kafka_mock_group_initial_rebalance_delay_ms(self._cluster, 100)
        self.servers = self._library.rd_kafka_mock_cluster_bootstraps(self._cluster).decode()
        self.producer = Producer({"bootstrap.servers": self.servers, "log_level": 0, "linger.ms": 50})

    def create(self, topic, partitions):
        """Create a topic."""
        assert not self._library.rd_kafka_mock_topic_create(self._cluster, topic.encode(), partitions, 1)

    def produce(self, topic, data, partition):
        """Send a message, at the latest when the producer is flushed."""
        self.producer.produce(topic, data, partition=partition)

    def read(self, topic, number, timeout=20):
        """Return messages from the beginnings of a topic's partitions, or those that are there after a time."""
        consumer = Consumer({"bootstrap.servers": self.servers, "group.id": "reader", "log_level": 0})
        try:
            partitions = consumer.list_topics(topic, timeout=timeout).topics[topic].partitions
            consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in partitions])
            return consumer.consume(number, timeout=timeout)
        finally:
            consumer.close()

    def url(self, topic, group="workers", session=SESSION):
        """Return the URL of a source."""
        return f"kafka://{self.servers}/{topic}?group={group}&session_timeout_ms={session}"

    def stop_brokers(self):
        """Close every connection and accept no further one."""
        self._library.rd_kafka_mock_broker_set_down(self._cluster, -1)

    def start_brokers(self):
        """Accept connections again."""
        self._library.rd_kafka_mock_broker_set_up(self._cluster, -1)

    def close(self):
        """End the threads."""
        self.producer.flush(5)
        del self.producer
        self._library.rd_kafka_mock_cluster_destroy(self._cluster)
        self._library.rd_kafka_destroy(self._handle)


@contextmanager
def open_cluster(**options):
    """Run a cluster."""
    cluster = Cluster(**options)
    try:
        yield cluster
    finally:
        cluster.close()


def followers_sync_first(monkeypatch):
    """Let every leader wait until its followers have synchronised."""
    original = CoordinatorGroupRebalance._on_join_leader

    async def later(self, response):
        await asyncio.sleep(0.1 if len(response.members) > 1 else 0)
        return await original(self, response)

    monkeypatch.setattr(CoordinatorGroupRebalance, "_on_join_leader", later)
