"""A Redis of a provider, one that loads, hangs or is a node of a cluster, and servers that are not Redis."""

import asyncio
import contextlib
import signal
import string
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.clock import VirtualClock
from support.redis_server import RedisServer
from support.rows import each_row
from support.service import Service
from test_redis_spool import NOW, PREVIEW, RULES, plays

from sevendigital_async import (
    ConfigurationError,
    LogKind,
    Settings,
    SevenDigitalError,
    SpoolCorruptionError,
    SpoolError,
    SpoolUnavailableError,
    StreamLog,
    StreamLogShipper,
    Timeout,
    redis_connection,
)
from sevendigital_async.clock import SystemClock
from sevendigital_async.operations import RateClass
from sevendigital_async.redis_connection import RedisConnection, RedisUnavailableError
from sevendigital_async.redis_url import OPTION_PARSERS, RedisURL
from sevendigital_async.session.redis_rate_limiter import PAUSE_LEFT_SCRIPT, RedisRateLimiter
from sevendigital_async.shipping import MemorySpool
from sevendigital_async.shipping.records import Counts
from sevendigital_async.shipping.spools import registry
from sevendigital_async.shipping.spools.base import SpoolContext
from sevendigital_async.shipping.spools.redis import RedisSpool, RedisSpoolInspector, scripts
from sevendigital_async.shipping.spools.registry import (
    SpoolScheme,
    file_of,
    open_inspector,
    open_spool,
    register_scheme,
    safe_location,
)
from sevendigital_async.shipping.spools.sqlite import SqliteSpool, SqliteSpoolInspector

DOCUMENTED = (SevenDigitalError, asyncio.TimeoutError)


@pytest.fixture
def own_server(redis_server):
    """Start servers that a test may change."""
    with contextlib.ExitStack() as servers:
        yield lambda *options: servers.enter_context(contextlib.closing(RedisServer(*options)))


async def opened(url, **options):
    spool = RedisSpool(url, **options)
    await spool.open(SpoolContext(RULES, VirtualClock(), lambda _: None))
    return spool


# -- providers --


async def test_a_server_without_config_and_info_keeps_a_spool_of_unknown_durability(own_server, caplog):
    server = own_server("--rename-command", "CONFIG", "", "--rename-command", "INFO", "")
    spool = await opened(server.url)
    await spool.append(PREVIEW, plays(3))
    assert await spool.counts(PREVIEW) == Counts(put=3, waiting=3)
    await spool.aclose()
    assert "unknown" in caplog.text
    inspector = RedisSpoolInspector(server.url)
    assert "unknown" in (await inspector.status()).durability
    await inspector.aclose()


async def test_eviction_is_warned_of_without_config(own_server, caplog):
    server = own_server("--maxmemory-policy", "allkeys-lru", "--rename-command", "CONFIG", "")
    await (await opened(server.url)).aclose()
    assert "allkeys-lru" in caplog.text


async def test_a_cluster_is_refused(own_server):
    server = own_server("--cluster-enabled", "yes")
    with pytest.raises(SpoolError, match="cluster") as refused:
        await opened(server.url)
    assert not isinstance(refused.value, SpoolUnavailableError)


@pytest.mark.parametrize(
    ("url", "error"),
    [("redis://127.0.0.1:{port}/99", "DB index"), ("unix:///nowhere/redis.sock", "No such file")],
)
async def test_a_database_or_a_socket_that_does_not_exist(redis_server, url, error):
    with pytest.raises(SpoolError, match=error):
        await opened(url.format(port=redis_server.port))


async def test_keys_of_another_program_are_named_and_not_changed(redis_server):
    redis_server.ask("SET", "sevendigital:{spool}:ready:preview", "other")
    with pytest.raises(SpoolCorruptionError, match=r"ready:preview.*string.*list"):
        await opened(redis_server.url)
    assert redis_server.ask("EXISTS", "sevendigital:{spool}:ready:preview") == ":1"


async def test_keys_that_change_their_type_end_the_spool_with_a_reason(redis_server):
    spool = await opened(redis_server.url)
    await spool.append(PREVIEW, plays(1))
    redis_server.ask("DEL", "sevendigital:{spool}:logs:preview")
    redis_server.ask("SET", "sevendigital:{spool}:logs:preview", "other")
    with pytest.raises(SpoolCorruptionError, match="WRONGTYPE"):
        await spool.append(PREVIEW, plays(1))
    await spool.aclose()


