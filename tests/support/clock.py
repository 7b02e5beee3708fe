"""Virtual time: it moves only when every task is waiting for it."""

import asyncio
import heapq
import itertools

EPOCH = 1_790_000_000.0


class VirtualClock:
    """Implements the package's Clock; ``run`` plays out a coroutine without waiting."""

    def __init__(self) -> None:
        self.elapsed = 0.0
        self.offset = 0.0
        self._timers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._tie_breakers = itertools.count()

    def time(self) -> float:
        return EPOCH + self.elapsed + self.offset

    def monotonic(self) -> float:
        return self.elapsed

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        timer = asyncio.get_running_loop().create_future()
        heapq.heappush(self._timers, (self.elapsed + seconds, next(self._tie_breakers), timer))
        await timer

    async def wait(self, event: asyncio.Event, seconds: float | None) -> bool:
        if seconds is None:
            await event.wait()
            return True
        waiter, timer = asyncio.ensure_future(event.wait()), asyncio.ensure_future(self.sleep(seconds))
        try:
            await asyncio.wait({waiter, timer}, return_when=asyncio.FIRST_COMPLETED)
            return waiter.done()
        finally:
            waiter.cancel()
            timer.cancel()

    async def run(self, coroutine, *, until: float = 1e9):
        """Run a coroutine to its end, jumping from timer to timer; no real time passes."""
        task = asyncio.ensure_future(coroutine)
        try:
            while not task.done():
                await _quiescence()
                if task.done():
                    break
                self._timers = [timer for timer in self._timers if not timer[2].done()]
                heapq.heapify(self._timers)
                if not self._timers:
                    await asyncio.sleep(0.001)  # real I/O is under way
                    continue
                at, _, timer = heapq.heappop(self._timers)
                if at > until:
                    raise TimeoutError(f"still running after {until} virtual seconds")
                self.elapsed = max(self.elapsed, at)
                timer.set_result(None)
        finally:
            task.cancel()
            await asyncio.wait([task])
        return task.result()


async def settle() -> None:
    """Let the other tasks run for a while; for use within a scenario."""
    for _ in range(50):
        await asyncio.sleep(0)


async def _quiescence() -> None:
    """Let every task run until all of them wait for time or I/O."""
    loop = asyncio.get_running_loop()
    await asyncio.sleep(0)
    while loop._ready:
        await asyncio.sleep(0)
