"""Downloads against servers that answer wrongly: the file is the original byte for byte, or an error says why not."""

import asyncio
import base64
import hashlib
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import orjson
import pytest
from support.rawserver import answer, raw_server

from sevendigital_async import (
    NO_RETRY,
    Dialect,
    DisconnectedError,
    DownloadError,
    InvalidArgumentError,
    InvalidRequestError,
    ServerError,
    SevenDigital,
    SevenDigitalError,
)
from sevendigital_async.operations import Auth, Binding, Content, Operation, Safety
from sevendigital_async.resources.resource import Resource
from sevendigital_async.session import part_file as part_module
from sevendigital_async.session.content_range import Digest, Version, content_digests, whole_digests
from sevendigital_async.session.part_file import MAX_REFUSALS, PartFile

AUDIO = bytes(range(256)) * 1200  # 307,200 bytes
OTHER = AUDIO[::-1]
TOTAL = len(AUDIO)
HAVE = 100_000
AUDIO_TYPE = {"Content_Type": "audio/mpeg"}
TAG = {"ETag": '"one"', **AUDIO_TYPE}
WHOLE = answer(AUDIO, **TAG)
MD5 = base64.b64encode(hashlib.md5(AUDIO, usedforsecurity=False).digest()).decode()
SHA256 = base64.b64encode(hashlib.sha256(AUDIO).digest()).decode()
SHA256_OTHER = base64.b64encode(hashlib.sha256(OTHER).digest()).decode()
SHA256_REST = base64.b64encode(hashlib.sha256(AUDIO[HAVE:]).digest()).decode()

CLIP = Operation(
    id="getClip",
    name="x.clip",
    summary="",
    safety=Safety.READ,
    auth=Auth.TWO_LEGGED,
    content=Content.MEDIA,
    bindings={Dialect.OPENAPI: Binding("GET", "/clip", ())},
)


def clip(client):
    return Resource(client)._media(CLIP)


def client_for(raw):
    return SevenDigital("key", "secret", base_url=raw.base_url, retry=NO_RETRY)


def part_of(body=AUDIO[HAVE:], content_range=f"bytes {HAVE}-{TOTAL - 1}/{TOTAL}", **headers):
    ranged = {} if content_range is None else {"Content_Range": content_range}
    return answer(body, "206 Partial Content", **{**ranged, **TAG, **headers})


def raw_answer(head, body):
    async def handler(_, writer, __):
        writer.write(head.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body)
        await writer.drain()
        await asyncio.sleep(0.05)  # aiohttp drops what it has buffered when the connection breaks

    return handler


def chunked(status, body, *more):
    lines = [f"HTTP/1.1 {status}", "Transfer-Encoding: chunked", "Content-Type: audio/mpeg", 'ETag: "one"', *more]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n"


def broken_off(body=AUDIO[:HAVE], total=TOTAL, tag='ETag: "one"'):
    return raw_answer(f"HTTP/1.1 200 OK\nContent-Length: {total}\nContent-Type: audio/mpeg\n{tag}", body)


async def fetch(target, *script):
    async with raw_server(*script) as raw, client_for(raw) as client:
        try:
            await clip(client).download(to=target)
        finally:
            fetch.requests = raw.requests


async def begun(tmp_path, first=None):
    """Leave a part of 100,000 bytes behind."""
    target, part = tmp_path / "clip.mp3", tmp_path / "clip.mp3.part"
    while not part.exists() or part.stat().st_size < HAVE:
        part.unlink(missing_ok=True)  # the connection ended before all that had arrived was read
        with pytest.raises(DisconnectedError):
            await fetch(target, first or broken_off())
    assert part.stat().st_size == HAVE
    return target


def header(request, name):
    found = re.search(rf"(?im)^{name}: (.*)\r$", request.decode())
    return found[1] if found else None


MULTIPART = (
    f"--x\r\nContent-Type: audio/mpeg\r\nContent-Range: bytes {HAVE}-{TOTAL - 1}/{TOTAL}\r\n\r\n".encode()
    + AUDIO[HAVE:]
    + b"\r\n--x--\r\n"
)

