"""A signed GET of a page of 20 releases, decoded: ours, hand-written without models, a generated client, and httpx."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

import aiohttp
import orjson
from attrs import frozen
from authlib.oauth1 import ClientAuth

from sevendigital_async import SevenDigital

from . import generated
from .catalogue import PATH, QUERY, SIZE
from .optional import present
from .report import Report, Row, Target
from .scale import Scale
from .server import serving
from .timing import Side, median_cpu, median_wall, run_in_turn, times_as_long

KEY, SECRET = "benchmark-key", "benchmark-secret"
CONCURRENCIES = (1, 8, 64)

OURS = "client.classic.releases.search"
BARE = "aiohttp + authlib + orjson, no models"
HTTPX = "httpx + authlib + json, no models"
GENERATED = "openapi-python-client, its models"
ALONE = "aiohttp alone: not signed, not parsed"

OF_BARE = 1.0
TIMES_FASTER = 3.0

Call = Callable[[], Awaitable[object]]


@frozen
class Size:
    """Calls per side and round, and the number of rounds."""

    calls: int
    rounds: int


SIZES: Mapping[Scale, Size] = {Scale.FULL: Size(640, 15), Scale.QUICK: Size(192, 5), Scale.SMALLEST: Size(64, 1)}


def run(scale: Scale) -> Report:
    """Measure all sides in turn, at each concurrency."""
    size = SIZES[scale]
    rows: list[Row] = []
    targets: list[Target] = []
    samples: dict[str, list[float]] = {}
    with serving() as base_url, asyncio.Runner() as runner:
        stack = AsyncExitStack()
        calls = {name: runner.run(stack.enter_async_context(make(base_url))) for name, make in _makers().items()}
        for call in calls.values():
            _check(runner.run(_awaited(call)))
        for concurrency in CONCURRENCIES:
            sides = {name: _side(runner, call, size.calls, concurrency) for name, call in calls.items()}
            timings = run_in_turn(sides, size.rounds)
            for name, side in timings.items():
                samples[f"{concurrency}: {name}"] = [timing.wall / size.calls * 1e6 for timing in side]
                rows.append(
                    {
                        "at a time": concurrency,
                        "side": name,
                        "µs a call": median_wall(side) / size.calls * 1e6,
                        "CPU µs": median_cpu(side) / size.calls * 1e6,
                        "of the bare call": times_as_long(side, timings[BARE]),
                    }
                )
            if concurrency > 1:
                of_bare = times_as_long(timings[OURS], timings[BARE])
                targets.append(Target(f"{OURS} / {BARE}, {concurrency} at a time", of_bare, at_most=OF_BARE))
            if concurrency == 8:
                targets += [
                    Target(f"{name} / ours", times_as_long(timings[name], timings[OURS]), at_least=TIMES_FASTER)
                    for name in (HTTPX, GENERATED)
                    if name in timings
                ]
        runner.run(stack.aclose())
    missing = [] if GENERATED in calls else [f"{GENERATED}: skipped, the generator is not installed"]
    missing += [] if HTTPX in calls else [f"{HTTPX}: skipped, not installed"]
    title = f"a signed GET of {SIZE} releases, {size.calls} calls a round, median of {size.rounds} rounds"
    return Report("call", title, rows, targets, samples, missing, chart="µs a call", labels=("at a time", "side"))


def _makers() -> dict[str, Callable[[str], object]]:
    makers = {OURS: _ours, BARE: _bare, ALONE: _alone}
    if present("httpx"):
        makers[HTTPX] = _httpx
        if generated.available():
            makers[GENERATED] = _generated
    return makers


@asynccontextmanager
async def _ours(base_url: str) -> AsyncIterator[Call]:
    async with SevenDigital(KEY, SECRET, base_url=base_url) as client:

        async def call() -> object:
            page = await client.classic.releases.search("harbour", country="GB", page=1, page_size=SIZE)
            return page.items

        yield call


@asynccontextmanager
async def _bare(base_url: str) -> AsyncIterator[Call]:
    auth = ClientAuth(KEY, SECRET)
    url = f"{base_url}{PATH}?{'&'.join(f'{name}={value}' for name, value in QUERY.items())}"
    async with aiohttp.ClientSession() as session:

        async def call() -> object:
            uri, headers, _ = auth.prepare("GET", url, {}, b"")
            async with session.get(uri, headers=headers) as response:
                response.raise_for_status()
                return orjson.loads(await response.read())["releases"]

        yield call


@asynccontextmanager
async def _alone(base_url: str) -> AsyncIterator[Call]:
    url = f"{base_url}{PATH}?{'&'.join(f'{name}={value}' for name, value in QUERY.items())}"
    async with aiohttp.ClientSession() as session:

        async def call() -> object:
            async with session.get(url) as response:
                return range(await response.read() and SIZE)

        yield call


@asynccontextmanager
async def _httpx(base_url: str) -> AsyncIterator[Call]:
    import httpx
    from authlib.integrations.httpx_client import AsyncOAuth1Client

    limits = httpx.Limits(max_connections=100, max_keepalive_connections=100)
    async with AsyncOAuth1Client(KEY, SECRET, limits=limits) as client:

        async def call() -> object:
            response = await client.get(f"{base_url}{PATH}", params=QUERY)
            response.raise_for_status()
            return response.json()["releases"]

        yield call


@asynccontextmanager
async def _generated(base_url: str) -> AsyncIterator[Call]:
    import httpx
    from authlib.integrations.httpx_client import OAuth1Auth

    limits = httpx.Limits(max_connections=100, max_keepalive_connections=100)
    with generated.package() as package:
        search = package.import_module("api.releases.search_releases")
        made = package.import_module("client").Client(
            base_url=f"{base_url}/1.2", httpx_args={"auth": OAuth1Auth(KEY, SECRET), "limits": limits}
        )
        async with made as client:

            async def call() -> object:
                page = await search.asyncio(client=client, q="harbour", country="GB", page=1, page_size=SIZE)
                return page.releases

            yield call


async def _awaited(call: Call) -> object:
    return await call()


def _side(runner: asyncio.Runner, call: Call, number: int, concurrency: int) -> Side:
    async def work(share: int) -> None:
        for _ in range(share):
            await call()

    async def all_of_it() -> None:
        async with asyncio.TaskGroup() as workers:
            for _ in range(concurrency):
                workers.create_task(work(number // concurrency))

    return lambda: runner.run(all_of_it())


def _check(releases: object) -> None:
    if len(releases) != SIZE:
        raise AssertionError(f"expected {SIZE} releases, got {releases!r}")
