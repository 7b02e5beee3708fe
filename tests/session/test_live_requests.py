"""Every method, as the live dialect spells it, beside what the vendor's pages have for it; and what it can't carry."""

from urllib.parse import parse_qsl, unquote, urlsplit

import orjson
import pytest
from support.live_examples import CATALOGUE, EVENT, PLAYED, PREVIEW, REQUESTS, SKIP, SUBSCRIBER
from support.live_facts import LIVE_FACTS
from support.rawserver import answer, raw_server

from sevendigital_async import (
    ConfigurationError,
    Dialect,
    InvalidArgumentError,
    InvalidLogError,
    Settings,
    SevenDigital,
    StreamLog,
    UnsupportedOperationError,
)
from sevendigital_async.config import DEFAULT_HOSTS, Host
from sevendigital_async.models import PlaybackEvent
from sevendigital_async.operations import REGISTRY
from sevendigital_async.resources.media_handle import MediaHandle
from sevendigital_async.resources.platform import Platform, logging
from sevendigital_async.session.request import build_request

DOCUMENTED = [name for name in LIVE_FACTS if name.startswith("platform.")]


def client_of(base_url):
    return SevenDigital("key", "secret", base_url=base_url, dialect=Dialect.LIVE)


class Left(Exception):  # noqa: N818 - not an error: it carries what would be sent
    def __init__(self, operation, request):
        super().__init__(operation.name)
        self.operation, self.request = operation, request


class Wire:
    """A stand-in for a client of one dialect, which shows what would be sent."""

    def __init__(self, dialect=Dialect.LIVE):
        self.dialect = dialect

    async def call(self, operation, /, **arguments):
        binding = operation.binding(self.dialect)
        raise Left(operation, build_request(operation, binding, DEFAULT_HOSTS[binding.host], arguments))

    def media_of(self, operation, /, **arguments):
        binding = operation.binding(self.dialect)
        raise Left(operation, build_request(operation, binding, DEFAULT_HOSTS[binding.host], arguments))


@pytest.fixture(autouse=True)
def in_time(monkeypatch):
    """Set the time of the pages' plays to a minute ago."""

    class Then(type(PLAYED)):
        @classmethod
        def now(cls, tz=None):
            return PLAYED.replace(minute=45)

    monkeypatch.setattr(logging, "datetime", Then)


async def leaving(method, dialect=Dialect.LIVE) -> Left:
    with pytest.raises(Left) as caught:
        await method(Platform(Wire(dialect)))
    return caught.value


def body_of(request):
    if request.form is not None:
        return dict(request.form)
    return None if request.body is None else orjson.loads(request.body)


@pytest.mark.parametrize("name", REQUESTS)
async def test_requests_are_those_of_the_pages(name):
    method, wanted, body = REQUESTS[name]
    left = (await leaving(method)).request
    query = "&".join(f"{key}={value}" for key, value in left.query)
    assert f"{left.http_method} {left.url}{'?' if query else ''}{query}" == wanted
    assert body_of(left) == body


async def test_every_operation_of_the_pages_has_an_example():
    names = {(await leaving(method)).operation.name for method, _, _ in REQUESTS.values()}
    assert names == set(DOCUMENTED)


# --- what the other dialect has, and this one not; and the other way round


@pytest.mark.parametrize(
    ("method", "argument"),
    [
        (lambda p: p.streaming.preview("1", format="mp3"), "format"),
        (lambda p: p.offline_devices.authorise("7", device_id="d", device_name="Phone"), "device_name"),
        (lambda p: p.sales.refund_release(user_id="7", purchase_id="1", release_id="2", reason="why"), "reason"),
        (lambda p: p.users.create(user_id="7", country="GB", email="a@b.example"), "email"),
        (lambda p: p.content_delivery.transfer_media("1", bitrate=320), "bitrate"),
    ],
)
async def test_what_live_can_not_carry_is_named(method, argument):
    with pytest.raises(InvalidArgumentError, match=rf"{argument}.* only in openapi") as caught:
        await method(Platform(Wire()))
    assert caught.value.argument == argument


