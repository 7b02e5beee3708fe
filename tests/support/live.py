"""The live dialect in tests: a play that has every field, a client, and one shipment."""

from datetime import UTC, datetime, timedelta

import orjson
from attrs import evolve

from sevendigital_async import NO_RETRY, Dialect, LogKind, SevenDigital, StreamLog, StreamLogShipper
from support.rawserver import answer


def play(kind, number=1, *, user="u1", country="GB", **changes):
    """Return a play that tells just what the live dialect demands of its kind."""
    bought = {} if kind is LogKind.PREVIEW else {"release_id": "64705", "format_id": "33"}
    mode = {} if kind is LogKind.CATALOGUE else {"play_mode": "online"}
    ended = {"end_reason": "other"} if kind is LogKind.CATALOGUE else {}
    played = datetime.now(UTC) - timedelta(hours=1, microseconds=number)
    log = StreamLog(str(number), played, user, None, 0, country, user_agent="Phone 3", **bought, **mode, **ended)
    return evolve(log, **changes)


def counted(n):
    return answer(orjson.dumps({"status": "ok", "version": "1.2", "playLogs": {"count": n}}).decode())


def client_of(base_url):
    return SevenDigital("key", "secret", base_url=base_url, dialect=Dialect.LIVE, retry=NO_RETRY)


async def ship(client, kind, logs, **options):
    """Put plays, flush, and return the statistics with what was buried and delivered."""
    letters, deliveries = [], []
    shipper = StreamLogShipper(
        client, on_dead_letter=letters.append, on_delivered=deliveries.append, close_timeout=0.0, **options
    )
    async with shipper:
        await shipper.put_many(kind, logs)
        statistics = await shipper.flush(50)
    return statistics, letters, deliveries
