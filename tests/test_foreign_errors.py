"""Whatever settings, sessions, arguments and servers do: only the package's own errors come out, without secrets."""

import asyncio
import inspect
import logging
import math
import re
import socket
import ssl
import traceback
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from typing import get_type_hints

import aiohttp
import pytest
from attrs import fields
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from support.arguments import sample
from support.rawserver import HANG_UP, answer, raw_server
from support.responses import responses
from support.rows import each_row

from sevendigital_async import (
    NO_RETRY,
    ConfigurationError,
    ConnectError,
    Credentials,
    Dialect,
    DisconnectedError,
    Host,
    InvalidArgumentError,
    InvalidLogError,
    ResponseCache,
    RetryPolicy,
    Settings,
    SevenDigital,
    SevenDigitalError,
    SignaturePlacement,
    StreamLog,
    Timeout,
    TransportError,
    UserToken,
)
from sevendigital_async.client import ApiClient
from sevendigital_async.clock import SystemClock
from sevendigital_async.config import check_origin
from sevendigital_async.operations import REGISTRY
from sevendigital_async.resources.checks import subscription_period
from sevendigital_async.session.cache import MAX_SECONDS, fresh_for
from sevendigital_async.session.core import Session
from sevendigital_async.session.request import Call
from sevendigital_async.session.transport import transport_error

MARKER = "hunter2marker"
STATUS = answer('{"serviceStatus":{"serverTime":"2026-01-31T12:00:00Z"}}', Content_Type="application/json")


def shown(error):
    """Return all that an error shows, with what led to it."""
    return "".join(traceback.format_exception(error)) + repr(error) + repr(vars(error))


@contextmanager
def only_ours(kind=SevenDigitalError, show=shown):
    """Let nothing out but an error of ours that shows no secret."""
    try:
        yield
    except kind as error:
        if MARKER in show(error):
            raise AssertionError("the error shows a secret") from None


def authorisations(request):
    return re.findall(rb"(?im)^authorization: ([^\r]*)", request)


# -- sessions --


@pytest.fixture
def netrc(tmp_path, monkeypatch):
    def write(content):
        path = tmp_path / "netrc"
        path.write_bytes(content)
        monkeypatch.setenv("NETRC", str(path))
        for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
            monkeypatch.delenv(name.upper(), raising=False)

    return write


NETRC = f"default login alice password {MARKER}\n".encode()


@pytest.mark.parametrize("placement", SignaturePlacement)
async def test_credentials_of_netrc_are_never_sent(netrc, placement):
    netrc(NETRC)
    async with raw_server(STATUS) as raw, aiohttp.ClientSession(trust_env=True) as session:
        client = SevenDigital("key", "secret", base_url=raw.base_url, session=session, signature=placement)
        await client.classic.service.status()
    sent = authorisations(raw.requests[0])
    assert [value[:6] for value in sent] == ([b"OAuth "] if placement is SignaturePlacement.HEADER else [])
    assert b"Basic" not in raw.requests[0]


async def test_credentials_of_netrc_are_not_sent_to_where_a_redirect_leads(netrc):
    netrc(NETRC)
    media = answer(b"clip", Content_Type="audio/mpeg")
    async with raw_server(media) as cdn, aiohttp.ClientSession(trust_env=True) as session:
        async with raw_server(answer("", "302 Found", Location=f"{cdn.base_url}/x")) as raw:
            client = SevenDigital("key", "secret", base_url=raw.base_url, session=session)
            async with client.media.stream("1") as response:
                assert await response.read() == b"clip"
    assert len(authorisations(raw.requests[0])) == 1
    assert authorisations(cdn.requests[0]) == []


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    "options",
    [
        {"auth": ("alice", MARKER)},
        {"headers": {"Authorization": MARKER}},
        {"auth": ("alice", MARKER), "trust_env": True},
    ],
)
async def test_credentials_of_a_session_give_way_to_the_signature(netrc, options):
    netrc(NETRC)
    if "auth" in options:
        options = {**options, "auth": aiohttp.BasicAuth(*options["auth"])}
    async with raw_server(STATUS) as raw, aiohttp.ClientSession(**options) as session:
        await SevenDigital("key", "secret", base_url=raw.base_url, session=session).classic.service.status()
    (sent,) = authorisations(raw.requests[0])
    assert sent.startswith(b"OAuth ")


