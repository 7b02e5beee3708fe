"""Three workers of a group, of which two are killed and one is frozen, and what their spools have in the end."""

import asyncio
import re
import signal
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from attrs import define, field
from confluent_kafka import Consumer, TopicPartition

from support.cli_process import environment
from support.kafka_cluster import Cluster, open_cluster
from support.memory import CountingService

TOPIC, GROUP, PARTITIONS = "plays", "workers", 12
WORKERS = 3
NOWHERE = "http://127.0.0.1:1"
SESSION = 3_000
FROZEN_FOR = 2 * SESSION / 1000
MOVED = re.compile(rf"^partition-moved partition {TOPIC}:(\d+) ", re.MULTILINE)


@define
class Outcome:
    """What the spools had.

    Attributes:
        missing: Messages that no spool had.
        doubles: Messages that were there more than once.
        moved: Partitions that a worker reports to have taken over from another one.
        superseded: Puts that a spool refused, because another worker had put the same.
        errors: What a worker wrote before it ended by itself.
    """

    missing: set[int]
    doubles: set[int]
    moved: set[int]
    superseded: int
    errors: Sequence[str] = ()

    @property
    def doubled_partitions(self) -> set[int]:
        return {number % PARTITIONS for number in self.doubles}


@define
class Worker:
    """One process after the other, with the same spool.

    Attributes:
        directory: Where it runs.
        arguments: Of the command.
    """

    directory: Path
    arguments: Sequence[str]
    process: asyncio.subprocess.Process | None = field(default=None)

    @property
    def log(self) -> Path:
        return self.directory / "log"

    async def start(self, base_url: str = NOWHERE) -> None:
        self.directory.mkdir(exist_ok=True)
        paths = f"{Path(__file__).parents[2]}:{Path(__file__).parents[1]}"
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "support.kafka_worker", "ship", *self.arguments),
                cwd=self.directory,
                env=environment(base_url) | {"PYTHONPATH": paths},
                stdout=asyncio.subprocess.DEVNULL,
                stderr=log,
            )

    async def end(self, number: int) -> None:
        if self.process.returncode is None:
            self.process.send_signal(number)
            await self.process.wait()


@asynccontextmanager
async def ending(worker: Worker):
    try:
        yield
    finally:
        await worker.end(signal.SIGKILL)


def committed(consumer: Consumer) -> int:
    """Return how many messages the group has committed."""
    partitions = [TopicPartition(TOPIC, number) for number in range(PARTITIONS)]
    return sum(max(0, partition.offset) for partition in consumer.committed(partitions, timeout=20))


def produce(cluster: Cluster, messages: int) -> None:
    now = datetime.now(UTC).isoformat()
    for number in range(messages):
        data = f'{{"trackId":"{number}","timestamp":"{now}"}}'.encode()
        cluster.produce(TOPIC, data, partition=number % PARTITIONS)
        if number % 10_000 == 0:
            cluster.producer.flush(20)
    cluster.producer.flush(20)


async def kill_and_freeze(directory: Path, *, messages: int, spool: str | None = None) -> Outcome:
    """Let three workers read a topic; two are killed and replaced, and one is frozen until the group drops it.

    The service is away meanwhile. So the plays stay in the spools, from which they are sent in the end and counted.

    Args:
        directory: Where the workers run.
        messages: In the topic, numbered from 0.
        spool: That all workers share; None for a file each.
    """
    with open_cluster() as cluster:
        cluster.create(TOPIC, PARTITIONS)
        await asyncio.to_thread(produce, cluster, messages)
        url = cluster.url(TOPIC, GROUP, SESSION)
        arguments = ("--kind", "catalogue", "--drain", "0.1", "--synchronous", "normal", "--spool", spool or "x.db")
        workers = [Worker(directory / str(number), (url, *arguments)) for number in range(WORKERS)]
        consumer = Consumer({"bootstrap.servers": cluster.servers, "group.id": GROUP, "log_level": 0})

        async def reached(share: float) -> None:
            while (await asyncio.to_thread(committed, consumer)) < share * messages:
                await asyncio.sleep(0.05)

        async with AsyncExitStack() as stack:
            for worker in workers:
                await stack.enter_async_context(ending(worker))
                await worker.start()
            killed, frozen, killed_later = workers
            await reached(0.1)
            await killed.end(signal.SIGKILL)
            await killed.start()
            await reached(0.3)
            frozen.process.send_signal(signal.SIGSTOP)
            await asyncio.sleep(FROZEN_FOR)
            frozen.process.send_signal(signal.SIGCONT)
            await reached(0.6)
            await killed_later.end(signal.SIGKILL)
            await killed_later.start()
            await reached(1)
            errors = [worker.log.read_text()[-500:] for worker in workers if worker.process.returncode is not None]
            await asyncio.gather(*(worker.end(signal.SIGTERM) for worker in workers))
        consumer.close()
    logs = "".join(worker.log.read_text() for worker in workers)
    async with CountingService(messages).open() as service:
        for worker in workers[:1] if spool else workers:
            (worker.directory / "none.jsonl").touch()
            sender = Worker(worker.directory, ("none.jsonl", *arguments, "--drain", "1000"))
            await sender.start(service.base_url)
            assert await sender.process.wait() == 0, sender.log.read_text()[-500:]
    times = service.times
    return Outcome(
        {number for number in range(messages) if not times[number]},
        {number for number in range(messages) if times[number] > 1},
        {int(number) for number in MOVED.findall(logs)},
        logs.count("partition-lost "),
        errors,
    )
