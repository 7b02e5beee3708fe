"""What a worker shows about reading its source."""

from datetime import UTC, datetime

import orjson
from prometheus_client.parser import text_string_to_metric_families
from support.http_get import get
from support.service import Service

from sevendigital_async import LogKind, StreamLog, StreamLogShipper
from sevendigital_async.clock import SystemClock
from sevendigital_async.monitoring import WorkerMonitor
from sevendigital_async.sources import FileSource, FollowSource, Ingestion, TopicLag

LINES = [StreamLog(str(number), datetime.now(UTC)).encode() + b"\n" for number in range(5)]


class MovingSource:
    """A source that took over partitions and has read nothing."""

    moved_partitions = 2

    def lag(self):
        return TopicLag({0: 7, 3: 0})

    async def portions(self, checkpoint):
        return
        yield

    async def confirm(self, portion):
        pass

    async def aclose(self):
        pass


async def metrics_of(source, *, run=True):
    """Return the metrics of a run over a source, by /metrics and by /statistics."""
    async with (
        WorkerMonitor(http="0") as monitor,
        StreamLogShipper(Service(SystemClock()), metrics=monitor.metrics) as shipper,
    ):
        ingestion = Ingestion(source, shipper, kind=LogKind.PREVIEW)
        monitor.watch(shipper, ingestion, source)
        if run:
            await ingestion.run()
        text = (await get(f"{monitor.url}/metrics")).text
        counted = orjson.loads((await get(f"{monitor.url}/statistics")).text)["ingestion"]
    families = [each for each in text_string_to_metric_families(text) if each.name.startswith("sevendigital_ingestion")]
    measured = {family.name.removeprefix("sevendigital_ingestion_"): values_of(family) for family in families}
    assert measured == counted
    return counted


def values_of(family):
    """Return the value of a family, or its values by label."""
    values = {"".join(sample.labels.values()): sample.value for sample in family.samples}
    return values.get("", values)


async def test_a_file_has_counts_and_no_lag(tmp_path):
    (tmp_path / "plays.jsonl").write_bytes(b"".join(LINES) + b"nonsense\n")
    metrics = await metrics_of(FileSource(tmp_path / "plays.jsonl"))
    assert metrics == {"put": 5, "rejected": 1, "read_bytes": sum(map(len, LINES)) + 9}


async def test_growing_files_have_a_lag(tmp_path):
    (tmp_path / "plays.jsonl").write_bytes(b"".join(LINES))
    metrics = await metrics_of(FollowSource(tmp_path / "*.jsonl"), run=False)
    assert metrics == {
        "put": 0,
        "rejected": 0,
        "read_bytes": 0,
        "lag_bytes": 0,
        "lag_seconds": 0,
        "open_files": 0,
    }


async def test_partitions_that_moved_are_counted():
    assert (await metrics_of(MovingSource()))["moved_partitions"] == 2


async def test_a_topic_has_a_lag_for_each_partition():
    assert (await metrics_of(MovingSource()))["lag_messages"] == {"0": 7, "3": 0}
