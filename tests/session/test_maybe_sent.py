"""Every error says whether the request may have been carried out."""

import importlib
import inspect
import pkgutil

import pytest
from support.rawserver import answer, raw_server

import sevendigital_async
from sevendigital_async import NO_RETRY, RedirectError, SevenDigital, SevenDigitalError, errors

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


@pytest.mark.parametrize("name", KINDS)
def test_every_error_says_so(name):
    assert KINDS[name]("what happened").maybe_sent is (name in MAYBE)


def test_every_error_anywhere_in_the_package_does():
    found = set(errors_of_the_package())
    assert found > set(KINDS.values())
    for error in found:
        assert isinstance(error.maybe_sent, bool)
        assert error.advice is None or isinstance(error.advice, str)
        assert error.trace_id is None
    public = {getattr(sevendigital_async, name) for name in sevendigital_async.__all__ if name.endswith("Error")}
    assert {error for error in public if issubclass(error, Exception)} - {sevendigital_async.ItemError} <= found


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