@pytest.mark.parametrize("content", [b"\xff\xfe rubbish", b"machine", b"", b"machine x login " + MARKER.encode()])
async def test_a_netrc_that_can_not_be_read_is_ours_to_tell(netrc, content):
    netrc(content)
    async with raw_server(STATUS) as raw, aiohttp.ClientSession(trust_env=True) as session:
        client = SevenDigital("key", "secret", base_url=raw.base_url, session=session, retry=NO_RETRY)
        with only_ours(ConfigurationError):
            await client.classic.service.status()
    assert not any(b"Basic" in request for request in raw.requests)


@pytest.mark.parametrize(
    "proxy", ["http://[::1", f"http://alice:{MARKER}@127.0.0.1:1", f"socks5://alice:{MARKER}@h:1", "rubbish"]
)
async def test_a_proxy_of_the_environment_that_can_not_be_used_is_ours_to_tell(netrc, monkeypatch, proxy):
    netrc(b"")
    monkeypatch.setenv("http_proxy", proxy)
    async with raw_server(STATUS) as raw, aiohttp.ClientSession(trust_env=True) as session:
        client = SevenDigital("key", "secret", base_url=raw.base_url, session=session, retry=NO_RETRY)
        with pytest.raises((ConfigurationError, ConnectError)) as caught:
            await client.classic.service.status()
    assert MARKER not in shown(caught.value)
    assert not getattr(caught.value, "maybe_sent", False)
    assert raw.requests == []


async def test_a_closed_session_is_named():
    session = aiohttp.ClientSession()
    client = SevenDigital("key", "secret", session=session)
    await session.close()
    with pytest.raises(ConfigurationError, match="session is closed"):
        await client.classic.service.status()


async def test_a_session_that_is_closed_during_a_call_ends_it():
    async def slow(_, __, ___):
        await asyncio.sleep(60)

    async with raw_server(slow) as raw:
        session = aiohttp.ClientSession()
        client = SevenDigital("key", "secret", base_url=raw.base_url, session=session, retry=RetryPolicy(base=0.001))
        task = asyncio.create_task(client.classic.service.status())
        while not raw.requests:
            await asyncio.sleep(0.01)
        await session.close()
        with pytest.raises(SevenDigitalError):
            await task


async def test_a_session_of_another_loop_is_named():
    def make():
        async def session():
            return aiohttp.ClientSession()

        return asyncio.run(session())

    session = await asyncio.to_thread(make)
    with pytest.raises(ConfigurationError, match="another event loop"):
        await SevenDigital("key", "secret", session=session).classic.service.status()
    await session.close()


def test_outside_of_a_loop_the_client_says_so():
    with pytest.raises(ConfigurationError, match="running asyncio event loop"):
        SevenDigital("key", "secret").classic.service.status().send(None)


@pytest.mark.parametrize("session", ["session", 5, object()])
def test_what_is_no_session_is_refused(session):
    with pytest.raises(ConfigurationError, match=r"aiohttp\.ClientSession"):
        SevenDigital("key", "secret", session=session)


class Lookup(aiohttp.abc.AbstractResolver):
    """Resolves names as the test says."""

    def __init__(self, act):
        self.act = act

    async def resolve(self, host, port=0, family=socket.AF_INET):
        return await self.act(host, port)

    async def close(self):
        pass


@pytest.mark.parametrize(
    "error",
    [
        OSError("no such host"),
        UnicodeError("label too long"),
        RuntimeError(MARKER),
        ValueError(MARKER),
        KeyError(MARKER),
        AssertionError(MARKER),
        AttributeError(MARKER),
        asyncio.CancelledError(),
        ssl.CertificateError("x"),
        EOFError(),
    ],
)
async def test_whatever_a_look_up_raises_is_ours(error):
    async def act(_, __):
        raise error

    connector = aiohttp.TCPConnector(resolver=Lookup(act))
    async with aiohttp.ClientSession(connector=connector) as session:
        client = SevenDigital("key", "secret", base_url="https://h.example", session=session, retry=NO_RETRY)
        with pytest.raises(TransportError) as caught:
            await client.classic.service.status()
    assert caught.value.operation == "classic.service.status"
    assert MARKER not in shown(caught.value)