@pytest.mark.parametrize(
    ("method", "argument"),
    [
        (lambda p: p.catalogue.release_details("1", country="GB"), "country"),
        (lambda p: p.catalogue.release_tracks("1", page_size=50), "page_size"),
        (lambda p: p.streaming.subscription("1", user_id="7"), "user_id"),
        (lambda p: p.playlists.create("x", status="draft"), "status"),
        (lambda p: p.sales.refund_track(user_id="7", purchase_id="1", track_id="2"), "track_id"),
        (lambda p: p.subscriptions.status("7"), None),
        (lambda p: p.playlists.read("p"), None),
    ],
)
async def test_what_only_live_has_is_named_elsewhere(method, argument):
    wanted = UnsupportedOperationError if argument is None else InvalidArgumentError
    with pytest.raises(wanted, match=f"{argument or 'openapi dialect'}") as caught:
        await method(Platform(Wire(Dialect.OPENAPI)))
    assert getattr(caught.value, "argument", None) == argument


@pytest.mark.parametrize(
    ("method", "missing"),
    [
        (lambda p: p.streaming.subscription("1", country="GB"), "format_id"),
        (lambda p: p.streaming.subscription_offline("1", country="GB", format_id="1"), "client_id"),
        (lambda p: p.downloads.track("7", track_id="1"), "release_id"),
        (lambda p: p.sales.refund_track(user_id="7", purchase_id="1"), "track_id"),
        (lambda p: p.users.create(country="GB"), "user_id"),
        (lambda p: p.playlists.create("x"), "country"),
    ],
)
async def test_what_live_demands_is_named(method, missing):
    with pytest.raises(InvalidArgumentError, match=f"needs the argument '{missing}'"):
        await method(Platform(Wire()))


async def test_a_new_user_needs_what_the_dialect_says():
    with pytest.raises(InvalidArgumentError, match="'email'"):
        await Platform(Wire(Dialect.OPENAPI)).users.create(country="GB", password="p")


# --- events


async def test_events_go_one_at_a_time():
    for wrong, words in (
        ([EVENT, SKIP], "one event, not 2"),
        ([PlaybackEvent("1", "start", PLAYED, playlist_id="9")], "format_id"),
        ([PlaybackEvent("1", "skip", PLAYED, duration_played=3, playlist_id="9")], "duration_played"),
        ([PlaybackEvent("1", "skip", PLAYED)], "playlist_id"),
        ([{"trackId": "1"}], "PlaybackEvent"),
    ):
        with pytest.raises(InvalidArgumentError, match=words):
            await Platform(Wire()).radio.post_events("s", events=wrong)
    with pytest.raises(InvalidArgumentError, match="playlist_id"):
        await Platform(Wire(Dialect.OPENAPI)).radio.post_events("s", events=[SKIP])


async def test_a_post_without_a_body_claims_no_type_of_one():
    async with raw_server(answer("{}")) as server, client_of(server.base_url) as client:
        await client.platform.radio.post_events("s", events=[EVENT])
    head = server.requests[0].lower()
    assert b"\r\ncontent-length: 0\r\n" in head
    assert b"content-type" not in head


# --- plays, one request a call


async def test_one_request_is_about_one_user_in_one_country():
    two = [SUBSCRIBER, StreamLog(**{**as_dict(SUBSCRIBER), "country": "GB"})]
    for logs in (two, [SUBSCRIBER, StreamLog(**{**as_dict(SUBSCRIBER), "user_id": "8"})]):
        with pytest.raises(InvalidLogError, match="must have the same user and country"):
            await Platform(Wire()).logging.subscriber(logs)
    left = (
        await leaving(lambda p: p.logging.preview([PREVIEW, StreamLog(**{**as_dict(PREVIEW), "country": "GB"})]))
    ).request
    assert left.query == (("country", "EE"),)
    assert [item["country"] for item in body_of(left)["logs"]] == ["EE", "GB"]


