"""Where a Kafka topic is, as a URL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from attrs import field, frozen

from ..errors import ConfigurationError

try:
    from aiokafka.helpers import create_ssl_context
except ImportError as error:  # pragma: no cover - the extra is installed for the tests
    raise ConfigurationError("Kafka needs the extra kafka: pip install 'sevendigital-async[kafka]'") from error

EXAMPLE = "kafka://broker:9092/topic?group=plays"

SESSION_TIMEOUT_MS = 10_000
"""Milliseconds without a heartbeat after which the group gives a worker's partitions to others, by default."""

FILE_OPTIONS = ("cafile", "certfile", "keyfile")
CLIENT_OPTIONS = {"security_protocol", "sasl_mechanism", "client_id"}
MEMBER_OPTIONS = {"group_instance_id", "session_timeout_ms"}
OPTIONS = {"group", *FILE_OPTIONS, *CLIENT_OPTIONS, *MEMBER_OPTIONS}

MIN_SESSION_TIMEOUT_MS = 100
"""Milliseconds; brokers have limits of their own, by default 6 s and 30 min."""


@frozen
class KafkaURL:
    """Where a topic is: ``kafka://[user:password@]host:port[,host:port]/topic?group=plays``.

    Options: ``group`` (needed), ``security_protocol``, ``sasl_mechanism``, ``client_id``, ``group_instance_id``,
    ``session_timeout_ms`` (10000), ``cafile``, ``certfile``, ``keyfile``.

    Attributes:
        servers: Host and port of some brokers.
        topic: The topic.
        group: The consumer group.
        connection: Arguments of every client of aiokafka.
        group_instance_id: Makes this worker a static member: its partitions wait for it while it restarts.
        session_timeout: Milliseconds without a heartbeat after which its partitions go to other workers.
    """

    servers: Sequence[str]
    topic: str
    group: str
    connection: Mapping[str, Any] = field(factory=dict, repr=False)
    group_instance_id: str | None = None
    session_timeout: int = SESSION_TIMEOUT_MS

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
        instance_id, session_timeout = options.pop("group_instance_id", None), _session_timeout(options)
        connection = _connection(credentials, options)
        return cls(hosts.split(","), unquote(topic), group, connection, instance_id, session_timeout)


def _session_timeout(options: dict[str, str]) -> int:
    text = options.pop("session_timeout_ms", str(SESSION_TIMEOUT_MS))
    if not text.isdecimal() or int(text) < MIN_SESSION_TIMEOUT_MS:
        raise ConfigurationError(
            f"session_timeout_ms is a number of milliseconds from {MIN_SESSION_TIMEOUT_MS} on, not {text!r}"
        )
    return int(text)


def _connection(credentials: str, options: dict[str, str]) -> dict[str, Any]:
    files = {name: options.pop(name) for name in FILE_OPTIONS if name in options}
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


def error_text(error: BaseException) -> str:
    """Return the message of an error of aiokafka, which may have several lines."""
    return " ".join(str(error).split())