WRONG_RESUMPTIONS = {
    "no Content-Range": part_of(content_range=None),
    "no Content-Range, and everything": part_of(AUDIO, content_range=None),
    "an unreadable Content-Range": part_of(content_range="bytes somewhere/else"),
    "another unit": part_of(content_range=f"items {HAVE}-{TOTAL - 1}/{TOTAL}"),
    "a Content-Range of 5,000 digits": part_of(content_range=f"bytes {'1' * 5000}-{TOTAL - 1}/{TOTAL}"),
    "a negative Content-Range": part_of(content_range=f"bytes -{HAVE}-{TOTAL - 1}/{TOTAL}"),
    "digits that are not ASCII": part_of(content_range=f"bytes {HAVE}-٣/{TOTAL}"),
    "a Content-Range as of a 416": part_of(content_range=f"bytes */{TOTAL}"),
    "from the beginning, said to go on": part_of(AUDIO),
    "from elsewhere": part_of(AUDIO[17:], content_range=f"bytes 17-{TOTAL - 1}/{TOTAL}"),
    "from one byte later": part_of(AUDIO[HAVE + 1 :], content_range=f"bytes {HAVE + 1}-{TOTAL - 1}/{TOTAL}"),
    "backwards": part_of(content_range=f"bytes {TOTAL - 1}-{HAVE}/{TOTAL}"),
    "beyond its own end": part_of(content_range=f"bytes {HAVE}-{TOTAL - 1}/{TOTAL - 5}"),
    "fewer bytes than Content-Range says": part_of(AUDIO[HAVE:-5]),
    "more bytes than Content-Range says": part_of(AUDIO[HAVE:] + b"extra"),
    "more bytes than Content-Range says, chunked": chunked(
        "206 Partial Content", AUDIO[HAVE:] + b"extra", f"Content-Range: bytes {HAVE}-{TOTAL - 1}/{TOTAL}"
    ),
    "another total": part_of(AUDIO[HAVE:] + b"12345", content_range=f"bytes {HAVE}-{TOTAL + 4}/{TOTAL + 5}"),
    "another tag": part_of(OTHER[HAVE:], ETag='"two"'),
    "a weak tag": part_of(ETag='W/"one"'),
    "no tag": answer(
        AUDIO[HAVE:], "206 Partial Content", Content_Range=f"bytes {HAVE}-{TOTAL - 1}/{TOTAL}", **AUDIO_TYPE
    ),
    "several parts": part_of(MULTIPART, content_range=None, Content_Type="multipart/byteranges; boundary=x"),
    "compressed": part_of(Content_Encoding="gzip"),
    "a coding that nobody knows": part_of(Content_Encoding="x-magic"),
    "a part as if it were the whole": answer(AUDIO[HAVE:], Content_Range=f"bytes {HAVE}-{TOTAL - 1}/{TOTAL}", **TAG),
    "a digest of something else": part_of(Repr_Digest=f"sha-256=:{SHA256_OTHER}:"),
    "an old digest of something else": part_of(Digest=f"SHA-256={SHA256_OTHER}"),
    "a digest of another content": part_of(Content_Digest=f"sha-256=:{SHA256_OTHER}:"),
    "other bytes with the right digest": part_of(OTHER[HAVE:], Repr_Digest=f"sha-256=:{SHA256}:"),
    "words": answer("<html>portal</html>", Content_Type="text/html"),
}


@pytest.mark.parametrize("case", WRONG_RESUMPTIONS)
async def test_a_wrong_part_is_thrown_away_and_the_next_try_starts_anew(tmp_path, case):
    target = await begun(tmp_path)
    with pytest.raises(SevenDigitalError):
        await fetch(target, WRONG_RESUMPTIONS[case])
    assert header(fetch.requests[0], "Range") == f"bytes={HAVE}-"
    assert not target.exists()
    await fetch(target, WHOLE)
    assert target.read_bytes() == AUDIO
    assert list(tmp_path.iterdir()) == [target]


RIGHT_RESUMPTIONS = {
    "as asked": part_of(),
    "in other letters and spaces": part_of(content_range=f" Bytes  {HAVE} - {TOTAL - 1} / {TOTAL} "),
    "total unknown, but known from before": part_of(content_range=f"bytes {HAVE}-{TOTAL - 1}/*"),
    "chunked": chunked("206 Partial Content", AUDIO[HAVE:], f"Content-Range: bytes {HAVE}-{TOTAL - 1}/{TOTAL}"),
    "from the beginning, and said so": part_of(AUDIO, content_range=f"bytes 0-{TOTAL - 1}/{TOTAL}"),
    "another version from the beginning": part_of(AUDIO, f"bytes 0-{TOTAL - 1}/{TOTAL}", ETag='"two"'),
    "the whole": WHOLE,
    "the whole with a Content-Range": answer(AUDIO, Content_Range=f"bytes 0-{TOTAL - 1}/{TOTAL}", **TAG),
    "no coding": part_of(Content_Encoding="identity"),
    "digests of the whole": part_of(Repr_Digest=f"md5=:{MD5}:, sha-256=:{SHA256}:", Digest=f"md5={MD5}"),
    "a digest of the part": part_of(Content_Digest=f"sha-256=:{SHA256_REST}:"),
    "a digest that may be of either": part_of(Content_MD5="AAAAAAAAAAAAAAAAAAAAAA=="),
    "digests that nobody can read": part_of(Repr_Digest="sha-256=:short:, crc=:AAAA:, md5", Digest="unixsum=30637"),
}


