"""A program that uses the public face; type checkers find nothing to complain about. It is not run."""

import asyncio
from datetime import UTC, datetime

from sevendigital_async import LogKind, SevenDigital, StreamLog, StreamLogShipper, UserToken
from sevendigital_async.sandbox import Sandbox
from sevendigital_async.shipping import Alert, DeadLetter, Delivery


def on_alert(kind: LogKind, alert: Alert) -> None:
    print(kind, alert.message)


async def on_delivered(delivery: Delivery) -> None:
    print(delivery)


def on_dead_letter(letter: DeadLetter) -> None:
    print(letter.reason)


async def main() -> None:
    async with SevenDigital("key", "secret") as client:
        release = await client.classic.releases.details("11700062", country="GB")
        print(release.title, release.artist and release.artist.name)
        async for track in client.platform.catalogue.search_tracks("beatles"):
            print(track.title)
        page = await client.platform.catalogue.search_tracks("beatles")
        for track in page.items:
            print(track.id)
        mine = client.as_user(UserToken("token", "secret"))
        locker = await mine.classic.user.locker()
        print(locker, client.rate_limit)
        print(mine.media.stream_url(track_id="123"))
        async with StreamLogShipper(
            client,
            spool="plays.db",
            user_tokens={"1": UserToken("a", "b")},
            on_alert=on_alert,
            on_delivered=on_delivered,
            on_dead_letter=on_dead_letter,
        ) as shipper:
            await shipper.put(LogKind.PREVIEW, StreamLog(track_id="123", timestamp=datetime.now(UTC), country="GB"))
            report = await shipper.flush(timeout=30)
            print(report.delivered, report.lanes[LogKind.PREVIEW].counts.waiting)
    async with Sandbox() as sandbox:
        print(sandbox.base_url, sandbox.credentials.consumer_key)


asyncio.run(main())
