"""Parameters that any call takes: from the settings, from a view, and by ``extra``; signed, and part of cache keys."""

from urllib.parse import parse_qsl, urlsplit

import pytest
from support.oauth import is_signed
from support.rawserver import answer, raw_server

from sevendigital_async import (
    NO_RETRY,
    ConfigurationError,
    Dialect,
    InvalidArgumentError,
    ResponseCache,
    Settings,
    SevenDigital,
    SevenDigitalError,
    UserToken,
)
from sevendigital_async.operations import REGISTRY

EVERYTHING = {
    "shop_id": 34,
    "image_size": 350,
    "usage_types": ["download", "subscriptionstreaming"],
    "user_id": "ann/1",
    "country": "DE",
    "extra": {"newParam": "x y&z"},
}
NAMES = ("shopId", "imageSize", "usageTypes", "userId", "country", "newParam")
EXPECTED = {
    "shopId": "34",
    "imageSize": "350",
    "usageTypes": "download,subscriptionstreaming",
    "userId": "ann/1",
    "newParam": "x y&z",
}
READ = {"shopId", "imageSize", "usageTypes", "newParam"}
CALLS = [
    ("classic.releases.details", {"release_id": "1"}, READ),
    ("classic.releases.search", {"q": "a"}, READ),
    ("classic.releases.chart", {}, READ),
    ("classic.artists.top_tracks", {"artist_id": "1"}, READ),
    ("classic.tracks.details", {"track_id": "1"}, READ),
    ("classic.editorial.list", {"key": "x"}, READ),
    ("classic.user.locker", {"country": "GB"}, READ | {"userId"}),
    ("classic.user.payment_cards", {}, READ | {"userId"}),
    ("classic.user.purchase_item", {"release_id": "1", "price": "1.00"}, {"shopId", "userId", "newParam"}),
    ("classic.user.deliver_item", {"release_id": "1", "transaction_id": "t"}, {"shopId", "userId", "newParam"}),
    ("platform.catalogue.search_tracks", {"q": "a"}, READ),
    ("platform.playlists.list", {}, READ | {"userId"}),
    ("media.stream", {"track_id": "1"}, {"shopId", "userId", "newParam"}),
]
LICENSED = {
    "classic.releases.details": {"release_id": "1"},
    "platform.catalogue.releases_batch": {"release_ids": ["1"]},
    "classic.releases.search": {"q": "a"},
    "classic.releases.chart": {},
    "classic.releases.tracks": {"release_id": "1"},
    "classic.releases.recommend": {"release_id": "1"},
    "classic.releases.top_by_tags": {"tags": "pop"},
    "classic.releases.new_by_tags": {"tags": "pop"},
    "classic.artists.releases": {"artist_id": "1"},
    "classic.artists.top_tracks": {"artist_id": "1"},
    "classic.tracks.details": {"track_id": "1"},
    "platform.catalogue.tracks_batch": {"track_ids": ["1"]},
    "classic.tracks.search": {"q": "a"},
    "classic.tracks.chart": {},
    "classic.editorial.list": {"key": "x"},
    "classic.user.locker": {"country": "GB"},
}
"""What the vendor's own client asks for by usage types."""


def query_of(request: bytes) -> dict[str, str]:
    pairs = parse_qsl(urlsplit(request.split(b" ")[1].decode()).query)
    assert len(pairs) == len(dict(pairs))
    return {name: value for name, value in pairs if not name.startswith("oauth_")}


async def attempt(client, name, **arguments):
    """Make a call whose response doesn't matter."""
    operation = REGISTRY.find(name)
    try:
        await client.call(operation, **arguments)
    except InvalidArgumentError:
        raise
    except SevenDigitalError:
        pass


@pytest.fixture
async def raw():
    async with raw_server(answer("{}")) as raw:
        yield raw


def client_of(raw, **options):
    return SevenDigital("key", "secret", base_url=raw.base_url, retry=NO_RETRY, **options)


def test_there_are_ten_operations_here():
    assert len(CALLS) >= 10