@pytest.mark.parametrize("case", RIGHT_RESUMPTIONS)
async def test_a_right_part_is_put_together(tmp_path, case):
    target = await begun(tmp_path)
    await fetch(target, RIGHT_RESUMPTIONS[case])
    assert target.read_bytes() == AUDIO
    assert len(fetch.requests) == 1
    assert list(tmp_path.iterdir()) == [target]


WRONG_WHOLES = {
    "cut, and no length": raw_answer("HTTP/1.1 200 OK\nContent-Type: audio/mpeg\nConnection: close", AUDIO[:HAVE]),
    "cut": broken_off(),
    "a part that nobody asked for": part_of(),
    "the beginning of an unknown whole": part_of(AUDIO[:HAVE], content_range=f"bytes 0-{HAVE - 1}/*"),
    "the beginning": part_of(AUDIO[:HAVE], content_range=f"bytes 0-{HAVE - 1}/{TOTAL}"),
    "the beginning as the whole": answer(AUDIO[:HAVE], Content_Range=f"bytes 0-{HAVE - 1}/{TOTAL}", **TAG),
    "a part without a range": part_of(AUDIO[:HAVE], content_range=None),
    "a wrong Content-MD5": answer(OTHER, Content_MD5=MD5, **TAG),
    "a wrong Digest": answer(OTHER, Digest=f"md5={MD5}", **TAG),
    "a wrong Repr-Digest": answer(OTHER, Repr_Digest=f"sha-256=:{SHA256}:", **TAG),
    "a wrong Content-Digest": answer(OTHER, Content_Digest=f"sha-256=:{SHA256}:", **TAG),
    "one wrong digest of two": answer(OTHER, Repr_Digest=f"sha-256=:{SHA256_OTHER}:, md5=:{MD5}:", **TAG),
    "compressed": answer(AUDIO, Content_Encoding="br", **TAG),
}


@pytest.mark.parametrize("case", WRONG_WHOLES)
async def test_a_wrong_whole_is_an_error_and_the_next_try_succeeds(tmp_path, case):
    target = tmp_path / "clip.mp3"
    with pytest.raises(SevenDigitalError):
        await fetch(target, WRONG_WHOLES[case])
    assert not target.exists()
    await fetch(target, WHOLE)
    assert target.read_bytes() == AUDIO
    assert list(tmp_path.iterdir()) == [target]


RIGHT_WHOLES = {
    "chunked": chunked("200 OK", AUDIO),
    "with a digest and no length": raw_answer(
        f"HTTP/1.1 200 OK\nContent-Type: audio/mpeg\nRepr-Digest: sha-256=:{SHA256}:\nConnection: close", AUDIO
    ),
    "with all digests": answer(
        AUDIO,
        Content_MD5=MD5,
        Digest=f"sha-256={SHA256},md5={MD5}",
        Repr_Digest=f"sha-256=:{SHA256}:",
        Content_Digest=f"md5=:{MD5}:",
        **TAG,
    ),
    "a tag that is an MD5 of something else": answer(AUDIO, ETag='"d41d8cd98f00b204e9800998ecf8427e"', **AUDIO_TYPE),
    "a tag that isn't ASCII": answer(AUDIO, ETag='"é"', **AUDIO_TYPE),
}


@pytest.mark.parametrize("case", RIGHT_WHOLES)
async def test_a_right_whole_is_there(tmp_path, case):
    target = tmp_path / "clip.mp3"
    await fetch(target, RIGHT_WHOLES[case])
    assert target.read_bytes() == AUDIO
    assert list(tmp_path.iterdir()) == [target]


async def test_a_digest_of_the_first_try_is_checked_when_the_last_is_through(tmp_path):
    first = broken_off(tag=f'ETag: "one"\nRepr-Digest: sha-256=:{SHA256}:')
    target = await begun(tmp_path, first)
    with pytest.raises(DownloadError, match="digest"):
        await fetch(target, part_of(OTHER[HAVE:]))
    await fetch(target, WHOLE)
    assert target.read_bytes() == AUDIO


