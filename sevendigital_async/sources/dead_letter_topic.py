"""Sends records that are not plays to a Kafka topic."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import ConfigurationError
from .base import BadRecord
from .kafka_url import KafkaURL, error_text

try:
    from aiokafka import AIOKafkaProducer
    from aiokafka.errors import KafkaError
except ImportError as error:  # pragma: no cover - the extra is installed for the tests
    raise ConfigurationError("Kafka needs the extra kafka: pip install 'sevendigital-async[kafka]'") from error


class DeadLetterTopic:
    """Sends records that are not plays to a topic; pass it as ``on_bad_records``.

    The message has the record's bytes, and headers ``place`` and ``reason``.

    Args:
        url: Of the source; the same brokers are used.
        topic: Where the records go.
    """

    def __init__(self, url: str | KafkaURL, topic: str) -> None:
        self._url = url if isinstance(url, KafkaURL) else KafkaURL.parse(url)
        self._topic = topic
        self._producer: AIOKafkaProducer | None = None

    async def __call__(self, records: Sequence[BadRecord]) -> None:
        """Send records, and wait until the brokers have them.

        Raises:
            ConfigurationError: They can't be sent; the checkpoint doesn't pass them then.
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
            raise ConfigurationError(
                f"bad messages can't be sent to topic {self._topic}: {error_text(error)}"
            ) from None

    async def aclose(self) -> None:
        """Close the connection."""
        if self._producer is not None:
            await self._producer.stop()