def as_dict(log):
    return {name: getattr(log, name) for name in log.__slots__ if not name.startswith("__")}


async def test_live_fields_have_no_place_in_the_other_dialect():
    with pytest.raises(InvalidLogError, match="release_id exists in the live dialect only"):
        await Platform(Wire(Dialect.OPENAPI)).logging.catalogue([CATALOGUE])


# --- settings


async def sent(method, **settings) -> tuple[str, str]:
    """Return verb and target of the request that a client with these settings sends."""
    async with (
        raw_server(answer('{"playLogs":{"count":1}}')) as server,
        SevenDigital(
            "key", "secret", settings=Settings(dialect=Dialect.LIVE, **settings, base_url=server.base_url)
        ) as client,
    ):
        await method(client)
        [request] = server.requests
    http_method, target, *_ = request.decode().split(" ")
    return http_method, unquote(target)


async def test_the_path_of_preview_logs_is_a_setting():
    report = lambda client: client.platform.logging.preview([PREVIEW])  # noqa: E731
    assert await sent(report) == ("POST", "/1.2/preview/log?country=EE")
    assert await sent(report, live_preview_log_path="/user/preview/log", country="GB") == (
        "POST",
        "/1.2/user/preview/log?country=GB",
    )
    for wrong in ("preview/log", "/x?y", "/{x}", ""):
        with pytest.raises(ConfigurationError, match="live_preview_log_path"):
            Settings(live_preview_log_path=wrong)


async def test_a_country_of_the_settings_stands_in_where_none_is_given():
    ask = lambda client: client.platform.playlists.delete("p")  # noqa: E731
    assert await sent(ask, country="DE") == ("DELETE", "/1.2/playlists/p?country=DE")
    _, target = await sent(lambda client: client.platform.logging.catalogue([CATALOGUE]), country="DE")
    assert dict(parse_qsl(urlsplit(target).query)) == {"country": "EE", "userId": "141732543"}


def test_the_environment_chooses_the_dialect():
    environ = {"SEVENDIGITAL_CONSUMER_KEY": "k", "SEVENDIGITAL_CONSUMER_SECRET": "s"}
    for text, dialect in (("", Dialect.OPENAPI), ("live", Dialect.LIVE), (" LIVE ", Dialect.LIVE)):
        client = SevenDigital.from_env({**environ, "SEVENDIGITAL_DIALECT": text})
        assert client._session.settings.dialect is dialect
    client = SevenDigital.from_env(
        {**environ, "SEVENDIGITAL_COUNTRY": "SE", "SEVENDIGITAL_LIVE_PREVIEW_LOG_PATH": "/user/preview/log"},
        settings=Settings(dialect=Dialect.LIVE),
    )
    settings = client._session.settings
    assert (settings.country, settings.live_preview_log_path) == ("SE", "/user/preview/log")
    assert settings.dialect is Dialect.LIVE
    with pytest.raises(ConfigurationError, match="openapi or live"):
        SevenDigital.from_env({**environ, "SEVENDIGITAL_DIALECT": "latin"})


def test_each_host_is_a_setting():
    live_hosts = {operation.bindings[Dialect.LIVE].host for operation in REGISTRY if Dialect.LIVE in operation.bindings}
    assert live_hosts == set(Host) - {Host.ACCOUNT}
    settings = Settings(hosts={Host.RADIO: "https://radio.example"})
    assert settings.origins[Host.RADIO] == "https://radio.example"


def test_media_are_signed_urls_in_both_dialects():
    client = SevenDigital("key", "secret", dialect=Dialect.LIVE)
    stream = client.platform.streaming.subscription("1", format_id="56", country="GB", user_id="7")
    assert isinstance(stream, MediaHandle)
    assert stream.url().startswith("https://stream.svc.7digital.net/stream/subscription?trackId=1&formatId=56&")
