"""Steps of the event loop, slow connections and slow disks."""

import asyncio
import time
from contextlib import contextmanager

STEP = asyncio.events.Handle._run


@contextmanager
def at_step(number, action):
    """Call ``action`` before the loop does the step with this number, counted from here."""
    left = number

    def counted(handle):
        nonlocal left
        if left == 0:
            left = -1
            action()
        elif left > 0:
            left -= 1
        return STEP(handle)

    asyncio.events.Handle._run = counted
    try:
        yield
    finally:
        asyncio.events.Handle._run = STEP


class Proxy:
    """A proxy between a client and a server on this machine that delays every piece.

    ``deaf``: answers of the server are held back; ``hold``: requests of the client are.
    """

    def __init__(self, port, delay):
        self.delay = delay
        self.deaf = self.hold = False
        self._target = port
        self._server = None
        self._tasks = set()

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}/0"

    def cut(self):
        """Break all connections; the responses that are on their way are lost."""
        for task in list(self._tasks):
            task.cancel()

    async def _serve(self, reader, writer):
        task = asyncio.current_task()
        self._tasks.add(task)
        there, back = None, None
        try:
            back, there = await asyncio.open_connection("127.0.0.1", self._target)
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pass(reader, there, lambda: self.hold))
                both.create_task(self._pass(back, writer, lambda: self.deaf))
        except (asyncio.CancelledError, ExceptionGroup, OSError):
            pass
        finally:
            self._tasks.discard(task)
            for end in (writer, there):
                if end is not None:
                    end.transport.abort()

    async def _pass(self, reader, writer, is_held):
        while piece := await reader.read(65536):
            await asyncio.sleep(self.delay)
            while is_held():
                await asyncio.sleep(0.005)
            writer.write(piece)
            await writer.drain()
        raise ConnectionResetError


def slow_disk(seconds):
    """Return a function for ``failpoints.on_hit`` that delays every commit."""

    def hit(point):
        if point == "before commit":
            time.sleep(seconds)

    return hit