async def test_a_look_up_that_somebody_else_cancels_is_not_our_cancellation():
    looking = asyncio.Event()

    async def act(_, __):
        looking.set()
        await asyncio.sleep(60)

    session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(resolver=Lookup(act)))
    client = SevenDigital("key", "secret", base_url="https://h.example", session=session, retry=NO_RETRY)
    task = asyncio.create_task(client.classic.service.status())
    await looking.wait()
    await session.close()
    with pytest.raises(SevenDigitalError):
        await task
    assert not task.cancelled()


async def test_our_own_cancellation_stays_one():
    async def act(_, __):
        await asyncio.sleep(60)

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(resolver=Lookup(act))) as session:
        client = SevenDigital("key", "secret", base_url="https://h.example", session=session)
        task = asyncio.create_task(client.classic.service.status())
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.classic.service.status(), 0.05)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (asyncio.IncompleteReadError(b"x", 5), DisconnectedError),
        (ConnectionResetError("Cannot write to closing transport"), DisconnectedError),
        (ssl.SSLCertVerificationError(1, "certificate verify failed"), ConnectError),
        (ssl.SSLError(1, "record layer failure"), DisconnectedError),
        (RuntimeError("Session is closed"), ConfigurationError),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid"), ConfigurationError),
        (AssertionError(MARKER), ConfigurationError),
    ],
)
async def test_whatever_aiohttp_raises_is_ours(error, kind):
    with responses() as mocked:
        mocked.get("https://api.7digital.com/1.2/status", exception=error)
        async with SevenDigital("key", "secret", retry=NO_RETRY) as client:
            with pytest.raises(kind) as caught:
                await client.classic.service.status()
    assert MARKER not in shown(caught.value)


def test_the_end_of_a_stream_is_a_lost_connection():
    assert type(transport_error(EOFError())) is DisconnectedError


# -- settings --

SECRET_URLS = [
    f"https://alice:{MARKER}@h",
    f"https://alice:{MARKER}",
    f"https://h:{MARKER}",
    f"https://h?{MARKER}",
    f"https://{MARKER}@h",
    f"https://h#{MARKER}",
    f"https://h/{MARKER} x",
    f"https://[{MARKER}]/",
    f"https://h:1{MARKER}@x",
    f"https://alice:{MARKER}@h:99999",
]
ODD_URLS = [
    "https://h:0",
    "https://h:65536",
    "https://h:-1",
    "https://h:٣",
    "https://bücher.example",
    "https://a b",
    "https://h/a b",
    "https://h/\n",
    "https://h\r\nX: y",
    "https://h/a\\b",
    "https://h/<x>",
    "https://h/%zz",
    "https://h/é",
    "https://[::1",
    "//h",
    "https:///x",
    "https://.",
    "https://*",
    "https://h/\0",
    "https://h\ud800",
    "https://" + "a" * 300,
    "https://h?",
    "https://h#",
    "https://h@",
    "https://@h",
    "javascript:1",
    " https://h",
    "https://h ",
]


@each_row("url", [*SECRET_URLS, *ODD_URLS])
def test_odd_urls_are_refused_without_being_quoted(url):
    for make in (
        lambda: Settings(base_url=url),
        lambda: Settings(hosts={Host.API: url}),
        lambda: SevenDigital("key", "secret", base_url=url),
        lambda: SevenDigital.from_env(
            {"SEVENDIGITAL_CONSUMER_KEY": "k", "SEVENDIGITAL_CONSUMER_SECRET": "s", "SEVENDIGITAL_BASE_URL": f"{url}#"}
        ),
    ):
        with pytest.raises(ConfigurationError) as caught:
            make()
        assert MARKER not in shown(caught.value)