@pytest.mark.parametrize("dialect", Dialect)
@pytest.mark.parametrize(("name", "arguments", "sent"), CALLS)
async def test_a_view_s_parameters_are_sent_and_signed(raw, name, arguments, sent, dialect):
    arguments = {key: value for key, value in arguments.items() if REGISTRY.find(name).takes(key)}
    async with client_of(raw, dialect=dialect) as client:
        await attempt(client.with_options(**EVERYTHING), name, **arguments)
        await attempt(client, name, **arguments)
    with_options, without = raw.requests
    assert is_signed(with_options, raw.base_url, "secret")
    query = query_of(with_options)
    assert {wire: query.get(wire) for wire in sent} == {wire: EXPECTED[wire] for wire in sent}
    assert query.keys() - query_of(without).keys() <= sent | {"country"}
    given = {"country"} & arguments.keys()  # the live locker demands one
    assert query_of(without).keys() & {*NAMES} == given


@pytest.mark.parametrize("name", LICENSED)
async def test_usage_types_are_sent_with_all_that_depends_on_licences(raw, name):
    async with client_of(raw, dialect=Dialect.LIVE) as client:
        view = client.with_options(usage_types=["download", "adsupportedstreaming"], country="GB")
        await attempt(view, name, **LICENSED[name])
    query = query_of(raw.requests[0])
    assert (query["usageTypes"], query["country"]) == ("download,adsupportedstreaming", "GB")
    assert is_signed(raw.requests[0], raw.base_url, "secret")


async def test_an_argument_comes_before_the_view_and_the_view_before_the_settings(raw):
    settings = Settings(shop_id=1, image_size=50, usage_types="download", extra={"a": "1", "b": 2})
    async with client_of(raw, settings=settings, dialect=Dialect.LIVE) as client:
        view = client.with_options(image_size=100, extra={"b": 3}).with_options(shop_id="7", extra={"c": True})
        await attempt(view, "platform.catalogue.search_tracks", q="1", usage_types=["subscriptionstreaming"])
        await attempt(client, "classic.releases.details", release_id="1", extra={"imageSize": 800, "a": None})
    first, second = map(query_of, raw.requests)
    fixed = {"q": "1", "shopId": "7", "imageSize": "100", "usageTypes": "subscriptionstreaming"}
    assert first == fixed | {"a": "1", "b": "3", "c": "true"}
    assert (second["shopId"], second["imageSize"], second["b"]) == ("1", "800", "2")
    assert "a" not in second


@pytest.mark.parametrize(
    ("name", "arguments", "countries"),
    [
        ("classic.releases.details", {"release_id": "1"}, None),
        ("classic.releases.details", {"release_id": "1", "country": "FR"}, "FR"),
        ("classic.user.purchase_item", {"release_id": "1", "price": "1"}, None),
        ("platform.logging.subscriber", None, "DE"),
    ],
)
async def test_a_shop_takes_precedence_over_a_default_country(raw, name, arguments, countries):
    async with client_of(raw, dialect=Dialect.LIVE) as client:
        view = client.with_options(country="DE", shop_id=34)
        if arguments is None:
            # The service demands a country of reports, shop or not.
            arguments = {"items": [{"trackId": 1}], "user_id": "u"}
        await attempt(view, name, **arguments)
        await attempt(view, "platform.catalogue.search_tracks", q="x")
    query = query_of(raw.requests[0])
    assert (query.get("country"), query["shopId"]) == (countries, "34")


async def test_extra_stands_in_the_form_where_there_is_one(raw):
    async with client_of(raw) as client:
        view = client.with_options(extra={"newParam": "x", "onBehalfOfPartnerId": 5}, shop_id=34)
        await attempt(view, "platform.users.create", email="a@b.c", password="p", country="GB")
    head, _, body = raw.requests[0].partition(b"\r\n\r\n")
    assert query_of(head) == {"shopId": "34", "onBehalfOfPartnerId": "5"}
    assert dict(parse_qsl(body.decode()))["newParam"] == "x"
    assert is_signed(raw.requests[0], raw.base_url, "secret")


