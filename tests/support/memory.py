"""A log that rotates while ``sevendigital ship --follow`` reads it, and the memory of that process."""

import asyncio
import re
import signal
from collections.abc import Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from attrs import define, field

from support.cli_process import running

ACCEPTED = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"
TRACK_ID = re.compile(rb'"trackId":"(\d+)"')
KEPT_FILES = 3
BURST = 2_000


@define
class CountingService:
    """Accepts every request and counts the plays in it, in one byte each.

    Attributes:
        lines: Plays that will come, numbered from 0.
        arrived: Plays that came, doubles included.
        times: How often each came.
    """

    lines: int
    arrived: int = 0
    times: bytearray = field(init=False)
    base_url: str = ""

    def __attrs_post_init__(self):
        self.times = bytearray(self.lines)

    @asynccontextmanager
    async def open(self):
        """Listen."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.base_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            server.close()

    async def _serve(self, reader, writer):
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = int(head.partition(b"content-length:")[2].split(b"\r\n")[0])
                for number in TRACK_ID.findall(await reader.readexactly(length)):
                    self.times[int(number)] += 1
                    self.arrived += 1
                writer.write(ACCEPTED)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@define
class Outcome:
    """What arrived, and the MB of the process, measured after each tenth.

    Attributes:
        missing: Plays that did not arrive.
        doubles: Plays that arrived more than once.
        resident: MB.
    """

    missing: int
    doubles: int
    resident: Sequence[float]


def resident(pid: int) -> float:
    """Return the MB that a process has."""
    [line] = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS")]
    return int(line.split()[1]) / 1024


async def follow_through_rotations(directory: Path, *, lines: int, rotations: int, **options: object) -> Outcome:
    """Write a log that is rotated again and again, follow it, and measure the process that does.

    Args:
        directory: Where log and spool are.
        lines: To write, a multiple of ten.
        rotations: Of the log, evenly.
        options: Of ``running``.
    """
    log, sizes = directory / "plays.jsonl", []
    most_unread = lines // (rotations + 1)  # so that no file is deleted before it is read
    command = ("ship", "--follow", log.name, "--kind", "catalogue", "--json", "--spool", "x.db")
    async with CountingService(lines).open() as service:
        _write(log, 0, 0)
        async with running(*command, cwd=directory, base_url=service.base_url, **options) as process:
            written = rotated = 0
            while written < lines:
                await asyncio.to_thread(_write, log, written, min(BURST, lines - written))
                written = min(lines, written + BURST)
                while written - service.arrived > most_unread:
                    await asyncio.sleep(0.01)
                if written * (rotations + 1) // lines > rotated and written < lines:
                    rotated += 1
                    _rotate(log, rotated)
                if written * 10 // lines > len(sizes):
                    sizes.append(resident(process.process.pid))
            while service.arrived < lines:
                await asyncio.sleep(0.05)
            process.process.send_signal(signal.SIGTERM)
            ended = await process.end()
            assert ended.summary["waiting"] == 0, ended.err
    return Outcome(service.times.count(0), sum(1 for times in service.times if times > 1), sizes)


def _write(log: Path, start: int, number: int) -> None:
    now = datetime.now(UTC).isoformat()
    line = f'{{"trackId":"%d","timestamp":"{now}","userId":"listener","country":"GB"}}\n'
    with log.open("a") as file:
        file.writelines(line % index for index in range(start, start + number))


def _rotate(log: Path, number: int) -> None:
    log.rename(f"{log}.{number}")
    if number > KEPT_FILES:
        Path(f"{log}.{number - KEPT_FILES}").unlink()