async def test_a_part_may_come_in_parts(tmp_path):
    target = await begun(tmp_path)
    with pytest.raises(DownloadError, match=f"200000 of {TOTAL} bytes arrived"):
        await fetch(target, part_of(AUDIO[HAVE:200_000], f"bytes {HAVE}-199999/{TOTAL}"))
    await fetch(target, part_of(AUDIO[200_000:], f"bytes 200000-{TOTAL - 1}/{TOTAL}"))
    assert header(fetch.requests[0], "Range") == "bytes=200000-"
    assert target.read_bytes() == AUDIO


# -- validators --

OLD, DATE = "Wed, 01 Jul 2026 10:00:00 GMT", "Thu, 02 Jul 2026 10:00:00 GMT"


@pytest.mark.parametrize(
    ("lines", "validator"),
    [
        (f"Last-Modified: {OLD}\nDate: {DATE}", OLD),
        (f"Last-Modified: {DATE}\nDate: {DATE}", None),  # may have changed twice in that second
        (f"Last-Modified: {OLD}", None),
        (f'ETag: W/"one"\nLast-Modified: {OLD}\nDate: {DATE}', OLD),
        ("ETag: one", None),
        ("Last-Modified: yesterday\nDate: today", None),
        ('ETag: "one"', '"one"'),
    ],
)
async def test_only_a_strong_validator_goes_on(tmp_path, lines, validator):
    target = await begun(tmp_path, broken_off(tag=lines))
    await fetch(target, WHOLE)
    assert header(fetch.requests[0], "If-Range") == validator
    assert (header(fetch.requests[0], "Range") is None) == (validator is None)
    assert target.read_bytes() == AUDIO


@pytest.mark.parametrize(("modified", "fits"), [(OLD, True), (None, True), (DATE, False)])
async def test_a_date_need_not_be_repeated_but_must_not_change(tmp_path, modified, fits):
    target = await begun(tmp_path, broken_off(tag=f"Last-Modified: {OLD}\nDate: {DATE}"))
    headers = {"Content_Range": f"bytes {HAVE}-{TOTAL - 1}/{TOTAL}", **AUDIO_TYPE}
    rest = answer(AUDIO[HAVE:], "206 Partial Content", **headers, **({"Last_Modified": modified} if modified else {}))
    if not fits:
        with pytest.raises(DownloadError, match="a different version"):
            await fetch(target, rest)
        rest = WHOLE
    await fetch(target, rest)
    assert target.read_bytes() == AUDIO


# -- what may be in place of the part --


def longer(part, _):
    part.write_bytes(AUDIO + AUDIO)


def shorter(part, _):
    part.write_bytes(AUDIO[: HAVE - 1])


def empty(part, _):
    part.write_bytes(b"")


def exchanged(part, _):
    part.write_bytes(OTHER[:HAVE])


def zeroed(part, _):
    part.write_bytes(bytes(HAVE))


def gone(part, _):
    part.unlink()


def directory(part, _):
    part.unlink()
    part.mkdir()


def pipe(part, _):
    part.unlink()
    os.mkfifo(part)


def link(part, _):
    part.unlink()
    part.with_name("victim").write_bytes(b"precious")
    part.symlink_to(part.with_name("victim"))


def dangling_link(part, _):
    part.unlink()
    part.symlink_to(part.with_name("nowhere"))


def second_name(part, _):
    part.with_name("victim").write_bytes(b"precious")
    part.unlink()
    os.link(part.with_name("victim"), part)


def no_note(_, note):
    note.unlink()


def note_of(content):
    def write(_, note):
        note.write_bytes(content)

    write.__name__ = f"note {content[:12]!r}"
    return write


def note_directory(_, note):
    note.unlink()
    note.mkdir()


def note_link(_, note):
    note.unlink()
    note.with_name("victim").write_bytes(b"precious")
    note.symlink_to(note.with_name("victim"))


def whole_already(part, note):
    part.write_bytes(AUDIO)
    changes = {"size": TOTAL, "sha256": hashlib.sha256(AUDIO).hexdigest()}
    note.write_bytes(orjson.dumps({**orjson.loads(note.read_bytes()), **changes}))