@pytest.mark.parametrize("name", ["releaseId", "releaseid"])
async def test_extra_repeats_no_argument(raw, name):
    async with client_of(raw) as client:
        with pytest.raises(InvalidArgumentError, match="give releaseId as the argument 'release_id'"):
            await attempt(client, "classic.releases.details", release_id="1", extra={name: "2"})
    assert not raw.requests


@pytest.mark.parametrize(
    "options",
    [
        {"shop_id": ""},
        {"shop_id": True},
        {"image_size": 1.5},
        {"user_id": " "},
        {"user_id": "\ud800"},
        {"user_id": 5},
        {"country": "GBR"},
        {"country": 5},
        {"usage_types": []},
        {"usage_types": [1]},
        {"extra": ["x"]},
        {"extra": {"": "x"}},
        {"extra": {1: "x"}},
        {"extra": {"OAuth_nonce": "x"}},
        {"headers": ["x"]},
        {"headers": {"Authorization": "x"}},
        {"headers": {"content-TYPE": "x"}},
        {"headers": {"X-A": "a\r\nX-B: b"}},
    ],
)
async def test_what_can_not_be_sent_is_refused(raw, options):
    async with client_of(raw) as client:
        with pytest.raises(InvalidArgumentError) as caught:
            client.with_options(**options)
        assert caught.value.argument == next(iter(options))
        if "extra" in options or "headers" in options:
            with pytest.raises(InvalidArgumentError):
                await attempt(client, "classic.releases.details", release_id="1", **options)
        if "extra" in options:
            with pytest.raises(ConfigurationError):
                Settings(**options)
    assert not raw.requests


@pytest.mark.parametrize("options", [{"shop_id": 1.5}, {"image_size": []}, {"usage_types": 5}, {"usage_types": [5]}])
def test_settings_of_the_wrong_kind_are_refused(options):
    with pytest.raises(ConfigurationError, match=next(iter(options))):
        Settings(**options)


async def test_the_environment_names_the_shop(raw):
    environ = {"SEVENDIGITAL_CONSUMER_KEY": "key", "SEVENDIGITAL_CONSUMER_SECRET": "secret"}
    shop = {"SEVENDIGITAL_BASE_URL": raw.base_url, "SEVENDIGITAL_SHOP_ID": " 34 ", "SEVENDIGITAL_COUNTRY": "DE"}
    async with SevenDigital.from_env({**environ, **shop}) as client:
        await attempt(client, "classic.releases.details", release_id="1")
    assert query_of(raw.requests[0]) == {"releaseId": "1", "shopId": "34"}


async def test_a_user_of_the_view_stands_in_where_the_record_takes_one(raw):
    async with client_of(raw) as client:
        await attempt(client.with_options(user_id="ann"), "platform.sales.locker")
        with pytest.raises(InvalidArgumentError, match="user_id"):
            await attempt(client, "platform.sales.locker")
        await attempt(client.as_user(UserToken("t", "s")).with_options(user_id="ann"), "classic.user.locker")
    assert raw.requests[0].startswith(b"GET /users/ann/locker")
    assert query_of(raw.requests[1])["userId"] == "ann"
    assert is_signed(raw.requests[1], raw.base_url, "secret", "s")


async def test_answers_are_kept_apart_by_all_of_them():
    kept = answer('{"release":{"id":"1"}}', Cache_Control="max-age=60")
    views = [{}, {"shop_id": 1}, {"shop_id": 2}, {"image_size": 50}, {"usage_types": "download"}, {"country": "DE"}]
    views += [{"extra": {"a": 1}}, {"extra": {"a": 2}}, {"headers": {"Accept-Language": "de"}}]
    async with raw_server(kept) as raw, client_of(raw, cache=ResponseCache()) as client:
        for _ in range(2):
            for options in views:
                await client.with_options(**options).classic.releases.details("1")
    assert len(raw.requests) == len(views)


async def test_a_signed_url_has_them(raw):
    async with client_of(raw) as client:
        url = client.with_options(shop_id=34, extra={"newParam": "x"}).media.stream(track_id="1", format_id="2").url()
    assert {"shopId": "34", "newParam": "x"}.items() <= dict(parse_qsl(urlsplit(url).query)).items()
