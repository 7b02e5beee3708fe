"""``sevendigital demo``: made-up plays, shipped to a sandbox on this machine and compared with what arrived."""

from __future__ import annotations

import asyncio
import itertools
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, TextIO

import orjson
import typer
from attrs import asdict, define, evolve, field, frozen

from ...client import SevenDigital
from ...config import Dialect
from ...errors import ShipperError
from ...models import EndReason, LogKind, PlayMode, StreamLog
from ...quantity import pluralize
from ...sandbox import Sandbox
from ...shipping import Statistics, StreamLogShipper
from ..options import DialectOption, JsonSummaryOption
from ..output import ExitCode, ExitError, TerminalText, echo, echo_json
from ..ship.display import Display, ProgressBar, open_display
from ..tables import Table, wrap

SHARE_BY_KIND: Mapping[LogKind, float] = {LogKind.PREVIEW: 0.60, LogKind.CATALOGUE: 0.25, LogKind.SUBSCRIBER: 0.15}
USERS = tuple(f"listener-{number:02}" for number in range(1, 49))
COUNTRIES = ("GB", "US", "DE", "FR", "JP", "BR", "SE", "ZA", "IN", "AU")
FORMATS = ("17", "26", "33", "45")
SKIPPED_SHARE = 0.03
MAX_PREVIEW_SECONDS = 30
MAX_PLAY_SECONDS = 420
MAX_PLAY_AGE = timedelta(days=1)


def plays_per_kind(plays: int) -> dict[LogKind, int]:
    """Divide a number of plays among the kinds; the rest of the division goes to previews."""
    numbers = {kind: int(plays * share) for kind, share in SHARE_BY_KIND.items()}
    numbers[LogKind.PREVIEW] += plays - sum(numbers.values())
    return numbers


def generate_plays(
    kind: LogKind, number: int, now: datetime, rng: random.Random, dialect: Dialect = Dialect.OPENAPI
) -> Iterator[StreamLog]:
    """Make plays of one kind, each with its own device."""
    longest = MAX_PREVIEW_SECONDS if kind is LogKind.PREVIEW else MAX_PLAY_SECONDS
    for index in range(number):
        skipped = rng.random() < SKIPPED_SHARE
        play = StreamLog(
            track_id=str(rng.randrange(1_000_000, 9_999_999)),
            timestamp=now - MAX_PLAY_AGE * rng.random(),
            user_id=None if kind is LogKind.PREVIEW else rng.choice(USERS),
            client_id=f"{kind.value}-device-{index:07}",
            duration_played=0 if skipped else rng.randint(1, longest),
            country=rng.choice(COUNTRIES),
        )
        yield play if dialect is Dialect.OPENAPI else _as_live(play, kind, rng)


def _as_live(play: StreamLog, kind: LogKind, rng: random.Random) -> StreamLog:
    """Return a play with the fields that the live dialect requires of its kind."""
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


PlayCounter = Counter[tuple[LogKind, bytes]]
"""Plays by kind, each as bytes that are equal if the plays are."""

SUMMED_COUNTS = ("sent", "delivered", "buried", "in_doubt", "requests")


@frozen
class KindCounts:
    """Counts for one kind of plays, from the shipper; ``busiest_second`` and ``limit`` are from the sandbox."""

    sent: int
    delivered: int
    buried: int
    in_doubt: int
    requests: int
    largest_batch: int
    busiest_second: int
    limit: int | None


@frozen
class DemoReport:
    """How a demo ended; ``seconds`` are those from the first put to the last response."""

    kinds: Mapping[LogKind, KindCounts]
    missing: int
    surplus: int
    seconds: float

    @property
    def is_equal(self) -> bool:
        """The sandbox received exactly the plays that were put."""
        return not self.missing and not self.surplus

    @property
    def difference(self) -> str:
        """The difference as text."""
        return f"{pluralize(self.missing)} put but not received, {self.surplus:,} received but not put"

    @property
    def sent(self) -> int:
        return sum(kind.sent for kind in self.kinds.values())

    def as_json(self) -> dict[str, Any]:
        return {
            "kinds": {kind.value: asdict(figures) for kind, figures in self.kinds.items()},
            "sent": self.sent,
            "missing": self.missing,
            "surplus": self.surplus,
            "equal": self.is_equal,
            "seconds": round(self.seconds, 3),
        }

    def as_text(self, stream: TextIO | None) -> TerminalText:
        headings = ["kind", "sent", "delivered", "buried", "in doubt", "requests", "largest batch", "busiest second"]
        rows = [[kind.value, *_cells(figures)] for kind, figures in self.kinds.items()]
        sums = [sum(getattr(figures, name) for figures in self.kinds.values()) for name in SUMMED_COUNTS]
        rows.append(["total", *(f"{number:,}" for number in sums), "", ""])
        rate = self.sent / self.seconds if self.seconds else 0.0
        closing = (
            f"The sandbox received exactly what was put, {pluralize(self.sent)}, compared record by record."
            if self.is_equal
            else f"NOT EQUAL: {self.difference}."
        )
        shown = Table(headings, rows, has_total=True).render(stream)
        return TerminalText(f"{shown}\n\n{wrap(closing, stream)}\n{self.seconds:.1f} s, {rate:,.0f} plays/s")


def _cells(counts: KindCounts) -> list[str]:
    numbers = [getattr(counts, name) for name in (*SUMMED_COUNTS, "largest_batch")]
    limit = "no limit" if counts.limit is None else f"of {counts.limit}"
    separator = ", " if counts.limit is None else " "
    return [*(f"{number:,}" for number in numbers), f"{counts.busiest_second}{separator}{limit}"]


