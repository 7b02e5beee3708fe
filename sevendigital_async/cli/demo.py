"""``sevendigital demo``: plays from start to end on this machine, with an account of every one."""

from __future__ import annotations

import asyncio
import itertools
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

import orjson
import typer
from attrs import asdict, define, field, frozen

from ..client import SevenDigital
from ..errors import ShipperError
from ..models import LogKind, StreamLog
from ..sandbox import Sandbox
from ..shipping import Statistics, StreamLogShipper
from .display import Display, Gauge, display_on, rendered, table
from .exits import ExitCode
from .output import complain, say
from .plays import USERS, plausible_plays, split

HELP = """Ship made-up plays of all three kinds to a sandbox on this machine, and account for every one of them.

Starts the sandbox in the same process, ships 60 % previews, 25 % catalogue and 15 % subscriber plays of some dozens
of users within the documented limits, and compares, record for record, what the sandbox received with what was put.
Needs no key, no network and no set-up.

\b
Examples:
  sevendigital demo
  sevendigital demo --plays 100000 --seed 7 --json

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

Records = Counter[tuple[LogKind, bytes]]


def demo(
    *,
    plays: Annotated[int, typer.Option(min=0, help="How many, of all kinds together.")] = 10_000,
    seed: Annotated[int | None, typer.Option(help="The same seed makes the same plays.", show_default="by chance")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the account as one JSON object.")] = False,
) -> None:
    """Ship and compare."""
    try:
        account = asyncio.run(_ship(split(plays), random.Random(seed)))  # noqa: S311 - made-up plays
    except ShipperError as error:
        complain(str(error))
        raise typer.Exit(ExitCode.REJECTED) from None
    say(orjson.dumps(account.as_json()).decode() if json else account.as_text())
    raise typer.Exit(ExitCode.DONE if account.equal else ExitCode.REJECTED)


@frozen
class KindAccount:
    """What became of the plays of one kind, or of all; numbers of the shipper, but for the sandbox's last two."""

    sent: int
    delivered: int
    buried: int
    in_doubt: int
    requests: int
    largest_batch: int
    busiest_second: int
    limit: int | None


@frozen
class Account:
    """How a demo ended.

    Attributes:
        kinds: By kind.
        missing: Plays that were put and not received.
        surplus: Plays that were received and not put, or more often than put.
        seconds: From the first put to the last answer.
    """

    kinds: Mapping[LogKind, KindAccount]
    missing: int
    surplus: int
    seconds: float

    @property
    def equal(self) -> bool:
        """What arrived is what was put."""
        return not self.missing and not self.surplus

    @property
    def sent(self) -> int:
        """Plays put."""
        return sum(kind.sent for kind in self.kinds.values())

    def as_json(self) -> dict[str, Any]:
        """Return the account as a tree."""
        return {
            "kinds": {kind.value: asdict(account) for kind, account in self.kinds.items()},
            "sent": self.sent,
            "missing": self.missing,
            "surplus": self.surplus,
            "equal": self.equal,
            "seconds": round(self.seconds, 3),
        }

    def as_text(self) -> str:
        """Return the account as a table and a closing line."""
        headings = ["kind", "sent", "delivered", "buried", "in doubt", "requests", "largest batch", "busiest second"]
        rows = [[kind.value, *_cells(account)] for kind, account in self.kinds.items()]
        summed = ("sent", "delivered", "buried", "in_doubt", "requests")
        sums = [sum(getattr(account, name) for account in self.kinds.values()) for name in summed]
        rows.append(["total", *(f"{number:,}" for number in sums), "", ""])
        rate = self.sent / self.seconds if self.seconds else 0.0
        closing = (
            f"All accounted for: the sandbox received exactly the {self.sent:,} plays that were put, record for record."
            if self.equal
            else f"NOT EQUAL: {self.missing:,} plays that were put are missing at the sandbox, {self.surplus:,} are surplus."
        )
        shown = rendered(table("", headings, rows, last_apart=True), sys.stdout).lstrip("\n")
        return f"{shown}\n\n{closing}\n{self.seconds:.1f} s, {rate:,.0f} plays/s"


def _cells(account: KindAccount) -> list[str]:
    numbers = (account.sent, account.delivered, account.buried, account.in_doubt, account.requests, account.largest_batch)
    limit = "no limit" if account.limit is None else f"of {account.limit}"
    separator = ", " if account.limit is None else " "
    return [*(f"{number:,}" for number in numbers), f"{account.busiest_second}{separator}{limit}"]


@define
class _Run:
    """A demo under way."""

    shipper: StreamLogShipper
    planned: Mapping[LogKind, int]
    put: Records = field(factory=Counter)

    async def produce(self, rng: random.Random) -> None:
        """Put everything, the kinds in turns, and see it delivered."""
        for kind, group in in_turns(self.planned, rng):
            await self.shipper.put_many(kind, group)
            self.put.update((kind, canonical(log.as_wire())) for log in group)
        await self.shipper.flush()

    async def watch(self, display: Display) -> None:
        """Show how far it has come, until cancelled."""
        while True:
            display.show(gauges(self.planned, await self.shipper.statistics()))
            await asyncio.sleep(REFRESH)


async def _ship(planned: Mapping[LogKind, int], rng: random.Random) -> Account:
    async with Sandbox() as sandbox:
        key, secret = sandbox.credentials.consumer_key, sandbox.credentials.consumer_secret
        tokens = {user: sandbox.token_for(user) for user in USERS}
        async with (
            SevenDigital(key, secret, base_url=sandbox.base_url) as client,
            StreamLogShipper(client, user_tokens=tokens) as shipper,
        ):
            run = _Run(shipper, planned)
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
    return Account(
        _kind_accounts(statistics, sandbox.stats()),
        missing=(run.put - received).total(),
        surplus=(received - run.put).total(),
        seconds=seconds,
    )


def in_turns(planned: Mapping[LogKind, int], rng: random.Random) -> Iterator[tuple[LogKind, list[StreamLog]]]:
    """Make the plays in groups, one kind after the other, again and again."""
    now = datetime.now(UTC)
    sources = {kind: plausible_plays(kind, number, now, rng) for kind, number in planned.items()}
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


def _kind_accounts(statistics: Statistics, stats: Mapping[str, Any]) -> dict[LogKind, KindAccount]:
    return {
        kind: KindAccount(
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
