"""Ends of a call that no local server can bring about."""

import ssl

import aiohttp
import pytest
from support.clock import VirtualClock
from support.responses import responses

from sevendigital_async import NO_RETRY, ConnectError, DisconnectedError, RetryPolicy, SevenDigital

URL = "https://api.7digital.com/1.2/status"
STATUS = {"serviceStatus": {"serverTime": "2026-01-31T12:00:00Z"}}


class Key:
    host, port, ssl, is_ssl, proxy = "api.7digital.com", 443, True, True, None


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (aiohttp.ClientConnectorDNSError(Key, OSError(-2, "Name or service not known")), ConnectError, "resolved"),
        (aiohttp.ClientConnectorCertificateError(Key, ssl.SSLError(1, "self-signed")), ConnectError, "certificate"),
        (aiohttp.ClientConnectorSSLError(Key, ssl.SSLError(1, "wrong version")), ConnectError, "TLS"),
        (aiohttp.ConnectionTimeoutError(f"Connection timeout to host {URL}"), ConnectError, "time allowed"),
        (aiohttp.ClientPayloadError("short"), DisconnectedError, "broke off"),
        (UnicodeError("label too long"), ConnectError, "resolved"),
    ],
)
async def test_what_the_network_may_do(error, kind, words):
    with responses() as mocked:
        mocked.get(URL, exception=error)
        async with SevenDigital("key", "secret", retry=NO_RETRY) as client:
            with pytest.raises(kind, match=words) as caught:
                await client.classic.service.status()
    assert caught.value.operation == "classic.service.status"
    assert str(caught.value).startswith("classic.service.status: ")
    assert "oauth" not in str(caught.value)


async def test_a_name_that_does_not_resolve_at_first_is_tried_again():
    clock = VirtualClock()

    async def call():
        async with SevenDigital("key", "secret", clock=clock, retry=RetryPolicy(attempts=2)) as client:
            return await client.classic.service.status()

    with responses() as mocked:
        mocked.get(URL, exception=aiohttp.ClientConnectorDNSError(Key, OSError(-3, "Temporary failure")))
        mocked.get(URL, payload=STATUS)
        status = await clock.run(call())
    assert status.server_time.year == 2026
