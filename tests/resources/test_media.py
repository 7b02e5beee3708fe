"""Streaming, downloading and signing media, seen from the other end of the wire."""

import asyncio
import errno
import re

import pytest
from support.oauth import is_signed
from support.rawserver import HANG_UP, answer, raw_server

from sevendigital_async import (
    NO_RETRY,
    ConfigurationError,
    DecodeError,
    Dialect,
    DisconnectedError,
    DownloadError,
    InvalidArgumentError,
    NotFoundError,
    RequestTimeoutError,
    RetryPolicy,
    SevenDigital,
    Timeout,
    UserToken,
)
from sevendigital_async.operations import Auth, Binding, Content, Operation, Safety
from sevendigital_async.operations.operation import parameter
from sevendigital_async.resources.resource import Resource
from sevendigital_async.session import download as download_module

AUDIO = bytes(range(256)) * 4096  # 1 MiB
TYPE = {"Content_Type": "audio/mpeg"}
WHOLE = answer(AUDIO, ETag='"one"', **TYPE)
USER = UserToken("user-token", "user-secret")


def operation(safety=Safety.READ, method="GET"):
    binding = Binding(method, "/clip", (parameter("track_id", required=True),))
    return Operation(
        id="getClip",
        name="x.clip",
        summary="",
        safety=safety,
        auth=Auth.THREE_LEGGED,
        content=Content.MEDIA,
        bindings={Dialect.OPENAPI: binding},
    )


def client_for(raw, **options):
    return SevenDigital("key", "secret", base_url=raw.base_url, **{"retry": RetryPolicy(base=0.001), **options})


def clip(client, **more):
    return Resource(client)._media(operation(**more), track_id="AC/DC é")


def part(first):
    total = len(AUDIO)
    headers = {"Content_Range": f"bytes {first}-{total - 1}/{total}", "ETag": '"one"', **TYPE}
    return answer(AUDIO[first:], "206 Partial Content", **headers)


def cut_short(size, *, tag='"one"'):
    async def handler(_, writer, __):
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(AUDIO)}\r\nContent-Type: audio/mpeg\r\nETag: {tag}\r\n\r\n"
        writer.write(head.encode() + AUDIO[:size])
        await writer.drain()
        # aiohttp drops what it has buffered when the connection breaks: give it time to hand that over.
        await asyncio.sleep(0.1)

    return handler


def header(request: bytes, name: str) -> str | None:
    found = re.search(rf"(?im)^{name}: (.*)\r$", request.decode())
    return found[1] if found else None


async def test_media_are_streamed_piece_by_piece():
    async with raw_server(WHOLE) as raw, client_for(raw) as client, clip(client) as response:
        assert (response.status, response.content_type, response.content_length) == (200, "audio/mpeg", len(AUDIO))
        pieces = [piece async for piece in response]
    assert b"".join(pieces) == AUDIO
    assert len(pieces) > 1


async def test_media_may_be_left_half_heard():
    async with raw_server(WHOLE) as raw, client_for(raw) as client:
        async with clip(client) as response:
            await anext(aiter(response))
        async with clip(client) as response:
            assert await response.read() == AUDIO


async def test_a_handle_streams_one_answer_at_a_time():
    async with raw_server(WHOLE) as raw, client_for(raw) as client:
        media = clip(client)
        async with media:
            with pytest.raises(ConfigurationError, match="already"):
                await media.__aenter__()
        async with media as response:
            assert len(await response.read()) == len(AUDIO)
    assert len(raw.requests) == 2


async def test_a_handle_that_is_not_used_requests_nothing():
    async with raw_server(WHOLE) as raw, client_for(raw) as client:
        clip(client)
    assert raw.requests == []


async def test_opening_is_repeated_as_safety_allows():
    async with raw_server(HANG_UP, answer("", "503 Busy"), WHOLE) as raw, client_for(raw) as client:
        async with clip(client) as response:
            assert await response.read() == AUDIO
    assert len(raw.requests) == 3
    async with raw_server(HANG_UP, WHOLE) as raw, client_for(raw) as client:
        with pytest.raises(DisconnectedError) as caught:
            await clip(client, safety=Safety.UNSAFE).__aenter__()
    assert (len(raw.requests), caught.value.maybe_sent, caught.value.operation) == (1, True, "x.clip")


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        (answer('{"error":{"code":2001,"message":"Track not found"}}', "404 Not Found"), NotFoundError),
        (answer('<response status="error"><error code="2001"/></response>', Content_Type="text/xml"), NotFoundError),
        (answer("", "302 Found", Location="https://x.example/?errorCode=2001&errorMsg=Gone"), NotFoundError),
        (answer('{"fine":true}', Content_Type="application/json"), DecodeError),
    ],
)
async def test_words_in_place_of_media_are_an_error(given, kind):
    async with raw_server(given) as raw, client_for(raw) as client:
        with pytest.raises(kind):
            await clip(client).__aenter__()


async def test_a_body_that_stalls_is_given_up_but_a_slow_one_is_not():
    async def slow(_, writer, __):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nContent-Type: audio/mpeg\r\n\r\n")
        for _ in range(8):
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.05)
        await asyncio.sleep(2)

    timeout = Timeout(total=0.2, read=0.3)
    async with raw_server(slow) as raw, client_for(raw, timeout=timeout, retry=NO_RETRY) as client:
        async with clip(client) as response:
            with pytest.raises(RequestTimeoutError, match=r"x\.clip"):
                await response.read()


# -- downloads --


