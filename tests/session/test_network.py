"""Proxies, private certificate authorities and client certificates, as networks of offices have them."""

import ssl

import pytest
from support.proxy import forward_proxy
from support.rawserver import answer, raw_server
from support.tls import server_context

from sevendigital_async import NO_RETRY, ConfigurationError, ConnectError, Settings, SevenDigital

RELEASE = answer('{"status":"ok","release":{"id":"1","title":"One"}}', Content_Type="application/json")
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def no_proxy_of_this_machine(monkeypatch):
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)


async def title(base_url, **options):
    async with SevenDigital("key", "secret", base_url=base_url, retry=NO_RETRY, **options) as client:
        return (await client.classic.releases.details("1")).title


@pytest.mark.parametrize("by_environment", [False, True])
async def test_a_request_goes_through_a_proxy(by_environment, monkeypatch):
    async with raw_server(RELEASE) as server, forward_proxy() as proxy:
        options = {"proxy": f"http://{proxy.address}"}
        if by_environment:
            monkeypatch.setenv("HTTP_PROXY", options["proxy"])
            options = {"trust_env": True}
        assert await title(server.base_url, **options) == "One"
        assert len(proxy.asked) == len(server.requests) == 1
        assert proxy.asked[0].startswith(f"GET {server.base_url}/")


async def test_the_environment_is_not_asked_unless_it_is_trusted(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    async with raw_server(RELEASE) as server:
        assert await title(server.base_url) == "One"
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        assert await title(server.base_url, trust_env=True) == "One"


async def test_a_proxy_with_a_password():
    async with raw_server(RELEASE) as server, forward_proxy("me:hunter2") as proxy:
        assert await title(server.base_url, proxy=f"http://me:hunter2@{proxy.address}") == "One"
        for wrong in ("", "me:wrong@"):
            with pytest.raises(Exception, match=r".") as caught:
                await title(server.base_url, proxy=f"http://{wrong}{proxy.address}")
            assert "wrong" not in str(caught.value)
        assert (len(server.requests), proxy.refused) == (1, 2)


async def test_tls_through_a_proxy_to_a_server_of_a_private_authority(tmp_path):
    context = server_context(tmp_path)
    options = {"ssl": tmp_path / "server.pem"}
    async with raw_server(RELEASE, tls=context) as server, forward_proxy() as proxy:
        assert await title(server.base_url, proxy=f"http://{proxy.address}", **options) == "One"
        assert proxy.asked == [f"CONNECT 127.0.0.1:{server.port} HTTP/1.1"]
        assert await title(server.base_url, ssl=ssl.create_default_context(cafile=options["ssl"])) == "One"
        with pytest.raises(ConnectError, match=r"pass its file as ssl= or in SEVENDIGITAL_CA_FILE") as caught:
            await title(server.base_url)
        assert not caught.value.maybe_sent
        assert len(server.requests) == 2


async def test_a_proxy_that_refuses_or_is_not_there_is_named():
    async with raw_server(RELEASE) as server:
        with pytest.raises(ConnectError, match=r"proxy could not be reached; check proxy=, SEVENDIGITAL_PROXY"):
            await title(server.base_url, proxy="http://127.0.0.1:1")
        assert server.requests == []
    async with forward_proxy("me:secret") as proxy:
        with pytest.raises(ConnectError, match=r"proxy refused to connect; check proxy="):
            await title("https://127.0.0.1:9", proxy=f"http://{proxy.address}")


async def test_a_client_certificate(tmp_path):
    context = server_context(tmp_path)
    file = str(tmp_path / "server.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(file)
    async with raw_server(RELEASE, tls=context) as server:
        settings = Settings(ssl=file, client_cert=file)
        assert await title(server.base_url, settings=settings) == "One"
        with pytest.raises(Exception, match=r"connection|TLS"):
            await title(server.base_url, ssl=file)
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"proxy": "socks5://me:hunter2@proxy"}, "proxy must be the URL of an HTTP proxy"),
        ({"proxy": "http://me:hunter2@proxy:99999999"}, "proxy must be the URL"),
        ({"proxy": 5}, "proxy must be the URL"),
        ({"ssl": False}, "ssl must be a SSLContext or str"),
        ({"ssl": ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)}, "ssl must verify certificates"),
    ],
)
def test_settings_that_can_not_be_used(options, message):
    with pytest.raises(ConfigurationError, match=message) as caught:
        Settings(**options)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ssl": "/absent"}, "the CA file /absent can't be used: No such file"),
        ({"ssl": __file__}, "the CA file .* can't be used"),
        ({"settings": Settings(client_cert="/absent")}, "the client certificate can't be used: No such file"),
        ({"settings": Settings(client_cert=("/absent", "b", "c", "d"))}, "the client certificate can't be used"),
    ],
)
async def test_files_that_can_not_be_used(options, message):
    with pytest.raises(ConfigurationError, match=message):
        await title("https://127.0.0.1:1", **options)


def test_the_environment_names_a_proxy_and_an_authority():
    settings = Settings().with_env(
        {"SEVENDIGITAL_PROXY": "http://me:hunter2@proxy:1", "SEVENDIGITAL_CA_FILE": "ca.pem"}
    )
    assert (settings.proxy, settings.ssl) == ("http://me:hunter2@proxy:1", "ca.pem")
    assert "hunter2" not in repr(settings)
