"""Every error says whether the request may have been carried out."""

import inspect

import pytest
from support.rawserver import answer, raw_server

from sevendigital_async import NO_RETRY, RedirectError, SevenDigital, SevenDigitalError, errors

MAYBE = {
    "DecodeError",
    "DisconnectedError",
    "DownloadError",
    "RequestTimeoutError",
    "ResponseTooLargeError",
    "ShortCountError",
    "UnreadableAnswerError",
    "TransportError",
}
KINDS = {
    name: kind
    for name, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, errors.SevenDigitalError)
}


@pytest.mark.parametrize("name", KINDS)
def test_every_error_says_so(name):
    assert KINDS[name]("what happened").maybe_sent is (name in MAYBE)


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