@pytest.mark.parametrize(
    "url",
    ["https://h", "https://h:443/a/b%20c/", "https://xn--bcher-kva.example", "http://[::1]:80", "https://a_b.example."],
)
def test_usual_urls_are_not(url):
    assert Settings(base_url=url).origins[Host.API] == url.rstrip("/")


@pytest.mark.parametrize("url", ["https://a..b", "https://" + "a" * 64 + ".example"])
async def test_names_that_no_resolver_takes_are_connection_errors(url):
    async with SevenDigital("key", "secret", base_url=url, retry=NO_RETRY) as client:
        with pytest.raises(ConnectError):
            await client.classic.service.status()


NO_HEADER = ["a\nb", "a\r\nX-Evil: 1", "a\0", "\x7f", "\ud800", "a\x0bb"]


@pytest.mark.parametrize("text", NO_HEADER)
def test_what_no_header_can_carry_is_refused_before_anything_is_sent(text):
    with pytest.raises(ConfigurationError, match="user_agent"):
        Settings(user_agent=text)
    client = SevenDigital("key", "secret", base_url="http://127.0.0.1:1")
    with pytest.raises(InvalidArgumentError, match="trace_id"):
        client.with_options(trace_id=text).sign_url(REGISTRY.find("getStatus"))
    for headers in ({"X-Y": text}, {text: "x"}, {"X-Y": 5}, {5: "x"}, {"": "x"}, {"a b": "x"}, "headers", {"a:": "x"}):
        with pytest.raises(InvalidArgumentError, match="header"):
            client.stream(REGISTRY.find("media.stream"), headers=headers, track_id="1")


@pytest.mark.parametrize("agent", ["Radio/1.0 (+https://x.example)", "Café/1.0", "a\tb", "日本"])
async def test_other_user_agents_are_sent(agent):
    async with raw_server(STATUS) as raw:
        async with SevenDigital("k", "s", settings=Settings(user_agent=agent, base_url=raw.base_url)) as client:
            await client.classic.service.status()
    assert f"User-Agent: {agent} sevendigital_async/".encode() in raw.requests[0]


BAD_SETTINGS = {
    "base_url": [5, b"https://h", "", object()],
    "hosts": [5, [], {"api": "https://h"}, {Host.API: 5}, {Host.API: None}, "x"],
    "dialect": ["openapi", 5, None],
    "signature": ["header", None],
    "timeout": [5, None, 30.0],
    "retry": [3, None],
    "max_wait": [-1, math.nan, "60", None, True],
    "max_response_bytes": [0, -1, 1.5, "1", True, None],
    "max_connections": [-1, 1.5, "1", True, None],
    "user_agent": [5, b"x"],
    "country": [5, b"GB"],
    "live_preview_log_path": [5, None, "x", "/a\n", "/\x7f"],
}


@each_row(("name", "value"), [(name, value) for name, values in BAD_SETTINGS.items() for value in values])
def test_settings_of_the_wrong_kind_are_named(name, value):
    with pytest.raises(ConfigurationError):
        Settings(**{name: value})


@pytest.mark.parametrize("name", ["total", "connect", "read"])
def test_timeouts_are_positive_and_finite(name):
    for value in (0, -1, math.inf, math.nan, "5", True, *([None] if name == "connect" else [])):
        with pytest.raises(ConfigurationError, match=name):
            Timeout(**{name: value})


@each_row(
    "bad",
    [
        {"attempts": 0},
        {"attempts": 1.5},
        {"attempts": "4"},
        {"base": -1},
        {"base": math.nan},
        {"cap": math.inf},
        {"cap": math.nan},
        {"cap": None},
        {"deadline": 0},
        {"deadline": math.nan},
        {"deadline": "x"},
    ],
)
def test_retry_policies_mean_something(bad):
    with pytest.raises(ConfigurationError):
        RetryPolicy(**bad)


def test_limits_may_be_none_where_that_means_something():
    assert Timeout(total=None, read=None).total is None
    assert RetryPolicy(deadline=None).deadline is None
    assert Settings(max_wait=math.inf).max_wait == math.inf