NOTES = (b"", b"{", b"[]", b"null", b'{"validator": "x"}', b"\xff", b'{"validator":"\\"one\\""}')
INSTEAD = (
    longer, shorter, empty, exchanged, zeroed, gone, directory, pipe, link, dangling_link, second_name, no_note,
    note_directory, note_link, whole_already, *map(note_of, NOTES),
)  # fmt: skip


@pytest.mark.parametrize("spoil", INSTEAD, ids=lambda spoil: spoil.__name__)
async def test_whatever_is_in_place_of_the_part_the_download_succeeds(tmp_path, spoil):
    target = await begun(tmp_path)
    spoil(tmp_path / "clip.mp3.part", tmp_path / "clip.mp3.part.json")

    async def server(_, writer, request):
        writer.write(WHOLE if header(request, "Range") is None else part_of())

    await fetch(target, server)
    assert target.read_bytes() == AUDIO
    victim = tmp_path / "victim"
    assert not victim.exists() or victim.read_bytes() == b"precious"
    assert {*tmp_path.iterdir()} <= {target, victim}


@pytest.mark.parametrize("name", ["clip.mp3", "clip.mp3.part", "clip.mp3.part.json"])
async def test_a_directory_with_something_in_it_is_named(tmp_path, name):
    (tmp_path / name / "kept").mkdir(parents=True)
    with pytest.raises(DownloadError, match=rf"{re.escape(name)} is a directory"):
        await fetch(tmp_path / "clip.mp3", WHOLE)
    assert fetch.requests == []
    assert (tmp_path / name / "kept").is_dir()


@pytest.mark.parametrize("name", ["", ".", "/", "a\0b", "\ud800"])
async def test_what_is_no_name_of_a_file_is_refused(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidArgumentError, match="to must name a file"):
        await fetch(name, WHOLE)
    assert fetch.requests == []
    assert list(tmp_path.iterdir()) == []


async def test_a_name_that_is_too_long_is_a_clear_error(tmp_path):
    with pytest.raises(DownloadError, match="too long") as caught:
        await fetch(tmp_path / ("x" * 252), WHOLE)
    assert fetch.requests == []
    assert not caught.value.maybe_sent


# -- refusals --


def to_ranges(refusal):
    async def server(_, writer, request):
        writer.write(WHOLE if header(request, "Range") is None else refusal)

    return server


@pytest.mark.parametrize("status", ["416 Range Not Satisfiable", "400 Bad Request"])
async def test_a_service_that_has_no_such_range_is_asked_for_the_whole(tmp_path, status):
    target = await begun(tmp_path)
    await fetch(target, to_ranges(answer("", status)))
    assert [header(request, "Range") for request in fetch.requests] == [f"bytes={HAVE}-", None]
    assert target.read_bytes() == AUDIO


@pytest.mark.parametrize("status", ["500 Oops", "403 Forbidden", "412 Precondition Failed", "501 Not Implemented"])
async def test_a_service_that_refuses_ranges_again_and_again_is_asked_for_the_whole(tmp_path, status):
    target = await begun(tmp_path)
    tries = 0
    while not target.exists() and tries <= MAX_REFUSALS:
        tries += 1
        try:
            await fetch(target, to_ranges(answer("", status)))
        except SevenDigitalError:
            continue
    assert target.read_bytes() == AUDIO
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("status", ["429 Too Many Requests", "401 Unauthorized"])
async def test_what_says_nothing_about_ranges_keeps_the_part(tmp_path, status):
    target = await begun(tmp_path)
    for _ in range(MAX_REFUSALS + 1):
        with pytest.raises(SevenDigitalError):
            await fetch(target, to_ranges(answer("", status)))
    await fetch(target, part_of())
    assert header(fetch.requests[0], "Range") == f"bytes={HAVE}-"
    assert target.read_bytes() == AUDIO


async def test_a_refusal_behind_a_redirect_is_not_paid_for_twice(tmp_path):
    target = await begun(tmp_path)
    moved, refused = answer("", "302 Found", Location="/elsewhere"), answer("", "416 Range Not Satisfiable")
    with pytest.raises(InvalidRequestError):
        await fetch(target, moved, refused, WHOLE)
    assert len(fetch.requests) == 2
    await fetch(target, WHOLE)
    assert target.read_bytes() == AUDIO


async def test_a_request_that_fails_leaves_nothing_behind(tmp_path):
    with pytest.raises(ServerError):
        await fetch(tmp_path / "clip.mp3", answer("", "500 Oops"))
    assert list(tmp_path.iterdir()) == []


# -- together, killed, cancelled --


