import pytest
from support.clock import VirtualClock
from support.rawserver import answer, raw_server
from support.rows import each_row

from sevendigital_async import Dialect, ResponseCache, Settings, SevenDigital, UserToken
from sevendigital_async.models import Release
from sevendigital_async.operations import Auth, Binding, Operation, Safety
from sevendigital_async.operations.operation import parameter
from sevendigital_async.session.cache import fresh_for


def operation(safety=Safety.READ, auth=Auth.THREE_LEGGED, method="GET"):
    binding = Binding(method, "/thing", (parameter("q"), parameter("page")))
    return Operation(
        id="x", name="x.y", summary="", safety=safety, auth=auth, model=Release, bindings={Dialect.OPENAPI: binding}
    )


def release(cache_control):
    headers = {"Cache_Control": cache_control} if cache_control else {}
    return answer('{"release":{"id":"1"}}', **headers)


@pytest.fixture
def clock():
    return VirtualClock()


async def test_a_fresh_answer_is_used_again_and_a_stale_one_is_not(clock):
    async with raw_server(release("private, max-age=60")) as raw:
        cache = ResponseCache(clock=clock)
        async with SevenDigital("key", "secret", base_url=raw.base_url, cache=cache, clock=clock) as client:
            first = await client.call(operation(), q="a", page=1)
            clock.elapsed += 59
            assert await client.call(operation(), page=1, q="a") is first
            assert len(raw.requests) == 1
            clock.elapsed += 2
            await client.call(operation(), q="a", page=1)
            assert len(raw.requests) == 2
            cache.clear()
            await client.call(operation(), q="a", page=1)
            assert len(raw.requests) == 3


async def test_answers_are_kept_apart_by_what_was_asked_and_by_whom(clock):
    ann, bob = UserToken("a", "s"), UserToken("b", "s")
    async with raw_server(release("max-age=60")) as raw:
        cache = ResponseCache(clock=clock)
        async with SevenDigital("key", "secret", base_url=raw.base_url, cache=cache) as client:
            for view in (client, client.as_user(ann), client.as_user(bob), client.as_user(ann)):
                await view.call(operation(), q="a")
                await view.call(operation(), q="b")
            assert len(raw.requests) == 6
            for view in (client, client.as_user(ann)):
                await view.call(operation(auth=Auth.KEY), q="c")
            assert len(raw.requests) == 7


@pytest.mark.parametrize("what", [operation(Safety.UNSAFE), operation(Safety.IDEMPOTENT), operation(method="POST")])
async def test_only_reads_are_kept(what):
    async with raw_server(release("max-age=60")) as raw:
        async with SevenDigital("key", "secret", base_url=raw.base_url, cache=ResponseCache()) as client:
            await client.call(what)
            await client.call(what)
    assert len(raw.requests) == 2


async def test_without_a_cache_nothing_is_kept():
    async with raw_server(release("max-age=60")) as raw:
        async with SevenDigital("key", "secret", settings=Settings(base_url=raw.base_url)) as client:
            await client.call(operation())
            await client.call(operation())
    assert len(raw.requests) == 2


async def test_the_cache_is_bounded():
    async with raw_server(release("max-age=60")) as raw:
        cache = ResponseCache(max_entries=3)
        async with SevenDigital("key", "secret", base_url=raw.base_url, cache=cache) as client:
            for page in range(10):
                await client.call(operation(), page=page)
    assert len(cache) == 3


@each_row(
    ("headers", "seconds"),
    [
        ({"cache-control": "max-age=60"}, 60),
        ({"cache-control": "Private, Max-Age = 60"}, 60),
        ({"cache-control": 'max-age="60"'}, 60),
        ({"cache-control": "max-age=60", "age": "20"}, 40),
        ({"cache-control": "max-age=60", "age": "99"}, 0),
        ({"cache-control": "max-age=60", "age": "old"}, 0),
        ({"cache-control": "no-cache, max-age=60"}, 0),
        ({"cache-control": "max-age=60, no-store"}, 0),
        ({"cache-control": "max-age=soon"}, 0),
        ({"cache-control": "public"}, 0),
        ({}, 0),
    ],
)
def test_how_long_an_answer_stays_fresh(headers, seconds):
    assert fresh_for(headers) == seconds
