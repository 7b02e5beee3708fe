"""The ways of docs/architecture.md, walked with a profiler: the page names every file that is entered."""

import asyncio
import json
import re
import sys
import threading
from contextlib import contextmanager
from datetime import UTC, datetime

from support.paths import ROOT
from support.rawserver import answer, raw_server

from sevendigital_async import LogKind, SevenDigital, StreamLog, StreamLogShipper

PACKAGE = f"{ROOT / 'sevendigital_async'}/"
PAGE = (ROOT / "docs" / "architecture.md").read_text()
SECTIONS = dict(re.findall(r"(?ms)^## (.+?)$(.*?)(?=^## |\Z)", PAGE))
LEFT_OUT = {"clock.py", "failpoints.py", "config.py", "errors.py"}
WHEN_IDLE = {"shipping/spools/sqlite/journal.py"}
"""What the thread of the spool enters while it has nothing to write."""

RELEASE = {"id": "1", "title": "Abbey Road", "artist": {"id": "2", "name": "The Beatles"}}
RESULTS = {"status": "ok", "page": 1, "pageSize": 10, "totalItems": 1, "releases": [RELEASE]}
REFUSED = {
    "error": {"code": 1008, "message": "bad", "errors": [{"index": 0, "code": 1002, "message": "no such track"}]}
}


@contextmanager
def entered_files():
    """Collect the files of the package that any thread enters."""
    files = set()

    def profile(frame, event, _):
        if event == "call" and frame.f_code.co_filename.startswith(PACKAGE):
            files.add(frame.f_code.co_filename.removeprefix(PACKAGE))

    before = sys.getprofile()
    threading.setprofile(profile)
    sys.setprofile(profile)
    try:
        yield files
    finally:
        sys.setprofile(before)
        threading.setprofile(before)


def named_in(title):
    [text] = [text for heading, text in SECTIONS.items() if heading.startswith(title)]
    return set(re.findall(r"`([\w/]+\.py)`", text))


def play():
    return StreamLog("123", datetime.now(UTC), client_id="phone", duration_played=30, country="GB")


async def test_a_call_enters_the_files_that_the_page_names():
    script = answer(json.dumps(RESULTS), Content_Type="application/json")
    async with raw_server(script) as raw, SevenDigital("key", "secret", base_url=raw.base_url) as client:
        await client.classic.releases.search("abbey road", country="GB")  # imports and connects
        with entered_files() as files:
            page = await client.classic.releases.search("abbey road", country="GB")
    assert [release.title for release in page.items] == ["Abbey Road"]
    assert files - LEFT_OUT <= named_in("How a call travels")


async def test_a_play_enters_the_files_that_the_page_names(tmp_path):
    walked = {}

    async def refuse(_reader, writer, _request):
        walked["to the service"] = files - WHEN_IDLE
        files.clear()
        writer.write(answer(json.dumps(REFUSED), "400 Bad Request", Content_Type="application/json"))
        await writer.drain()

    def take_over(_letter):
        walked["to the file"] = files - WHEN_IDLE

    with entered_files() as files:  # before the thread of the spool begins
        async with (
            raw_server(refuse) as raw,
            SevenDigital("key", "secret", base_url=raw.base_url) as client,
            StreamLogShipper(client, spool=tmp_path / "plays.db", on_dead_letter=take_over) as shipper,
        ):
            await asyncio.sleep(0)  # the lanes start, and wait for plays
            files.clear()
            await shipper.put(LogKind.PREVIEW, play())
            walked["put"] = files - WHEN_IDLE
            files.clear()
            statistics = await shipper.flush()
    assert statistics.buried == len(raw.requests) == 1
    assert walked["put"] - LEFT_OUT <= named_in("How a play travels")
    assert len(walked["put"] - LEFT_OUT) <= 12
    assert walked["to the service"] - LEFT_OUT <= named_in("From the file to the service")
    assert walked["to the file"] - LEFT_OUT <= named_in("From the socket to the file")