async def test_two_downloads_into_one_file_don_t_mix(tmp_path):
    target = tmp_path / "clip.mp3"
    going, go_on = asyncio.Event(), asyncio.Event()

    async def slow(_, writer, __):
        going.set()
        await go_on.wait()
        writer.write(WHOLE)
        await writer.drain()

    async with raw_server(slow) as raw, client_for(raw) as client:
        first = asyncio.create_task(clip(client).download(to=target))
        await going.wait()
        with pytest.raises(DownloadError, match="another download"):
            await clip(client).download(to=target)
        go_on.set()
        await first
    assert target.read_bytes() == AUDIO
    assert list(tmp_path.iterdir()) == [target]


async def test_what_was_put_in_place_of_the_part_meanwhile_is_not_taken_for_it(tmp_path):
    target = tmp_path / "clip.mp3"

    async def last_request(_, writer, __):
        (tmp_path / "clip.mp3.part").rename(tmp_path / "away")
        (tmp_path / "clip.mp3.part").write_bytes(b"other")
        writer.write(WHOLE)
        await writer.drain()

    with pytest.raises(DownloadError, match="was replaced during the download"):
        await fetch(target, last_request)
    assert not target.exists()


async def test_a_cancelled_download_goes_on_later(tmp_path):
    target = tmp_path / "clip.mp3"
    arrived = asyncio.Event()

    async def stall(_, writer, __):
        writer.write(WHOLE[:-20_000])
        await writer.drain()
        await asyncio.sleep(60)

    async with raw_server(stall) as raw, client_for(raw) as client:
        task = asyncio.create_task(clip(client).download(to=target, progress=lambda *_: arrived.set()))
        await arrived.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    have = (tmp_path / "clip.mp3.part").stat().st_size
    assert have >= 256 * 1024
    await fetch(target, part_of(AUDIO[have:], f"bytes {have}-{TOTAL - 1}/{TOTAL}"))
    assert target.read_bytes() == AUDIO


KILLED = """
import asyncio, os, signal, sys
sys.path.insert(0, {tests!r})
from pathlib import Path
from sevendigital_async.session.content_range import Extent, Version
from sevendigital_async.session.part_file import PartFile
part = PartFile(Path({target!r}))
part.open()
part.begin(Extent(0, None, Version('"one"', 20_000_000)))
for _ in range(10):
    part.write(bytes(range(256)) * 4096)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_process_loses_no_more_than_the_last_checkpoint(tmp_path):
    target = tmp_path / "clip.mp3"
    script = KILLED.format(tests=str(Path(__file__).parent), target=str(target))
    ended = subprocess.run([sys.executable, "-c", script], check=False)
    assert ended.returncode == -signal.SIGKILL
    part = PartFile(target)
    part.open()
    assert (part.size, part.version) == (8 * 1024 * 1024, Version('"one"', 20_000_000))
    part.close()


def test_a_part_that_is_closed_stays_closed(tmp_path):
    part = PartFile(tmp_path / "clip.mp3")
    part.open()
    part.close()
    part.open()  # a thread that comes too late
    with pytest.raises(DownloadError, match="has ended"):
        part.write(b"")


async def test_a_disk_that_fails_does_not_hide_a_cancellation(tmp_path, monkeypatch):
    arrived = asyncio.Event()

    async def stall(_, writer, __):
        writer.write(WHOLE[:-20_000])
        await writer.drain()
        await asyncio.sleep(60)

    def fails(*_):
        raise OSError("no space")

    async with raw_server(stall) as raw, client_for(raw) as client:
        task = asyncio.create_task(clip(client).download(to=tmp_path / "clip.mp3", progress=lambda *_: arrived.set()))
        await arrived.wait()
        monkeypatch.setattr(part_module, "_write", fails)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


def test_digests_are_read_as_their_rfcs_write_them():
    value = Digest("sha256", hashlib.sha256(AUDIO).hexdigest())
    for text in (f"sha-256=:{SHA256}:", f"SHA-256={SHA256}", f"sha-256={SHA256};q=1, x=:AA==:"):
        assert whole_digests({"repr-digest": text}) == whole_digests({"digest": text}) == {value}
        assert content_digests({"content-digest": text}, whole=False) == {value}
    assert content_digests({"content-md5": MD5}, whole=True) == {
        Digest("md5", hashlib.md5(AUDIO, usedforsecurity=False).hexdigest())
    }
    assert content_digests({"content-md5": MD5}, whole=False) == whole_digests({"digest": "sha-256=abc"}) == frozenset()