async def test_a_download_appears_when_it_is_whole(tmp_path):
    target, seen = tmp_path / "clip.mp3", []

    def progress(done, total):
        assert not target.exists()
        seen.append((done, total))

    async with raw_server(WHOLE) as raw, client_for(raw) as client:
        assert await clip(client).download(to=target, progress=progress) == target
    assert target.read_bytes() == AUDIO
    assert seen[-1] == (len(AUDIO), len(AUDIO))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert list(tmp_path.iterdir()) == [target]
    assert header(raw.requests[0], "Accept-Encoding") == "identity"


async def broken_off(tmp_path, size=400_000):
    target = tmp_path / "clip.mp3"
    async with raw_server(cut_short(size)) as raw, client_for(raw) as client:
        with pytest.raises(DisconnectedError):
            await clip(client).download(to=target)
    assert not target.exists()
    return target


async def test_a_download_is_taken_up_where_it_broke_off(tmp_path):
    target = await broken_off(tmp_path)
    have = (tmp_path / "clip.mp3.part").stat().st_size
    assert 0 < have <= 400_000
    async with raw_server(part(have)) as raw, client_for(raw) as client:
        await clip(client).download(to=target)
    assert header(raw.requests[0], "Range") == f"bytes={have}-"
    assert header(raw.requests[0], "If-Range") == '"one"'
    assert target.read_bytes() == AUDIO
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("why", ["range ignored", "content changed"])
async def test_a_download_starts_anew_when_it_must(tmp_path, why):
    target = await broken_off(tmp_path)
    changed = AUDIO[::-1] if why == "content changed" else AUDIO
    async with raw_server(answer(changed, ETag='"two"', **TYPE)) as raw, client_for(raw) as client:
        await clip(client).download(to=target)
    assert target.read_bytes() == changed


async def test_a_range_beyond_the_end_starts_anew(tmp_path):
    target = await broken_off(tmp_path)
    refused = answer("", "416 Range Not Satisfiable", Content_Range="bytes */100")
    async with raw_server(refused, WHOLE) as raw, client_for(raw) as client:
        await clip(client).download(to=target)
    assert header(raw.requests[1], "Range") is None
    assert target.read_bytes() == AUDIO


async def test_a_service_that_resumes_elsewhere_is_an_error(tmp_path):
    target = await broken_off(tmp_path)
    async with raw_server(part(17)) as raw, client_for(raw) as client:
        with pytest.raises(DownloadError, match="byte 17"):
            await clip(client).download(to=target)
    assert not target.exists()


async def test_without_a_strong_validator_nothing_is_resumed(tmp_path):
    target = tmp_path / "clip.mp3"
    async with raw_server(cut_short(400_000, tag='W/"weak"'), WHOLE) as raw, client_for(raw) as client:
        with pytest.raises(DisconnectedError):
            await clip(client).download(to=target)
        await clip(client).download(to=target)
    assert header(raw.requests[1], "Range") is None
    assert target.read_bytes() == AUDIO


async def test_a_file_that_is_there_stays_until_the_new_one_is_whole(tmp_path):
    target = tmp_path / "clip.mp3"
    target.write_bytes(b"old")
    async with raw_server(cut_short(400_000), WHOLE) as raw, client_for(raw) as client:
        with pytest.raises(DisconnectedError):
            await clip(client).download(to=target)
        assert target.read_bytes() == b"old"
        await clip(client).download(to=target)
    assert target.read_bytes() == AUDIO


async def test_a_full_disk_is_a_clear_error(tmp_path, monkeypatch):
    async def full(_, __):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(download_module, "_write", full)
    async with raw_server(WHOLE) as raw, client_for(raw) as client:
        with pytest.raises(DownloadError, match="No space left"):
            await clip(client).download(to=tmp_path / "clip.mp3")
    assert not (tmp_path / "clip.mp3").exists()


async def test_a_place_that_can_not_be_written_is_a_clear_error(tmp_path):
    async with raw_server(WHOLE) as raw, client_for(raw) as client:
        with pytest.raises(DownloadError, match="nowhere"):
            await clip(client).download(to=tmp_path / "nowhere" / "clip.mp3")


# -- signed URLs --


async def test_a_signed_url_is_what_a_player_can_fetch():
    async with raw_server(WHOLE) as raw, client_for(raw) as client:
        url = clip(client.as_user(USER)).url()
        assert clip(client.as_user(USER)).url() != url
        reader, writer = await asyncio.open_connection("127.0.0.1", raw.port)
        target = url.removeprefix(raw.base_url)
        writer.write(f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{raw.port}\r\n\r\n".encode())
        assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
        writer.close()
    assert "trackId=AC%2FDC%20%C3%A9" in url
    assert is_signed(raw.requests[0], raw.base_url, "secret", USER.secret)


def test_only_a_get_is_a_url():
    with pytest.raises(InvalidArgumentError, match="POST"):
        clip(SevenDigital("key", "secret"), method="POST").url()


async def test_a_part_of_something_else_is_never_put_together(tmp_path):
    target = await broken_off(tmp_path)
    have = (tmp_path / "clip.mp3.part").stat().st_size
    other = part(have).replace(b'ETag: "one"', b'ETag: "two"')
    async with raw_server(other, WHOLE) as raw, client_for(raw) as client:
        with pytest.raises(DownloadError, match="a different version"):
            await clip(client).download(to=target)
        assert not target.exists()
        await clip(client).download(to=target)
    assert target.read_bytes() == AUDIO
