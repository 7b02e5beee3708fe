"""Status, headers and request id of a response; headers of a call; signatures for any URL of the service."""

import aiohttp
import pytest
from support.oauth import is_signed
from support.rawserver import answer, raw_server

from sevendigital_async import (
    NO_RETRY,
    Host,
    InvalidArgumentError,
    NotFoundError,
    Response,
    ResponseCache,
    Settings,
    SevenDigital,
    UserToken,
)
from sevendigital_async.models import Page, Release
from sevendigital_async.operations import REGISTRY

DETAILS = REGISTRY.find("classic.releases.details")
FOUND = answer('{"release":{"id":"1"}}', "203 Odd", X_7D_TraceId="t-1", X_Some="thing", Cache_Control="max-age=60")
SECRET = "s3cret-token"


def client_of(raw, **options):
    return SevenDigital("key", "secret", base_url=raw.base_url, retry=NO_RETRY, **options)


@pytest.mark.parametrize("cache", [None, ResponseCache()])
async def test_the_result_of_a_call_with_its_head(cache):
    async with raw_server(FOUND) as raw, client_of(raw, cache=cache) as client:
        responses = [await client.call_with_response(DETAILS, release_id="1") for _ in range(2)]
        assert len(raw.requests) == (2 if cache is None else 1)
        assert await client.call(DETAILS, release_id="1") == Release(id="1")
    for response in responses:
        assert (response.value, response.status, response.request_id) == (Release(id="1"), 203, "t-1")
        assert response.headers["x-some"] == "thing"
        assert "thing" not in repr(response)


async def test_any_method_with_its_head():
    page = answer('{"releases":[{"id":"1"}]}', X_Some="thing")
    async with raw_server(FOUND, page, answer("<hello/>")) as raw, client_of(raw) as client:
        view = client.with_options(trace_id="mine")
        one = await view.with_raw_response(lambda view: view.classic.releases.details("1"))
        listed = await view.with_raw_response(lambda view: view.classic.releases.search("x"))
        raw_body = await view.with_raw_response(lambda view: view.raw(DETAILS, release_id="1"))
    assert (one.value, one.status, one.request_id) == (Release(id="1"), 203, "t-1")
    assert (listed.value, listed.headers["x-some"]) == (Page((Release(id="1"),)), "thing")
    assert listed.request_id == "mine"
    assert (raw_body.value, raw_body.status) == (b"<hello/>", 200)
    assert isinstance(raw_body, Response)


async def test_errors_are_raised_all_the_same():
    body = '<response status="error"><error code="2001"><errorMessage>no</errorMessage></error></response>'
    async with raw_server(answer(body, "404 Not Found")) as raw, client_of(raw) as client:
        with pytest.raises(NotFoundError):
            await client.call_with_response(DETAILS, release_id="1")
        with pytest.raises(NotFoundError):
            await client.with_raw_response(lambda view: view.classic.releases.details("1"))


async def test_no_call_has_no_head():
    async def nothing(_):
        return None

    async with raw_server(FOUND) as raw, client_of(raw) as client:
        with pytest.raises(InvalidArgumentError, match="must call one method"):
            await client.with_raw_response(nothing)


async def test_headers_of_a_view_and_of_a_call():
    async with raw_server(FOUND) as raw, client_of(raw) as client:
        view = client.with_options(headers={"X-A": "1", "x-b": "2"}).with_options(headers={"x-a": "3"})
        await view.call(DETAILS, release_id="1", headers={"X-B": "4", "User-Agent": "mine", "Accept": "text/xml"})
        await view.classic.releases.details("1")
        await client.raw(DETAILS, release_id="1")
    first, second, third = [request.decode().lower() for request in raw.requests]
    assert "x-a: 3\r\n" in first
    assert "x-b: 4\r\n" in first
    assert "user-agent: mine\r\n" in first
    assert "accept: text/xml\r\n" in first
    assert first.count("x-b") == first.count("x-a") == 1
    assert "x-b: 2\r\n" in second
    assert "x-a" not in third
    assert all(is_signed(request, raw.base_url, "secret") for request in raw.requests)


async def test_headers_are_not_sent_to_the_target_of_a_redirect():
    media = answer("sound", Content_Type="audio/mpeg")
    async with raw_server(media) as cdn, raw_server(answer("", "302 Found", Location=f"{cdn.base_url}/x")) as raw:
        async with client_of(raw) as client:
            view = client.with_options(headers={"X-Api-Secret": SECRET, "Range": "bytes=0-"})
            async with view.media.stream(track_id="1", format_id="2") as response:
                assert await response.read() == b"sound"
    assert SECRET.encode() in raw.requests[0]
    assert SECRET.encode() not in cdn.requests[0]
    assert b"Range: bytes=0-" in cdn.requests[0]


@pytest.mark.parametrize("path", ["/1.2/status", "/a%20b/%C3%A9?q=a%20b%26c&x=&x=1&y=%2B+z", "", "/?a=1"])
@pytest.mark.parametrize("user", [None, UserToken("t", "us")])
async def test_any_url_of_the_service_can_be_signed(path, user):
    async with raw_server(answer("{}")) as raw, client_of(raw) as client:
        view = client if user is None else client.as_user(user)
        async with aiohttp.ClientSession() as session:
            for method in ("GET", "delete"):
                url = aiohttp.client.URL(view.sign(method, raw.base_url + path), encoded=True)
                async with session.request(method.upper(), url):
                    pass
            form = {"a": "1 & 2", "b": "ü"}
            url = aiohttp.client.URL(view.sign("POST", raw.base_url + path, form=form), encoded=True)
            async with session.post(url, data=form):
                pass
    assert len(raw.requests) == 3
    assert all(is_signed(request, raw.base_url, "secret", user.secret if user else "") for request in raw.requests)


@pytest.mark.parametrize(
    "url",
    [
        "https://elsewhere.example/1.2/status",
        "https://api.7digital.com.evil.example/",
        "http://api.7digital.com/1.2/status",
        "https://api.7digital.com@evil.example/",
        "https://api.7digital.com/1.2/status#x",
        "https://api.7digital.com/a b",
        "https://api.7digital.com/%zz",
        "/1.2/status",
        "https://api.7digital.com/?oauth_token=x",
        "",
        None,
    ],
)
async def test_nothing_else_is_signed(url):
    async with SevenDigital("key", "secret") as client:
        with pytest.raises(InvalidArgumentError) as caught:
            client.sign("GET", url)
        assert caught.value.argument == "url"
        with pytest.raises(InvalidArgumentError, match="method"):
            client.sign("GET /", "https://api.7digital.com/1.2/status")


async def test_every_host_of_the_settings_is_the_service():
    async with SevenDigital("key", "secret", settings=Settings(hosts={Host.MEDIA: "https://m.example/x"})) as client:
        assert client.sign("GET", "https://m.example/x/y?b=1").startswith(
            "https://m.example/x/y?b=1&oauth_consumer_key=key"
        )
        with pytest.raises(InvalidArgumentError):
            client.sign("GET", "https://m.example/z")