# -- starting --


class FakeRedis:
    """Speaks enough of the protocol to answer every command with the same words, or the next of several."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []
        self.serving = set()

    async def __aenter__(self):
        self.server = await asyncio.start_server(self.connected, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]
        self.url = f"redis://:hunter2@127.0.0.1:{self.port}/0"
        return self

    async def __aexit__(self, *_):
        self.server.close()
        if self.serving:  # clients are gone, or close their connections now
            await asyncio.wait(self.serving, timeout=5)

    def connected(self, reader, writer):
        task = asyncio.create_task(self.serve(reader, writer))
        self.serving.add(task)
        task.add_done_callback(self.serving.discard)

    async def serve(self, reader, writer):
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, ValueError):
            while line := await reader.readline():
                words = []
                for _ in range(int(line[1:])):
                    size = int((await reader.readline())[1:])
                    words.append((await reader.readexactly(size + 2))[:-2])
                self.asked.append(words)
                if words[0].upper() in {b"AUTH", b"CLIENT", b"SELECT", b"HELLO"}:
                    writer.write(b"+OK\r\n")
                    continue
                answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                if answer is None:
                    break
                writer.write(answer)
        with contextlib.suppress(OSError):
            writer.close()
            await writer.wait_closed()


STARTING = [
    "LOADING Redis is loading",
    "BUSY Redis is busy",
    "TRYAGAIN x",
    "MASTERDOWN x",
    "READONLY x",
    "CLUSTERDOWN x",
]


@pytest.mark.parametrize("said", STARTING)
async def test_open_waits_for_a_redis_that_starts_but_not_for_ever(redis_server, said):
    async with FakeRedis(f"-{said}\r\n".encode()) as fake:
        started = asyncio.get_running_loop().time()
        with pytest.raises(SpoolUnavailableError, match=said.split()[0]):
            await opened(fake.url, open_timeout=0.25)
        assert 0.2 < asyncio.get_running_loop().time() - started < 30
        assert len(fake.asked) > 3


async def test_open_waits_for_a_redis_that_resets_connections(redis_server):
    async with FakeRedis(None) as fake:
        with pytest.raises(SpoolUnavailableError, match="does not answer"):
            await opened(fake.url, open_timeout=0.3)
        assert len(fake.asked) > 2


@pytest.mark.parametrize("said", ["WRONGPASS x", "NOAUTH x", "NOREPLICAS x", "MISCONF x", "OOM x"])
async def test_open_does_not_wait_for_what_needs_a_change(redis_server, said):
    async with FakeRedis(f"-{said}\r\n".encode()) as fake:
        started = asyncio.get_running_loop().time()
        with pytest.raises(SpoolUnavailableError, match=said.split()[0]):
            await opened(fake.url)
        assert asyncio.get_running_loop().time() - started < 30


async def test_a_spool_opens_when_its_redis_has_loaded(own_server):
    server = own_server("--save", "", "--appendonly", "yes")
    spool = await opened(server.url)
    await spool.append(PREVIEW, plays(2))
    await spool.aclose()
    server.ask("EVAL", "for i = 1, 8000 do redis.call('SET', 'x' .. i, string.rep('y', 50)) end return 1", "0")
    server.stop()
    server.options += ("--key-load-delay", "100", "--loading-process-events-interval-bytes", "1024")
    server.start(loaded=False)
    assert server.ask("GET", "x").startswith("-LOADING")
    again = await opened(server.url)
    assert await again.counts(PREVIEW) == Counts(put=2, waiting=2)
    await again.aclose()


# -- hanging --


async def test_statistics_return_in_time_while_redis_hangs_and_are_stale(own_server):
    server = own_server()
    loop = asyncio.get_running_loop()
    async with StreamLogShipper(
        Service(VirtualClock(), latency=1e6), spool=RedisSpool(server.url), close_timeout=0.0
    ) as shipper:
        await shipper.put_many(LogKind.CATALOGUE, [StreamLog("1", NOW)] * 1200)
        await shipper.put(PREVIEW, StreamLog("2", NOW, country="GB"))
        server.process.send_signal(signal.SIGSTOP)
        try:
            started = loop.time()
            statistics = await shipper.statistics()
            assert loop.time() - started < 20  # Redis would hang for ever
            assert not statistics.is_current
            assert not statistics.settled
            assert statistics.put == 1201
            assert "does not answer" in statistics.spool_alert
            started = loop.time()
            assert not (await shipper.flush(0.5)).is_current
            assert loop.time() - started < 20
        finally:
            server.process.send_signal(signal.SIGCONT)
        async with asyncio.timeout(60):
            while not (statistics := await shipper.statistics()).is_current:
                await asyncio.sleep(0.05)
        assert statistics.put == 1201


async def test_flush_keeps_to_its_time_when_redis_hangs(own_server):
    server = own_server()
    loop = asyncio.get_running_loop()
    async with StreamLogShipper(
        Service(VirtualClock(), latency=1e6), spool=RedisSpool(server.url), clock=SystemClock(), close_timeout=0.0
    ) as shipper:
        await shipper.put(PREVIEW, StreamLog("2", NOW, country="GB"))
        server.process.send_signal(signal.SIGSTOP)
        started = loop.time()
        statistics = await shipper.flush(1)
        assert loop.time() - started < 20
        assert statistics.put == 1
        assert not statistics.settled
        server.process.send_signal(signal.SIGCONT)


# -- errors of other servers --

ERRORS = st.sampled_from([
    b"WRONGTYPE", b"MOVED 1 127.0.0.1:1", b"MOVED", b"ASK x", b"ASK 3 h:x", b"CROSSSLOT", b"ERR", b"NOSCRIPT",
    b"EXECABORT", b"UNKNOWN", b"NOPERM", b"", b"-", b"\xff\xfe", b"wrong", b"ERR max number of clients reached",
    b"ERR unknown command 'EVALSHA', with args beginning with: 'hunter2'",
])  # fmt: skip
REPLIES = st.one_of(
    st.builds(b"-%s %s\r\n".__mod__, st.tuples(ERRORS, st.sampled_from([b"", b"x y", b"\xe9"]))),
    st.sampled_from([
        b"+OK\r\n", b":1\r\n", b"$-1\r\n", b"*0\r\n", b"*-1\r\n", b"$3\r\nabc\r\n", b"HTTP/1.1 400 Bad Request\r\n",
        b"*1\r\n:7\r\n", b"*1\r\n$3\r\nyes\r\n", b"?\r\n", b":x\r\n", b"$x\r\n", b"*1\r\n-ERR\r\n",
    ]),
)  # fmt: skip


@settings(max_examples=25, deadline=None)
@given(st.lists(REPLIES, min_size=1, max_size=4))
def test_every_answer_of_a_server_gives_an_error_of_this_package(replies):
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(redis_connection, "RESPONSE_TIMEOUT", 0.1)
        asyncio.run(use_all(replies))


async def use_all(replies):
    errors = []
    async with FakeRedis(*replies) as fake:
        errors.append(await error_of(opened(fake.url, open_timeout=0.0)))
        inspector = RedisSpoolInspector(fake.url)
        errors.append(await error_of(inspector.status()))
        errors.append(await error_of(inspector.checkpoint("x")))
        errors.append(await error_of(inspector.replay(["1-1"])))
        errors.append(await error_of(dead_letters(inspector)))
        await inspector.aclose()
        limits = RedisRateLimiter(fake.url, "key", Settings(timeout=Timeout(total=1.0)), SystemClock())
        errors.append(await error_of(asyncio.wait_for(claim(limits), 0.1)))
        errors.append(await error_of(limits.pause_left()))
        limits.pause(None, 1.0)
        await limits.aclose()
        connection = RedisConnection(fake.url)
        with contextlib.suppress(RedisUnavailableError):
            errors.append(await error_of(connection.read("PING")))
        await connection.aclose()
    assert "hunter2" not in " ".join(map(str, errors))


async def dead_letters(inspector):
    return [letter async for letter in inspector.dead_letters()]


async def claim(limits):
    async with limits.slot(RateClass.PREVIEW_LOGS) as slot:
        await slot.sending(1.0)


async def error_of(work):
    """Return what work raises if it is an error of this package."""
    try:
        made = await work
    except DOCUMENTED as error:
        return error
    if isinstance(made, RedisSpool):
        await made.aclose()
    return None


# -- URLs --

SECRETS = "hunter2"
UNUSABLE = [
    "keydb://:hunter2@h/0",
    "redis+sentinel://:hunter2@h/0",
    "http://:hunter2@h",
    "redis:hunter2@h",
    "redis:/:hunter2@h/0",
    "redis://",
    "redis://:hunter2@h:port/0",
    "redis://:hunter2@h:0",
    "redis://:hunter2@h:65536",
    "redis://:hunter2@h/x",
    "redis://:hunter2@h/-1",
    "redis://:hunter2@h/0?nonsense=hunter2",
    "redis://:hunter2@h/0?decode_responses=true",
    "redis://:hunter2@h/0?protocol=3",
    "redis://:hunter2@h/0?db=x",
    "redis://:hunter2@h/0?db=1&db=2",
    "redis://:hunter2@h/0?ssl_ca_certs=x",
    "redis://:hunter2@h/0?prefix=",
    "redis://:hunter2@h/0?prefix={x}",
    "redis://:hunter2@h/0?client_name=",
    "redis://:hunter2@h/0?client_name=%ff",
    "rediss://:hunter2@h/0?ssl_cert_reqs=none",
    "rediss://:hunter2@h/0?ssl_cert_reqs=optional",
    "rediss://:hunter2@h/0?ssl_check_hostname=false",
    "redis://:hunter2%zz@h",
    "redis://:hunter2%ff@h",
    "redis://:hunter2 @h",
    "redis://:hunter2/x@h",
    "redis://u:12/hunter2@h",
    "redis://u:12?hunter2@h",
    "redis://u:12#hunter2@h",
    "redis://:hunter2@a..b",
    "redis://[hunter2",
    "unix://hunter2/socket",
    "unix://",
    '"redis://:hunter2@h/0"',
    "URL=redis://:hunter2@h/0",
]


@each_row("url", UNUSABLE)
def test_an_unusable_url_is_refused_and_not_quoted(url):
    for use in (open_spool, open_inspector, safe_location, file_of, RedisConnection, RedisURL.parse):
        if use is file_of and url.startswith(("redis:", "rediss:", "unix:")):
            assert file_of(url) is None
            continue
        with pytest.raises(ConfigurationError) as refused:
            use(url)
        assert SECRETS not in str(refused.value)


@each_row(
    ("url", "safe_url", "connection"),
    [
        ("redis://h", "redis://h:6379", {"host": "h", "port": 6379, "db": 0}),
        ("REDIS://:hunter2@H:1/2", "redis://h:1/2", {"host": "h", "port": 1, "db": 2, "password": SECRETS}),
        (" valkey://u:hunter%402@h/0 ", "redis://h:6379/0", {"username": "u", "password": "hunter@2"}),
        ("redis://h/0?password=hunter2&db=3", "redis://h:6379/0", {"password": SECRETS, "db": 3}),
        ("redis://[::1]:7/0", "redis://[::1]:7/0", {"host": "::1"}),
        ("unix:///run/x%20y?db=3", "unix:///run/x y", {"unix_socket_path": "/run/x y", "db": 3}),
        ("valkeys://h/1?ssl_ca_certs=ca.pem", "rediss://h:6379/1", {"ssl": True, "ssl_ca_certs": "ca.pem"}),
        ("rediss://h?ssl_cert_reqs=required", "rediss://h:6379", {"ssl_cert_reqs": "required"}),
        ("rediss://h?ssl_check_hostname=true", "rediss://h:6379", {"ssl_check_hostname": True}),
    ],
)  # fmt: skip
def test_a_url_gives_the_arguments_of_a_connection(url, safe_url, connection):
    parsed = RedisURL.parse(url)
    assert parsed.safe_url == safe_url
    assert connection.items() <= parsed.connection.items()
    assert SECRETS not in repr(parsed) + repr(open_spool(url)) + safe_location(url)


TEXT = st.text(string.printable, max_size=12)


@given(
    st.sampled_from(["redis", "rediss", "unix", "valkey", "REDIS", "keydb", "redis+x", ""]),
    st.sampled_from(["://", ":", ":/", "//", "://:hunter2@", "://u:hunter2@", "://hunter2@"]),
    st.lists(
        st.one_of(TEXT, st.sampled_from(["h", ":6379", "/0", "?", "&", "=", "%", "@", "#", *OPTION_PARSERS])),
        max_size=6,
    ),
)
def test_every_url_gives_an_error_of_this_package_that_quotes_nothing(scheme, start, rest):
    url = scheme + start + "".join(rest)
    for use in (RedisConnection, open_inspector, safe_location):
        try:
            said = repr(use(url))
        except (ConfigurationError, SpoolError) as error:
            said = str(error)
        assert SECRETS not in said or "://" not in url


# -- schemes --


def test_a_location_is_a_file_or_has_a_scheme(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert file_of("plays:2026.db") == Path("plays:2026.db")
    assert file_of("file:plays%201.db") == Path("plays 1.db")
    assert file_of("FILE:///srv/plays.db") == file_of("file://localhost/srv/plays.db") == Path("/srv/plays.db")
    assert file_of("redis://h") is file_of("memory:") is None
    assert isinstance(open_spool("memory:"), MemorySpool)
    assert isinstance(open_spool("file:plays.db"), SqliteSpool)
    assert isinstance(open_spool(Path("redis://h:1/0")), RedisSpool)
    assert isinstance(open_inspector("redis://h"), RedisSpoolInspector)
    assert isinstance(open_inspector("plays.db"), SqliteSpoolInspector)
    assert [safe_location(location) for location in ("plays.db", "memory:", "file:x")] == [
        "plays.db",
        "memory:",
        "file:x",
    ]


@pytest.mark.parametrize(
    "location", ["", "  ", b"plays.db", "file:", "file://elsewhere/plays.db", Path("keydb://:hunter2@h")]
)
def test_an_unusable_location_is_an_error(location):
    with pytest.raises(ConfigurationError) as refused:
        open_spool(location)
    assert SECRETS not in str(refused.value)


def test_a_memory_spool_has_no_inspector():
    with pytest.raises(ConfigurationError, match="a memory spool exists only in its own process"):
        open_inspector("memory:")


def test_a_scheme_can_be_registered(monkeypatch):
    monkeypatch.setattr(registry, "_schemes", dict(registry._schemes))
    spool = MemorySpool()
    register_scheme("plays+x", SpoolScheme(lambda _: spool, None, lambda _: "plays+x:"))
    assert open_spool("Plays+X://:hunter2@h") is spool
    assert safe_location("plays+x:hunter2") == "plays+x:"
    for taken in ("redis", "Upper", "x", "a b"):
        with pytest.raises(ConfigurationError):
            register_scheme(taken, registry._schemes["memory"])


# -- rate limit --


async def test_a_rate_limit_on_a_server_that_refuses_is_an_error_and_does_not_stop_other_calls():
    async with FakeRedis(b"-WRONGTYPE x\r\n") as fake:
        limits = RedisRateLimiter(fake.url, "key", Settings(), SystemClock())
        with pytest.raises(ConfigurationError, match="WRONGTYPE"):
            await claim(limits)
        assert await limits.pause_left() == 0.0
        limits.pause(None, 0.0)
        await asyncio.sleep(0.05)
        await limits.aclose()
        with pytest.raises(ConfigurationError, match="is closed"):
            await claim(limits)


async def test_a_slot_whose_server_refuses_is_not_used(redis_server):
    async with FakeRedis(b"*2\r\n$7\r\nclaimed\r\n:0\r\n", b"-MOVED 1 h:1\r\n") as fake:
        limits = RedisRateLimiter(fake.url, "key", Settings(), SystemClock())
        with pytest.raises(SevenDigitalError, match="cluster"):
            await claim(limits)
        await limits.aclose()


# -- connection --


@pytest.mark.parametrize("said", [b"-NOSCRIPT x\r\n", b"+OK\r\n", b"*0\r\n"])
async def test_a_server_that_runs_no_scripts(said):
    async with FakeRedis(said) as fake:
        connection = RedisConnection(fake.url)
        with pytest.raises(ConfigurationError):
            await connection.run(PAUSE_LEFT_SCRIPT, pause="key")
        await connection.aclose()
        with pytest.raises(ConfigurationError, match="closed"):
            await connection.read("PING")


async def test_plays_accepted_while_counts_are_fetched_are_counted_the_next_time(redis_server):
    spool = await opened(redis_server.url)
    await spool.append(PREVIEW, plays(1))
    run_once = spool._client.run_once

    async def slow(script, *arguments, **options):
        answer = await run_once(script, *arguments, **options)
        if script is scripts.COUNTS:
            await spool.append(PREVIEW, plays(2))
        return answer

    spool._client.run_once = slow
    assert (await spool.counts(PREVIEW)).put == 1
    spool._client.is_unavailable = True
    assert (await spool.counts(PREVIEW)).put == 3
    spool._client.is_unavailable = False
    spool._client.run_once = run_once
    await spool.aclose()