@pytest.mark.parametrize("value", ["\ud800", "a\udfff"])
def test_credentials_have_a_utf_8_form(value):
    for make in (lambda: Credentials(value, "s"), lambda: Credentials("k", value), lambda: UserToken("t", value)):
        with pytest.raises(ConfigurationError, match="printed"):
            make()


JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(st.characters(exclude_categories=[]), max_size=30),
    st.binary(max_size=5),
    st.lists(st.none(), max_size=2),
    st.dictionaries(st.text(max_size=3), st.none(), max_size=1),
)
URLS = st.one_of(
    st.text(st.characters(exclude_categories=[]), max_size=30).map("https://{}".format),
    st.from_regex(r"https?://[a-z\[\]:@%0-9. é/?#-]{1,30}"),
)


@given(st.dictionaries(st.sampled_from([field.name for field in fields(Settings) if field.init]), JUNK | URLS))
def test_settings_are_made_or_refused(given):
    with suppress(ConfigurationError):
        Settings(**given)


@given(URLS)
@example("https://[")
def test_origins_are_usable_or_refused(url):
    with suppress(ConfigurationError):
        check_origin(url)


# -- arguments --


class Broken(tzinfo):
    """A time zone of the caller's that fails."""

    def utcoffset(self, _):
        raise RuntimeError(MARKER)


WEST, EAST = timezone(-timedelta(hours=23)), timezone(timedelta(hours=23))
ENDS = [datetime.min.replace(tzinfo=EAST), datetime.max.replace(tzinfo=WEST), datetime(2026, 1, 1, tzinfo=Broken())]
ITSELF = []
ITSELF.append(ITSELF)
GARBAGE = [
    5,
    -1,
    10**5000,
    1.5,
    math.nan,
    math.inf,
    True,
    None,
    "",
    "\ud800",
    "\0",
    "x" * 2000,
    b"x",
    object(),
    Decimal("NaN"),
    Decimal("1e999999"),
    Decimal("-Infinity"),
    [],
    {},
    {"a": 1},
    {1: 2},
    {"\ud800": "x"},
    [None],
    ["\ud800"],
    ITSELF,
    iter([1]),
    timedelta(1),
    datetime(1, 1, 1),
    date.min,
    date.max,
    *ENDS,
    StreamLog(5, 5),
    [StreamLog("1", ENDS[0])],
    [StreamLog("1", ENDS[1])],
    [StreamLog("1", ENDS[2])],
]


class Nowhere:
    """A transport that reaches nobody."""

    async def open(self, *_):
        raise ConnectError("no connection could be made")

    async def aclose(self):
        pass


def client_in(dialect):
    settings = Settings(dialect=dialect, retry=NO_RETRY)
    session = Session(Credentials("key", "secret"), settings, Nowhere(), clock=SystemClock())
    return ApiClient(session, session.options)


def methods_of(resource):
    for name in dir(resource):
        member = None if name.startswith("_") else getattr(resource, name)
        if inspect.ismethod(member):
            yield member
        elif type(member).__module__.startswith("sevendigital_async.resources"):
            yield from methods_of(member)


async def finish(result):
    if inspect.isawaitable(result):
        await result
    elif hasattr(result, "url"):
        result.url()


@pytest.mark.parametrize(
    ("namespace", "dialect"),
    [
        ("classic", Dialect.OPENAPI),
        ("platform", Dialect.OPENAPI),
        ("platform", Dialect.LIVE),
        ("media", Dialect.OPENAPI),
        ("oauth", Dialect.OPENAPI),
    ],
)
async def test_no_method_lets_a_foreign_error_out_whatever_it_is_given(namespace, dialect):
    client = client_in(dialect)
    for method in methods_of(getattr(client, namespace)):
        hints = get_type_hints(method)
        parameters = inspect.signature(method).parameters
        required = [name for name, parameter in parameters.items() if parameter.default is inspect.Parameter.empty]
        usual = {name: sample(hints[name], name) for name in required}
        for name in parameters:
            for value in GARBAGE:
                with only_ours(show=str):
                    await finish(method(**{**usual, name: value}))


