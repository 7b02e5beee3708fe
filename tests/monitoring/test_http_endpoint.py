"""The small HTTP server, byte for byte."""

import asyncio
import socket
from http import HTTPStatus

import pytest
from support.http_get import ask, get
from support.rows import each_row

from sevendigital_async import ConfigurationError
from sevendigital_async.monitoring import http_endpoint
from sevendigital_async.monitoring.http_endpoint import HttpAddress, HttpEndpoint, HttpResponse


async def hello():
    return HttpResponse(HTTPStatus.OK, b"hello\n")


async def broken():
    raise RuntimeError("a secret detail")


@pytest.fixture
async def endpoint():
    endpoint = HttpEndpoint(HttpAddress("127.0.0.1", 0), {"/hello": hello, "/broken": broken})
    await endpoint.open()
    yield endpoint
    await endpoint.aclose()


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("9464", "127.0.0.1", 9464),
        ("0", "127.0.0.1", 0),
        ("203.0.113.1:80", "203.0.113.1", 80),
        ("localhost:9464", "localhost", 9464),
        ("[::1]:9464", "::1", 9464),
    ],
)
def test_addresses_are_read_and_loopback_is_the_default(text, host, port):
    assert HttpAddress.parse(text) == HttpAddress(host, port)


@each_row(
    "text", ["", ":", ":9464", "host", "host:", "127.0.0.1:65536", "::1:9464", "http://x:1", "1.2.3.4:-1", "a b:1"]
)
def test_what_is_no_address_is_refused_with_what_was_given(text):
    with pytest.raises(ConfigurationError, match="not an address to listen on; use PORT or HOST:PORT") as caught:
        HttpAddress.parse(text)
    assert repr(text) in str(caught.value)


def test_addresses_are_shown_as_urls_need_them():
    assert [str(HttpAddress("::1", 1)), str(HttpAddress("localhost", 2))] == ["[::1]:1", "localhost:2"]


async def test_get_and_head(endpoint):
    url = f"http://{endpoint.address}/hello"
    answer = await get(url)
    assert (answer.status, answer.text) == (200, "hello\n")
    assert answer.headers["Content-Length"] == "6"
    assert answer.headers["Connection"] == "close"
    answer = await get(url, "HEAD")
    assert (answer.status, answer.text, answer.headers["Content-Length"]) == (200, "", "6")


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /hello?full=1 HTTP/1.0\r\n\r\n", 200),
        (b"GET /nothing HTTP/1.1\r\n\r\n", 404),
        (b"POST /hello HTTP/1.1\r\nContent-Length: 0\r\n\r\n", 405),
        (b"GET /broken HTTP/1.1\r\n\r\n", 500),
        (b"hello\r\n\r\n", 400),
        (b"GET /hello HTTP/2\r\n\r\n", 400),
        (b"\x16\x03\x01\xff\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 20_000, 431),
    ],
)
async def test_other_requests_have_their_status(endpoint, request_, status, caplog):
    response = await ask(endpoint.address.port, request_)
    assert response.startswith(b"HTTP/1.1 %d " % status)
    assert b"secret" not in response
    assert ("secret" in caplog.text) is (status == 500)
    if status == 404:
        assert b"/hello /broken" in response
    if status == 405:
        assert b"Allow: GET, HEAD\r\n" in response


async def test_a_client_that_sends_nothing_is_disconnected(endpoint, monkeypatch):
    monkeypatch.setattr(http_endpoint, "EXCHANGE_TIMEOUT", 0.05)
    assert await ask(endpoint.address.port, b"GET /hel") == b""


async def test_a_client_that_leaves_or_stays_keeps_nothing_from_closing(endpoint):
    _, leaving = await asyncio.open_connection("127.0.0.1", endpoint.address.port)
    leaving.write(b"GET")
    leaving.close()
    reader, staying = await asyncio.open_connection("127.0.0.1", endpoint.address.port)
    staying.write(b"GET")
    assert (await get(f"http://{endpoint.address}/hello")).status == 200
    await endpoint.aclose()
    assert await reader.read() == b""
    staying.close()
    with pytest.raises(OSError, match=r"refused|failed"):
        await asyncio.open_connection("127.0.0.1", endpoint.address.port)


async def test_a_port_in_use_is_a_clear_error():
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = HttpAddress("127.0.0.1", other.getsockname()[1])
        endpoint = HttpEndpoint(address, {})
        with pytest.raises(ConfigurationError) as caught:
            await endpoint.open()
        await endpoint.aclose()
    assert str(caught.value) == f"cannot listen on {address}: address already in use; choose another address"


async def test_a_host_that_is_none_is_a_clear_error():
    with pytest.raises(ConfigurationError, match=r"cannot listen on 203\.0\.113\.1:0: "):
        await HttpEndpoint(HttpAddress("203.0.113.1", 0), {}).open()
    with pytest.raises(ConfigurationError, match=r"cannot listen on x\.invalid:0: "):
        await HttpEndpoint(HttpAddress("x.invalid", 0), {}).open()
