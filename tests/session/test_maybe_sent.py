"""Every error says whether the request may have been carried out."""

import importlib
import inspect
import pkgutil

import pytest
from support.rawserver import answer, raw_server
from support.rows import each_row

import sevendigital_async
from sevendigital_async import (
    NO_RETRY,
    DecodeError,
    Dialect,
    RedirectError,
    Settings,
    SevenDigital,
    SevenDigitalError,
    UserToken,
    errors,
)

USER = UserToken("user-token", "user-secret")

MAYBE = {
    "DecodeError",
    "DisconnectedError",
    "DownloadError",
    "RequestTimeoutError",
    "ResponseTooLargeError",
    "ShortCountError",
    "UnreadableResponseError",
    "TransportError",
}
NOT_OURS_TO_LOAD = ("__main__", "pytest_plugin")


def errors_of_the_package(kind=SevenDigitalError):
    """Yield every class of error that a caller can meet, wherever in the package it is defined."""
    for module in pkgutil.walk_packages(sevendigital_async.__path__, "sevendigital_async."):
        if not module.name.endswith(NOT_OURS_TO_LOAD):
            pytest.importorskip(module.name) if "otel" in module.name else importlib.import_module(module.name)
    pending = [kind]
    while pending:
        error = pending.pop()
        pending += error.__subclasses__()
        if error.__module__.startswith("sevendigital_async"):
            yield error


KINDS = {
    name: kind
    for name, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, errors.SevenDigitalError)
}


@each_row("name", KINDS)
def test_every_error_says_so(name):
    assert KINDS[name]("what happened").maybe_sent is (name in MAYBE)


def test_every_error_anywhere_in_the_package_does():
    found = set(errors_of_the_package())
    assert found > set(KINDS.values())
    for error in found:
        assert isinstance(error.maybe_sent, bool)
        assert error.advice is None or isinstance(error.advice, str)
        assert (error.operation, error.status, error.trace_id) == (None, None, None)
    public = {getattr(sevendigital_async, name) for name in sevendigital_async.__all__ if name.endswith("Error")}
    assert {error for error in public if issubclass(error, Exception)} - {sevendigital_async.ItemError} <= found


async def cut_short(_, writer, __):
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{")


@pytest.mark.parametrize(
    ("content", "headers"),
    [
        ("not gzip", {"Content_Encoding": "gzip"}),
        ("x" * 2000, {}),
        ("", {}),
        ("{}", {}),
        ('{"purchase":{"id":["1","2"]}}', {}),
        ("<purchase id='7'", {"Content_Type": "text/xml"}),
        ("<html>it went wrong</html>", {"Content_Type": "text/html"}),
    ],
)
@pytest.mark.parametrize("dialect", Dialect)
async def test_a_purchase_whose_answer_can_not_be_read_is_not_lost(content, headers, dialect):
    async with raw_server(answer(content, **headers) if content else cut_short) as raw:
        settings = Settings(dialect=dialect, base_url=raw.base_url, max_response_bytes=1000)
        async with SevenDigital("key", "secret", settings=settings) as client:
            with pytest.raises(SevenDigitalError) as caught:
                await client.as_user(USER).classic.user.purchase_item(release_id="1", price=1)
        assert len(raw.requests) == 1
    error = caught.value
    assert (error.maybe_sent, error.status, error.operation) == (True, 200, "classic.user.purchase_item")
    assert "look into the user's locker before the purchase is made again" in error.advice
    if isinstance(error, DecodeError):
        assert error.body == content.encode()
    assert not content or content not in f"{error} {error!r}"


@pytest.mark.parametrize("content", ["", '<response status="ok" version="1.2"/>', '{"status":"ok"}'])
async def test_a_live_sale_without_its_purchase_is_not_lost(content):
    sale = {"user_id": "mara", "currency": "GBP", "price": 1, "release_id": "1"}
    live = {"country": "GB", "transaction_id": "t"}
    async with raw_server(answer(content)) as raw:
        async with SevenDigital("key", "secret", base_url=raw.base_url, dialect=Dialect.LIVE) as client:
            with pytest.raises(DecodeError) as caught:
                await client.platform.sales.credit_item(**sale, **live)
        async with SevenDigital("key", "secret", base_url=raw.base_url) as client:
            assert await client.platform.sales.credit_item(**sale) is None
        assert len(raw.requests) == 2
    assert (caught.value.maybe_sent, caught.value.status, caught.value.body) == (True, 200, content.encode())
    assert "must not be sent again" in caught.value.advice


@pytest.mark.parametrize("location", ["http://[::1", "ftp://h/x", "/again", "http://127.0.0.1:1/"])
async def test_what_goes_wrong_behind_a_redirect_may_have_been_carried_out(location):
    async with raw_server(answer("", "302 Found", Location=location)) as raw:
        async with SevenDigital("key", "secret", base_url=raw.base_url, retry=NO_RETRY) as client:
            media = client.media.download(track_id="1", format_id="2")
            with pytest.raises(SevenDigitalError) as caught:
                await media.__aenter__()
    assert caught.value.maybe_sent
    if not location.startswith("http://127"):
        assert isinstance(caught.value, RedirectError)
