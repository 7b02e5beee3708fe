"""``sevendigital demo``: plays from start to end on this machine, with an account of every one."""

from __future__ import annotations

import asyncio
import itertools
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import orjson
import typer
from attrs import define, evolve, field

from ...client import SevenDigital
from ...config import Dialect
from ...errors import ShipperError
from ...models import EndReason, LogKind, PlayMode, StreamLog
from ...sandbox import Sandbox
from ...shipping import Statistics, StreamLogShipper
from ..connection import DialectName
from ..output import ExitCode, ExitError, say, say_json
from ..ship.display import Account, Display, Gauge, Records, account_of, display_on

SHARES: Mapping[LogKind, float] = {LogKind.PREVIEW: 0.60, LogKind.CATALOGUE: 0.25, LogKind.SUBSCRIBER: 0.15}
USERS = tuple(f"listener-{number:02}" for number in range(1, 49))
COUNTRIES = ("GB", "US", "DE", "FR", "JP", "BR", "SE", "ZA", "IN", "AU")
FORMATS = ("17", "26", "33", "45")
SKIPPED_AT_ONCE = 0.03
PREVIEW_SECONDS = 30
LONGEST_SECONDS = 420
DAY = timedelta(days=1)


def split(plays: int) -> dict[LogKind, int]:
    """Divide a number of plays among the kinds; nothing is lost to rounding."""
    numbers = {kind: int(plays * share) for kind, share in SHARES.items()}
    numbers[LogKind.PREVIEW] += plays - sum(numbers.values())
    return numbers


def plausible_plays(
    kind: LogKind, number: int, now: datetime, rng: random.Random, dialect: Dialect = Dialect.OPENAPI
) -> Iterator[StreamLog]:
    """Make plays of one kind, no two alike: each has a device of its own.

    Args:
        kind: Previews are short and need no user.
        number: How many.
        now: All were played within the day before.
        rng: Where chance comes from.
        dialect: Decides what plays tell: the live one demands more, and takes no id of a device.
    """
    longest = PREVIEW_SECONDS if kind is LogKind.PREVIEW else LONGEST_SECONDS
    for index in range(number):
        skipped = rng.random() < SKIPPED_AT_ONCE
        play = StreamLog(
            track_id=str(rng.randrange(1_000_000, 9_999_999)),
            timestamp=now - DAY * rng.random(),
            user_id=None if kind is LogKind.PREVIEW else rng.choice(USERS),
            client_id=f"{kind.value}-device-{index:07}",
            duration_played=0 if skipped else rng.randint(1, longest),
            country=rng.choice(COUNTRIES),
        )
        yield play if dialect is Dialect.OPENAPI else _as_live(play, kind, rng)


def _as_live(play: StreamLog, kind: LogKind, rng: random.Random) -> StreamLog:
    """Return a play with all that the live dialect demands of its kind."""
    is_clip = kind is LogKind.PREVIEW
    return evolve(
        play,
        user_id=play.user_id or rng.choice(USERS),
        client_id=None,
        release_id=None if is_clip else str(rng.randrange(100_000, 999_999)),
        format_id=None if is_clip else rng.choice(FORMATS),
        play_mode=None if kind is LogKind.CATALOGUE else rng.choice(list(PlayMode)),
        end_reason=rng.choice(list(EndReason)) if kind is LogKind.CATALOGUE else None,
        user_agent=f"{play.client_id}, application 6",
    )


HELP = """Ship made-up plays of all three kinds to a sandbox on this machine, and account for every one of them.

Starts the sandbox in the same process, ships 60 % previews, 25 % catalogue and 15 % subscriber plays of some dozens
of users within the documented limits, and compares, record for record, what the sandbox received with what was put.
Needs no key, no network and no set-up.

\b
Examples:
  sevendigital demo
  sevendigital demo --plays 100000 --seed 7 --json
  sevendigital demo --dialect live

\b
Exit codes:
  0    what the sandbox received equals what was put
  1    wrong usage
  3    it does not
  130  interrupted
"""

