"""The objects that this package offers for a parameter have its type. It is not run."""

from sevendigital_async import CallTracer
from sevendigital_async.otel import OpenTelemetryTracer
from sevendigital_async.shipping import BatchTracer, MemorySpool, Metrics, Spool, SpoolInspector
from sevendigital_async.shipping.otel import OpenTelemetryMetrics
from sevendigital_async.shipping.prometheus import PrometheusMetrics
from sevendigital_async.shipping.spools.redis import RedisSpool, RedisSpoolInspector
from sevendigital_async.shipping.spools.sqlite import SqliteSpool, SqliteSpoolInspector
from sevendigital_async.sources import FileSource, FollowSource, OnBadRecords, Source
from sevendigital_async.sources.kafka import DeadLetterTopic, KafkaSource

TOPIC = "kafka://localhost:9092/plays?group=shipper"

spools: list[Spool] = [MemorySpool(), SqliteSpool("plays.db", synchronous="NORMAL"), RedisSpool("redis://localhost/0")]
inspectors: list[SpoolInspector] = [SqliteSpoolInspector("plays.db"), RedisSpoolInspector("redis://localhost/0")]
metrics: list[Metrics] = [PrometheusMetrics(), OpenTelemetryMetrics()]
call_tracer: CallTracer = OpenTelemetryTracer()
batch_tracer: BatchTracer = OpenTelemetryTracer()
sources: list[Source] = [FileSource("plays.csv"), FollowSource("plays.jsonl"), KafkaSource(TOPIC)]
on_bad_records: OnBadRecords = DeadLetterTopic(TOPIC, "plays.rejected")
