"""A program that uses the public face; type checkers find nothing to complain about. It is not run."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

from sevendigital_async import (
    LogKind,
    MediaHandle,
    Operation,
    Pages,
    RateLimit,
    RequestInfo,
    Response,
    ResponseInfo,
    SevenDigital,
    Statistics,
    StreamLog,
    StreamLogShipper,
    UserToken,
)
from sevendigital_async.models import LockerRelease, Release, Track
from sevendigital_async.operations import REGISTRY
from sevendigital_async.sandbox import Faults, ReceivedLog, Sandbox
from sevendigital_async.shipping import Alert, AlertHook, DeadLetter, Delivery, MemorySpool, Spool, UserTokens
from sevendigital_async.sources import BadRecord, FileSource, Source, ship_from


def on_alert(kind: LogKind, alert: Alert) -> None:
    print(kind, alert.message)


async def on_delivered(delivery: Delivery) -> None:
    print(delivery)


def on_dead_letter(letter: DeadLetter) -> None:
    print(letter.reason)


def on_request(request: RequestInfo) -> None:
    print(request)


def on_response(response: ResponseInfo) -> None:
    print(response)


async def on_bad_records(records: Sequence[BadRecord]) -> None:
    print(len(records))


async def titles(tracks: Pages[Track]) -> list[str | None]:
    return [track.title async for track in tracks]


async def main(tokens: UserTokens, spool: Spool, hook: AlertHook = on_alert) -> Statistics:
    async with SevenDigital("key", "secret", on_request=on_request, on_response=on_response) as client:
        release: Release = await client.classic.releases.details("11700062", country="GB")
        print(release.title, release.artist and release.artist.name)
        print(await titles(client.platform.catalogue.search_tracks("beatles")))
        page = await client.platform.catalogue.search_tracks("beatles")
        for track in page.items:
            print(track.id)
        mine = client.as_user(UserToken("token", "secret"))
        async for each in mine.classic.user.locker():
            owned: LockerRelease = each
            print(owned)
        operation: Operation = REGISTRY.find("classic.service.status")
        print(await client.call(operation))
        response: Response[Release] = await client.with_raw_response(
            lambda caller: caller.classic.releases.details("11700062")
        )
        print(response.value.title)
        limit: RateLimit = client.rate_limit
        preview: MediaHandle = client.platform.streaming.preview("123")
        print(limit.remaining, preview, mine.media.stream_url(track_id="123"))
        async with StreamLogShipper(
            client,
            spool=spool,
            user_tokens=tokens,
            lanes={LogKind.SUBSCRIBER: {"linger": 30.0, "concurrency": 4}},
            on_alert=hook,
            on_delivered=on_delivered,
            on_dead_letter=on_dead_letter,
        ) as shipper:
            await shipper.put(LogKind.PREVIEW, StreamLog(track_id="123", timestamp=datetime.now(UTC), country="GB"))
            source: Source = FileSource("plays.csv")
            await ship_from(source, shipper, kind=LogKind.CATALOGUE, on_bad_records=on_bad_records)
            report = await shipper.flush(timeout=30)
            print(report.delivered, report.lanes[LogKind.PREVIEW].counts.waiting)
    async with Sandbox(faults=Faults.parse(["503:10%"])) as sandbox:
        received: Sequence[ReceivedLog] = sandbox.received(LogKind.PREVIEW)
        print(sandbox.base_url, sandbox.credentials.consumer_key, len(received))
    return report


asyncio.run(main({"1": UserToken("a", "b")}, MemorySpool()))