def compare(
    statistics: Statistics, stats: Mapping[str, Any], *, put: PlayCounter, received: PlayCounter, seconds: float
) -> DemoReport:
    """Compare what was put with what the sandbox received."""
    kinds = {
        kind: KindCounts(
            sent=lane.counts.put,
            delivered=lane.counts.delivered,
            buried=lane.counts.buried,
            in_doubt=lane.counts.in_doubt,
            requests=lane.requests,
            largest_batch=lane.largest_batch,
            busiest_second=stats["kinds"][kind.value]["busiest_second"],
            limit=stats["limit"] if kind is LogKind.PREVIEW else None,
        )
        for kind, lane in statistics.lanes.items()
    }
    return DemoReport(kinds, missing=(put - received).total(), surplus=(received - put).total(), seconds=seconds)


HELP = """Ship made-up plays to a sandbox on this machine, and compare what arrived with what was put.

Starts a sandbox in the same process, ships 60 % preview, 25 % catalogue and 15 % subscriber plays of 48 users within
the documented limits, and compares the plays that the sandbox received with those that were put, record by record.
Needs no key, no network and no set-up.

\b
Examples:
  sevendigital demo
  sevendigital demo --plays 100000 --seed 7 --json
  sevendigital demo --dialect live

\b
Exit codes:
  0    the sandbox received exactly what was put
  1    wrong usage
  3    it received something else
  130  interrupted
"""

PLAYS_PER_PUT = 500
REFRESH_INTERVAL = 0.1
LINE_INTERVAL = 1.0


app = typer.Typer(rich_markup_mode=None)


@app.command("demo", help=HELP)
def demo(
    *,
    plays: Annotated[int, typer.Option(min=0, metavar="N", help="Number of plays, of all kinds together.")] = 10_000,
    seed: Annotated[
        int | None, typer.Option(metavar="N", help="The same seed makes the same plays.", show_default="random")
    ] = None,
    dialect: DialectOption = Dialect.OPENAPI,
    json: JsonSummaryOption = False,
) -> None:
    try:
        report = asyncio.run(_ship(plays_per_kind(plays), random.Random(seed), dialect))  # noqa: S311 - made-up plays
    except ShipperError as error:
        raise ExitError(str(error), ExitCode.REJECTED) from None
    if json:
        echo_json(report.as_json())
    else:
        echo(report.as_text(sys.stdout))
    if not report.is_equal:
        raise ExitError(report.difference, ExitCode.REJECTED)


@define
class _DemoRun:
    """Puts the plays of a demo and shows progress."""

    shipper: StreamLogShipper
    planned: Mapping[LogKind, int]
    dialect: Dialect
    put: PlayCounter = field(factory=Counter)

    async def produce(self, rng: random.Random) -> None:
        """Put all plays, alternating the kinds, and wait until they are delivered."""
        for kind, group in alternate_kinds(self.planned, rng, self.dialect):
            await self.shipper.put_many(kind, group)
            self.put.update((kind, canonical_json(log.as_wire())) for log in group)
        await self.shipper.flush()

    async def watch(self, display: Display) -> None:
        """Show progress until cancelled."""
        while True:
            display.show(progress_bars(self.planned, await self.shipper.statistics()))
            await asyncio.sleep(REFRESH_INTERVAL)


async def _ship(planned: Mapping[LogKind, int], rng: random.Random, dialect: Dialect) -> DemoReport:
    async with Sandbox() as sandbox:
        key, secret = sandbox.credentials.consumer_key, sandbox.credentials.consumer_secret
        tokens = {user: sandbox.token_for(user) for user in USERS}
        async with (
            SevenDigital(key, secret, base_url=sandbox.base_url, dialect=dialect) as client,
            StreamLogShipper(client, user_tokens=tokens, close_timeout=0.0) as shipper,
        ):
            run = _DemoRun(shipper, planned, dialect)
            started = time.monotonic()
            with open_display(sys.stderr, interval=LINE_INTERVAL) as display:
                watcher = asyncio.create_task(run.watch(display))
                try:
                    await run.produce(rng)
                finally:
                    watcher.cancel()
                    await asyncio.wait([watcher])
                display.show(progress_bars(planned, await shipper.statistics()))
            seconds = time.monotonic() - started
            statistics = await shipper.aclose()
    received = Counter((log.kind, canonical_json(log.log)) for log in sandbox.received())
    return compare(statistics, sandbox.stats(), put=run.put, received=received, seconds=seconds)


def alternate_kinds(
    planned: Mapping[LogKind, int], rng: random.Random, dialect: Dialect = Dialect.OPENAPI
) -> Iterator[tuple[LogKind, list[StreamLog]]]:
    now = datetime.now(UTC)
    sources = {kind: generate_plays(kind, number, now, rng, dialect) for kind, number in planned.items()}
    while sources:
        for kind, source in list(sources.items()):
            if group := list(itertools.islice(source, PLAYS_PER_PUT)):
                yield kind, group
            else:
                del sources[kind]


def progress_bars(planned: Mapping[LogKind, int], statistics: Statistics) -> list[ProgressBar]:
    delivered = {kind: statistics.lanes[kind].counts.delivered for kind in planned}
    return [
        ProgressBar(kind.value, delivered[kind], number, f"{delivered[kind]:,} of {number:,} delivered")
        for kind, number in planned.items()
    ]


def canonical_json(wire: Mapping[str, Any]) -> bytes:
    """Return a play as bytes that are equal for equal plays."""
    return orjson.dumps(dict(wire), option=orjson.OPT_SORT_KEYS)