ANYTHING = JUNK | st.datetimes(timezones=st.sampled_from([None, UTC, EAST, WEST])) | st.dates() | st.decimals()


FORMS = [(operation, dialect) for operation in REGISTRY for dialect in operation.bindings]


@given(st.sampled_from(FORMS), st.data())
def test_no_operation_lets_a_foreign_error_out_whatever_it_is_given(form, data):
    operation, dialect = form
    binding = operation.bindings[dialect]
    names = [*(argument.name for argument in binding.parameters), *binding.spread]
    values = data.draw(st.dictionaries(st.sampled_from(names), ANYTHING)) if names else {}
    with suppress(SevenDigitalError):
        session = client_in(dialect)._session
        session.request(Call(operation, values, session.options))


@pytest.mark.parametrize("moment", ENDS)
def test_a_time_that_has_no_form_is_an_unfit_play(moment):
    log = StreamLog("1", moment)
    with pytest.raises(InvalidLogError, match="timestamp"):
        log.check(datetime.now(UTC))
    with pytest.raises(InvalidLogError, match="timestamp"):
        log.encode()


@pytest.mark.parametrize("view", ["as_user", "retry", "timeout", "operation"])
def test_views_of_the_wrong_kind_are_named(view):
    client, status = SevenDigital("key", "secret"), REGISTRY.find("getStatus")
    with pytest.raises(InvalidArgumentError, match="must be a"):
        if view == "as_user":
            client.as_user(MARKER).sign_url(status)
        elif view == "operation":
            client.sign_url("getStatus")
        else:
            client.with_options(**{view: 5}).sign_url(status)


def test_the_last_month_has_no_month_after_it():
    subscription_period(date(9999, 12, 5), date(9999, 12, 31))


# -- servers --


def cut(text):
    async def handler(_, writer, __):
        writer.write(text)
        await writer.drain()

    return handler