GROUP = 500
REFRESH = 0.1
LINE_EVERY = 1.0


def demo(
    *,
    plays: Annotated[int, typer.Option(min=0, help="How many, of all kinds together.")] = 10_000,
    seed: Annotated[
        int | None, typer.Option(help="The same seed makes the same plays.", show_default="by chance")
    ] = None,
    dialect: DialectName = Dialect.OPENAPI,
    json: Annotated[bool, typer.Option("--json", help="Print the account as one JSON object.")] = False,
) -> None:
    """Ship and compare."""
    try:
        account = asyncio.run(_ship(split(plays), random.Random(seed), dialect))  # noqa: S311 - made-up plays
    except ShipperError as error:
        raise ExitError(str(error), ExitCode.REJECTED) from None
    if json:
        say_json(account.as_json())
    else:
        say(account.as_text(sys.stdout))
    if not account.equal:
        raise ExitError(account.difference, ExitCode.REJECTED)


@define
class _Run:
    """A demo under way."""

    shipper: StreamLogShipper
    planned: Mapping[LogKind, int]
    dialect: Dialect
    put: Records = field(factory=Counter)

    async def produce(self, rng: random.Random) -> None:
        """Put everything, the kinds in turns, and see it delivered."""
        for kind, group in in_turns(self.planned, rng, self.dialect):
            await self.shipper.put_many(kind, group)
            self.put.update((kind, canonical(log.as_wire())) for log in group)
        await self.shipper.flush()

    async def watch(self, display: Display) -> None:
        """Show how far it has come, until cancelled."""
        while True:
            display.show(gauges(self.planned, await self.shipper.statistics()))
            await asyncio.sleep(REFRESH)


async def _ship(planned: Mapping[LogKind, int], rng: random.Random, dialect: Dialect) -> Account:
    async with Sandbox() as sandbox:
        key, secret = sandbox.credentials.consumer_key, sandbox.credentials.consumer_secret
        tokens = {user: sandbox.token_for(user) for user in USERS}
        async with (
            SevenDigital(key, secret, base_url=sandbox.base_url, dialect=dialect) as client,
            StreamLogShipper(client, user_tokens=tokens, close_timeout=0.0) as shipper,
        ):
            run = _Run(shipper, planned, dialect)
            started = time.monotonic()
            with display_on(sys.stderr, every=LINE_EVERY) as display:
                watcher = asyncio.create_task(run.watch(display))
                try:
                    await run.produce(rng)
                finally:
                    watcher.cancel()
                    await asyncio.wait([watcher])
                display.show(gauges(planned, await shipper.statistics()))
            seconds = time.monotonic() - started
            statistics = await shipper.aclose()
    received = Counter((log.kind, canonical(log.log)) for log in sandbox.received())
    return account_of(statistics, sandbox.stats(), put=run.put, received=received, seconds=seconds)


def in_turns(
    planned: Mapping[LogKind, int], rng: random.Random, dialect: Dialect = Dialect.OPENAPI
) -> Iterator[tuple[LogKind, list[StreamLog]]]:
    """Make the plays in groups, one kind after the other, again and again."""
    now = datetime.now(UTC)
    sources = {kind: plausible_plays(kind, number, now, rng, dialect) for kind, number in planned.items()}
    while sources:
        for kind, source in list(sources.items()):
            if group := list(itertools.islice(source, GROUP)):
                yield kind, group
            else:
                del sources[kind]


def gauges(planned: Mapping[LogKind, int], statistics: Statistics) -> list[Gauge]:
    """Draw from the shipper's numbers how much of each kind is delivered."""
    delivered = {kind: statistics.lanes[kind].counts.delivered for kind in planned}
    return [
        Gauge(kind.value, delivered[kind], number, f"{delivered[kind]:,} of {number:,} delivered")
        for kind, number in planned.items()
    ]


def canonical(wire: Mapping[str, Any]) -> bytes:
    """Write a play so that equal plays are equal bytes."""
    return orjson.dumps(dict(wire), option=orjson.OPT_SORT_KEYS)
