"""The sandbox's own pages, seen from pages of other sites."""

import asyncio

import aiohttp
import pytest
from support.probe import Probe, open_session

from sevendigital_async.sandbox import Faults, Sandbox

OWN = [
    ("GET", "/"),
    ("HEAD", "/"),
    ("GET", "/_sandbox/static/page.js"),
    ("GET", "/_sandbox/stats"),
    ("GET", "/_sandbox/activity"),
    ("GET", "/_sandbox/state"),
    ("GET", "/_sandbox/logs"),
    ("GET", "/_sandbox/requests"),
    ("GET", "/%5Fsandbox/stats"),
    ("PUT", "/_sandbox/faults"),
]
FAULTS = b'{"faults": ["503:100%"]}'


async def ask(sandbox, method, path, *lines, body=b"", host=""):
    """Send a request byte by byte and return status and body."""
    name, port = sandbox.base_url.removeprefix("http://").rsplit(":", 1)
    reader, writer = await asyncio.open_connection(name.strip("[]"), int(port))
    lines = [line.replace("PORT", port) for line in lines]
    hosts = [] if host is None else [f"Host: {(host or name + ':PORT').replace('PORT', port)}"]
    head = [f"{method} {path} HTTP/1.1", *hosts, *lines, f"Content-Length: {len(body)}", "Connection: close"]
    writer.write("\r\n".join(head).encode() + b"\r\n\r\n" + body)
    answer = await reader.read()
    writer.close()
    head, _, content = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), content.decode()


FOREIGN_HOSTS = [
    "evil.example",
    "evil.example:PORT",
    "localhost",
    "127.0.0.1",
    "127.0.0.1:1",
    "[::1]",
    "localhost:80",
    "0.0.0.0:PORT",
    "localhost.evil.example:PORT",
    "127.0.0.1.evil.example:PORT",
    "evil@localhost:PORT",
    "localhost:PORT@evil.example",
    "localhost:PORT.evil.example",
    "192.168.1.1:PORT",
    "[::]:PORT",
    "localhost:PORTx",
    "localhost:99999",
    " ",
    "[::1:PORT",
    "7f000001:PORT",
    "2130706433:PORT",
    "localhost:PORT, evil.example",
    "sub.localhost:PORT",
]
OWN_HOSTS = ["localhost:PORT", "127.0.0.1:PORT", "[::1]:PORT", "LOCALHOST:PORT", "localhost.:PORT", "127.0.0.2:PORT"]
FOREIGN_LINES = [
    ("Origin: https://evil.example",),
    ("Origin: http://evil.example:PORT",),
    ("Origin: http://localhost:3000",),
    ("Origin: http://localhost",),
    ("Origin: https://localhost:PORT",),
    ("Origin: null",),
    ("Origin: localhost:PORT",),
    ("Origin:",),
    ("Origin: http://localhost:PORT.evil.example",),
    ("Origin: http://localhost:PORT", "Origin: https://evil.example"),
    ("Sec-Fetch-Site: cross-site",),
    ("Sec-Fetch-Site: same-site",),
    ("Sec-Fetch-Site: Cross-Site",),
    ("Sec-Fetch-Site: none", "Sec-Fetch-Site: cross-site"),
    ("Origin: http://localhost:PORT", "Sec-Fetch-Site: cross-site"),
    ("Host: evil.example",),
]
OWN_LINES = [
    (),
    ("Origin: http://localhost:PORT",),
    ("Origin: http://127.0.0.1:PORT", "Sec-Fetch-Site: same-origin"),
    ("Origin: http://[::1]:PORT",),
    ("Sec-Fetch-Site: none",),
]


@pytest.fixture
async def running():
    async with Sandbox() as sandbox:
        yield sandbox


@pytest.mark.parametrize(("method", "path"), OWN)
async def test_names_that_are_not_this_machine_are_refused(running, method, path):
    for host in FOREIGN_HOSTS:
        status, text = await ask(running, method, path, host=host, body=FAULTS)
        assert status in {400, 403}, host
        assert status == 400 or method == "HEAD" or "Host header" in text
    assert (await ask(running, method, path, host=None, body=FAULTS))[0] in {400, 403}
    assert running.faults == Faults()


@pytest.mark.parametrize(("method", "path"), OWN)
async def test_pages_of_other_sites_are_refused(running, method, path):
    for lines in FOREIGN_LINES:
        status, text = await ask(running, method, path, *lines, body=FAULTS)
        assert status in {400, 403}, lines
        assert status == 400 or method == "HEAD" or text.startswith("Refused: the ")
    assert running.faults == Faults()


@pytest.mark.parametrize(("method", "path"), OWN)
async def test_its_own_page_and_programs_are_served(running, method, path):
    for host in OWN_HOSTS:
        assert (await ask(running, method, path, host=host, body=FAULTS))[0] in {200, 204}, host
    for lines in OWN_LINES:
        assert (await ask(running, method, path, *lines, body=FAULTS))[0] in {200, 204}, lines


async def test_a_form_of_another_page_changes_nothing(running):
    for method in ("POST", "GET", "DELETE"):
        lines = ("Origin: https://evil.example", "Content-Type: text/plain")
        assert (await ask(running, method, "/_sandbox/faults", *lines, body=FAULTS))[0] in {403, 405}
    assert running.faults == Faults()


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.3", "localhost", "::1"])
async def test_it_is_served_at_the_address_it_listens_on(host):
    try:
        async with Sandbox(host=host) as sandbox, open_session() as session:
            assert (await ask(sandbox, "GET", "/_sandbox/stats"))[0] == 200
            assert await Probe(sandbox, session).stats()
    except OSError:
        pytest.skip("this machine has no IPv6")


async def test_a_signed_call_is_served_under_any_name(running):
    """Signed requests need no check of the origin: pages of other sites may play media."""
    async with aiohttp.ClientSession() as session:
        headers = {"Origin": "http://localhost:3000", "Sec-Fetch-Site": "same-site"}
        async with session.get(f"{running.base_url}/1.2/status", headers=headers) as answer:
            assert answer.status == 401  # not 403: it is the signature that is missing


async def test_the_page_can_not_be_framed_or_sniffed(running):
    async with aiohttp.ClientSession() as session, session.get(running.base_url) as answer:
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
