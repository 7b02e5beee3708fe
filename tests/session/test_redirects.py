"""A Location header is read as browsers read it; one that leads nowhere ends the call at once."""

import re

import pytest
from support.rawserver import answer, raw_server
from support.rows import each_row

from sevendigital_async import Dialect, RedirectError, SevenDigital, UserToken
from sevendigital_async.operations import Auth, Binding, Content, Operation, Safety
from sevendigital_async.session.redirects import MAX_REDIRECTS, destination

MEDIA = Operation(
    id="listen",
    name="test.listen",
    summary="",
    safety=Safety.READ,
    model=None,
    auth=Auth.THREE_LEGGED,
    content=Content.TEXT,
    bindings={Dialect.OPENAPI: Binding("GET", "/clip", ())},
)
BASE = "https://media.example/1.2/clip?oauth_signature=s3cret"


def led(location, base=BASE):
    return destination(MEDIA, [base], location, allow_http=False)


@each_row(
    ("location", "url"),
    [
        ("https://cdn.example/a b.mp3", "https://cdn.example/a%20b.mp3"),
        ("/a b?q=c d", "https://media.example/a%20b?q=c%20d"),
        ("https://cdn.example/Beyoncé.mp3?n=é", "https://cdn.example/Beyonc%C3%A9.mp3?n=%C3%A9"),
        ("https://cdn.example/caf\udce9", "https://cdn.example/caf%E9"),
        ("https://cdn.example/a%20b%2Fc?x=%C3%A9", "https://cdn.example/a%20b%2Fc?x=%C3%A9"),
        ("https://cdn.example/a%20b c", "https://cdn.example/a%20b%20c"),
        ("https://cdn.example/100%", "https://cdn.example/100%"),
        ("https://cdn.example/%zz", "https://cdn.example/%zz"),
        (
            "https://cdn.example/a+b;c=d,e@f:g?h=i/j?k&l=(m)!*'n'",
            "https://cdn.example/a+b;c=d,e@f:g?h=i/j?k&l=(m)!*%27n%27",
        ),
        ('https://cdn.example/"<>`{}^?"<>`{}^', "https://cdn.example/%22%3C%3E%60%7B%7D%5E?%22%3C%3E`{}^"),
        ("https://cdn.example/it's", "https://cdn.example/it's"),
        ("  https://cdn.example/x \t", "https://cdn.example/x"),
        ("https://cdn.example/a\tb", "https://cdn.example/ab"),
        ("https://cdn.example/x#part", "https://cdn.example/x"),
        ("https://cdn.example/x?a=1#part?b", "https://cdn.example/x?a=1"),
        ("//cdn.example/x", "https://cdn.example/x"),
        ("\\\\cdn.example\\x", "https://cdn.example/x"),
        ("https://cdn.example\\@evil.example/x", "https://cdn.example/@evil.example/x"),
        ("https://bücher.example/x", "https://xn--bcher-kva.example/x"),
        ("clip.mp3", "https://media.example/1.2/clip.mp3"),
        ("../x", "https://media.example/x"),
        ("?a=b", "https://media.example/1.2/clip?a=b"),
        ("https://cdn.example:8443", "https://cdn.example:8443"),
        ("HTTPS://cdn.example/x", "https://cdn.example/x"),
    ],
)
def test_a_location_is_encoded_as_browsers_do(location, url):
    assert led(location) == url


@each_row(
    "location",
    [
        "",
        "   ",
        "#",
        "#x",
        BASE,
        BASE + "#x",
        "https://a.example/x\nhttps://b.example/x",
        "javascript:alert(1)",
        "data:audio/mpeg;base64,AAAA",
        "file:///etc/passwd",
        "ftp://cdn.example/x",
        "mailto:a@b.example",
        "http://cdn.example/x",
        "https://user:pw@cdn.example/x",
        "https://user@cdn.example/x",
        "//",
        "https://[broken/x",
        "https://cdn.example:port/x",
        "https://cdn.example:99999/x",
        "https://c\u2100.example/x",
        "https://" + "é" * 300 + ".example/x",
    ],
)
def test_a_location_that_leads_nowhere_is_an_error_that_shows_no_secret(location):
    with pytest.raises(RedirectError) as caught:
        led(location)
    assert "s3cret" not in str(caught.value)
    assert "pw" not in str(caught.value)
    assert caught.value.__cause__ is None


def moved(location, *more):
    lines = "".join(f"\r\nLocation: {each}" for each in (location, *more))
    return f"HTTP/1.1 302 Found\r\nContent-Length: 0{lines}\r\n\r\n".encode("utf-8", "surrogateescape")


async def call(raw):
    async with SevenDigital("key", "secret", base_url=raw.base_url) as client:
        return await client.as_user(UserToken("t", "s")).call(MEDIA)


@pytest.mark.parametrize(
    "location", ["", "  ", "#x", "/clip", "/clip#x", "javascript:alert(1)", "https://u:p@x.example/"]
)
async def test_what_leads_nowhere_is_asked_once(location):
    async with raw_server(moved(location)) as raw:
        with pytest.raises(RedirectError):
            await call(raw)
    assert len(raw.requests) == 1


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("/a b/Beyoncé.m3u?t=1 2&s=a%2Fb", b"/a%20b/Beyonc%C3%A9.m3u?t=1%202&s=a%2Fb"),
        ("/caf\udce9", b"/caf%E9"),
    ],
)
async def test_the_server_gets_what_a_browser_would_send(location, target):
    async with raw_server(moved(location), answer("#EXTM3U")) as raw:
        assert await call(raw)
    assert raw.requests[1].split(b" ")[1] == target
    assert b"oauth" not in raw.requests[1].lower()


async def test_two_places_at_once_are_none_and_the_same_twice_is_one():
    async with raw_server(moved("/a", "/b")) as raw:
        with pytest.raises(RedirectError, match="several Location headers"):
            await call(raw)
    assert len(raw.requests) == 1
    async with raw_server(moved("/a", "/a"), answer("#EXTM3U")) as raw:
        await call(raw)
    assert len(raw.requests) == 2


async def test_a_circle_ends_where_it_closes():
    async with raw_server(moved("/a"), moved("/b"), moved("/a")) as raw:
        with pytest.raises(RedirectError, match="redirect loop"):
            await call(raw)
    assert len(raw.requests) == 3


async def test_a_long_way_comes_to_an_end():
    async with raw_server(*[moved(f"/{hop}") for hop in range(20)]) as raw:
        with pytest.raises(RedirectError, match=f"more than {MAX_REDIRECTS}"):
            await call(raw)
    assert len(raw.requests) == MAX_REDIRECTS + 1


async def test_a_date_without_a_zone_does_not_poison_later_calls():
    refusal = answer("OAuth authentication error: bad timestamp", "401 Unauthorized", Date="Fri, 06 Nov 2020 08:49:37")
    async with raw_server(refusal) as raw, SevenDigital("key", "secret", base_url=raw.base_url) as client:
        for _ in range(2):
            with pytest.raises(Exception, match="timestamp"):
                await client.as_user(UserToken("t", "s")).call(MEDIA)
    stamps = [int(re.search(rb'oauth_timestamp="(\d+)', request)[1]) for request in raw.requests]
    assert len(stamps) == 2
    assert stamps[1] - stamps[0] < 60