HEAD = b"HTTP/1.1 200 OK\r\n"
SERVERS = {
    "hangs up": HANG_UP,
    "rubbish": cut(b"rubbish\r\n\r\n"),
    "TLS": cut(b"\x16\x03\x01\x02\x00\x01\x00"),
    "nothing but a status": cut(HEAD),
    "no status": cut(b"HTTP/1.1 OK\r\n\r\n"),
    "a long line": cut(HEAD + b"X: " + b"x" * 20_000 + b"\r\n\r\n"),
    "many headers": cut(HEAD + b"".join(b"X-%d: y\r\n" % number for number in range(40_000)) + b"\r\n"),
    "a header without a name": cut(HEAD + b": x\r\n\r\n"),
    "a header that is not text": cut(HEAD + b"X: \xff\xfe\x00\r\n\r\n"),
    "a length that is none": cut(HEAD + b"Content-Length: x\r\n\r\n"),
    "a length below zero": cut(HEAD + b"Content-Length: -5\r\n\r\n"),
    "a length beyond reason": cut(HEAD + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n"),
    "two lengths": cut(HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxy"),
    "a short body": cut(HEAD + b"Content-Length: 9\r\n\r\n{"),
    "chunks that are none": cut(HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"),
    "not gzip": answer("plain", Content_Encoding="gzip"),
    "not deflate": answer("plain", Content_Encoding="deflate"),
    "half of gzip": answer(b"\x1f\x8b\x08\x00\x00", Content_Encoding="gzip"),
    "not brotli": answer("plain", Content_Encoding="br"),
    "not zstd": answer("plain", Content_Encoding="zstd"),
    "a coding that nobody knows": answer("plain", Content_Encoding="x-magic"),
    "a charset that nobody knows": answer("{}", Content_Type="application/json; charset=x-magic"),
    "no content type": answer("{}", Content_Type="\x01"),
    "cookies that are none": answer("{}", Set_Cookie="=;;=\x01; Max-Age=x; expires=never"),
    "a location that is none": answer("", "302 Found", Location="http://[::1"),
    "a location with a password": answer("", "302 Found", Location=f"https://alice:{MARKER}@h:{MARKER}/"),
    "a date beyond all dates": answer("", "401 Unauthorized", Date="Fri, 31 Dec 99999 23:59:60 +9999"),
    "a refused timestamp and no date": answer(
        "OAuth authentication error: timestamp", "401 Unauthorized", Date="0" * 5000, Content_Type="text/plain"
    ),
    "a wait until a date that is none": answer("", "503 Busy", Retry_After="Mon, 99 Foo 0000 99:99:99 +99999999"),
    "a wait of many digits": answer("", "503 Busy", Retry_After="9" * 5000),
    "limits of many digits": answer("", "429 Slow", X_RateLimit_Reset="9" * 5000, X_RateLimit_Limit="1"),
    "an age of many digits": answer(
        '{"serviceStatus":{}}', Content_Type="application/json", Cache_Control=f"max-age={'9' * 5000}", Age="9" * 500
    ),
    "numbers of many digits": answer(
        '{"status":"error","error":{"code":' + "9" * 5000 + "}}", Content_Type="application/json"
    ),
    "deep JSON": answer("[" * 100_000, Content_Type="application/json"),
    "deep XML": answer("<a>" * 20_000, Content_Type="application/xml"),
    "an informational answer": cut(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"),
    "another protocol": cut(b"HTTP/9.9 200 OK\r\n\r\n"),
    "dates at the ends": answer(
        '{"serviceStatus":{"serverTime":"0001-01-01T00:00:00+23:59"}}', Content_Type="application/json"
    ),
}


@pytest.mark.parametrize("case", SERVERS)
@pytest.mark.parametrize("kind", ["model", "media", "plays"])
async def test_no_server_brings_a_foreign_error_about(case, kind, tmp_path, caplog):
    async with raw_server(SERVERS[case]) as raw:
        client = SevenDigital(
            "key",
            MARKER,
            base_url=raw.base_url,
            retry=NO_RETRY,
            cache=ResponseCache(),
            timeout=Timeout(total=5, read=5),
        )
        async with client:
            with caplog.at_level(logging.DEBUG, "sevendigital_async"), only_ours():
                if kind == "model":
                    await client.classic.service.status()
                elif kind == "media":
                    await client.media.stream("1").download(to=tmp_path / "clip")
                else:
                    await client.platform.logging.preview([StreamLog("1", datetime.now(UTC), country="GB")])
    assert MARKER not in caplog.text


@hypothesis_settings(max_examples=60)
@given(
    st.dictionaries(
        st.sampled_from(
            [
                "Content-Type",
                "Retry-After",
                "Date",
                "X-RateLimit-Limit",
                "X-RateLimit-Current",
                "X-RateLimit-Reset",
                "Location",
                "Cache-Control",
                "Age",
                "ETag",
                "Content-Range",
                "Content-Encoding",
                "Last-Modified",
                "x-7d-traceid",
            ]
        ),
        st.text(st.characters(min_codepoint=33, max_codepoint=255, exclude_characters="\x7f\x85\xa0"), max_size=40),
        max_size=5,
    ),
    st.sampled_from([200, 206, 301, 400, 401, 403, 404, 416, 429, 500, 503, 599]),
    st.binary(max_size=60),
)
def test_no_header_brings_a_foreign_error_about(tmp_path_factory, headers, status, body):
    async def ask():
        lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", "Connection: close"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        given = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body
        target = tmp_path_factory.mktemp("download") / "clip"
        async with raw_server(given) as raw:
            async with SevenDigital(
                "key", "secret", base_url=raw.base_url, retry=NO_RETRY, cache=ResponseCache()
            ) as client:
                for call in (client.classic.service.status, lambda: client.media.stream("1").download(to=target)):
                    with suppress(SevenDigitalError):
                        await call()

    asyncio.run(ask())


def test_a_time_to_keep_an_answer_is_bounded():
    assert fresh_for({"cache-control": f"max-age={'9' * 5000}"}) == MAX_SECONDS
    assert fresh_for({"cache-control": "max-age=10", "age": "9" * 500}) == 0
