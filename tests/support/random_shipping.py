"""A shipper under random trouble, seen from the wire: what a server has saved, against what the shipper says."""

import asyncio
import random
import sqlite3
from collections import defaultdict
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta

from attrs import define, field

from sevendigital_async import (
    NO_RETRY,
    Checkpoint,
    LogKind,
    MemorySpool,
    SevenDigital,
    SpoolError,
    SpoolUnavailableError,
    StreamLog,
    StreamLogShipper,
    Timeout,
    UserToken,
    failpoints,
)
from sevendigital_async.shipping.spools.inspector import JournalOutcome
from sevendigital_async.shipping.spools.redis import RedisSpool, RedisSpoolInspector
from sevendigital_async.shipping.spools.sqlite import SqliteSpool, SqliteSpoolInspector

from .steps import Proxy, at_step
from .troubled_service import TroubledService, is_poison, tracks_in, troubled_service

KINDS = (LogKind.PREVIEW, LogKind.CATALOGUE, LogKind.CATALOGUE, LogKind.SUBSCRIBER)
USERS = ("", "ann", "bob", "cy")

HURRIED = {
    "sevendigital_async.session.rate_limiter.SLOT_COOLDOWN": 0.002,
    "sevendigital_async.shipping.settlement.BACKOFF_BASE": 0.002,
    "sevendigital_async.shipping.settlement.BACKOFF_CAP": 0.02,
    "sevendigital_async.shipping.circuit_breaker.BACKOFF_BASE": 0.002,
    "sevendigital_async.shipping.circuit_breaker.BACKOFF_CAP": 0.02,
    "sevendigital_async.shipping.circuit_breaker.AUTH_BACKOFF_BASE": 0.01,
    "sevendigital_async.shipping.circuit_breaker.AUTH_BACKOFF_CAP": 0.02,
    "sevendigital_async.shipping.lane.DEFAULT_THROTTLE_WAIT": 0.01,
    "sevendigital_async.shipping.spools.sqlite.group_commit.RETRY_INTERVAL": 0.01,
    "sevendigital_async.shipping.spools.sqlite.leases.RETRY_INTERVAL": 0.01,
    "sevendigital_async.redis_connection.RESPONSE_TIMEOUT": 0.5,
    "sevendigital_async.shipping.spools.redis.client.MAX_PAUSE": 0.05,
    "sevendigital_async.shipping.spools.redis.leases.ABANDON_TIMEOUT": 1.0,
    "sevendigital_async.shipping.spools.redis.spool.HEARTBEAT_INTERVAL": 0.05,
    "sevendigital_async.shipping.spools.redis.spool.UNAVAILABLE_RETRY": 0.05,
    # Longer, because machines are slow: a spool that closes must have withdrawn what was cancelled.
    "sevendigital_async.shipping.spools.redis.spool.FIGURES_TIMEOUT": 30.0,
    "sevendigital_async.shipping.spools.redis.spool.WITHDRAW_TIMEOUT": 2.0,
    "sevendigital_async.shipping.spools.redis.spool.CLOSE_WITHDRAW_TIMEOUT": 10.0,
    "sevendigital_async.shipping.spools.redis.spool.WRITE_TIMEOUT": 3.0,
    "sevendigital_async.shipping.spools.redis.spool.CLOSE_TIMEOUT": 3.0,
}
"""Waits that would make a run long, and what they are meanwhile."""


class NoTrouble:
    """The place of what troubles a disk or a connection."""

    def begin(self):
        """Make trouble."""

    def end(self):
        """End it."""


@define
class RandomShipping:
    """One run: producers put and cancel, the service is troubled, the shipper is closed and opened again.

    Attributes:
        make_spool: Makes a spool each time a shipper is opened.
        open_inspector: Opens what reads it; None for a spool in memory.
        service: The server.
        rng: Decides what happens.
        trouble: Troubles a disk or a connection between steps.
        shared: Dead letters may be replayed while the spool is in use.
        workers: Shippers that are open at the same time.
        accepted: Plays that were put.
        unknown: Plays whose put ended without a certain result.
        refused: Plays whose put was cancelled or refused, and which were not put again.
        positions: Of each source, the position of its last put.
    """

    make_spool: object
    open_inspector: object
    service: TroubledService
    rng: random.Random
    trouble: object = field(factory=NoTrouble)
    shared: bool = False
    workers: int = 1
    accepted: set = field(factory=set)
    unknown: set = field(factory=set)
    refused: set = field(factory=set)
    positions: dict = field(factory=dict)
    _last: int = field(default=0)
    _shipper: object = field(default=None)

    async def run(self, lives=3, steps=25):
        for life in range(lives):
            await self._life(steps, is_last=life == lives - 1)
            if self.open_inspector is not None and not self.shared and self.rng.random() < 0.5:
                await self._replay()
        if self.open_inspector is not None:
            await self._finish()
            await self._check()

    async def _life(self, steps, *, is_last):
        async with AsyncExitStack() as stack:
            shippers = [await stack.enter_async_context(self._opened()) for _ in range(self.workers)]
            self._shipper = shipper = shippers[0]
            async with asyncio.TaskGroup() as group:
                producers = [
                    group.create_task(self._produce(shippers[n % self.workers], f"source {n}", steps)) for n in range(3)
                ]
                for each in shippers:
                    group.create_task(self._disturb(each, producers))
            self.trouble.end()
            if is_last and self.open_inspector is None:
                self.service.calm = True
                for _ in range(20):
                    shipper.resume()
                    await shipper.flush(2.0)
                await self._check_memory(await shipper.aclose(2.0))
            else:
                for each in shippers:
                    check_sums(await each.aclose(self.rng.choice([0.0, 0.05, 0.3])))

    @asynccontextmanager
    async def _opened(self, in_doubt=None):
        tokens = {"ann": UserToken("a", "a"), "bob": UserToken("b", "b")}
        client = SevenDigital(
            "key", "secret", base_url=self.service.base_url, retry=NO_RETRY, timeout=Timeout(total=0.25)
        )
        lanes = {kind: {"linger": 0.01, "initial_delay": 0.0, "max_count": 8, "concurrency": 4} for kind in LogKind}
        in_doubt = in_doubt or self.rng.choice(["resend", "hold"])
        async with client:
            shipper = StreamLogShipper(
                client, spool=self.make_spool(), lanes=lanes, in_doubt=in_doubt, user_tokens=tokens, close_timeout=0.0
            )
            async with shipper:
                yield shipper

    def _plays(self, number):
        plays = []
        for _ in range(number):
            self._last += 1
            moment = datetime.now(UTC) - timedelta(seconds=5)
            user = self.rng.choice(USERS) or None
            plays.append(StreamLog(str(self._last), moment, user_id=user, client_id="d", country="GB"))
        return plays

    async def _produce(self, shipper, source, steps):
        rng = self.rng
        for _ in range(steps):
            kind, plays = rng.choice(KINDS), self._plays(rng.choice([1, 1, 2, 5, 20]))
            if rng.random() < 0.15:
                with suppress(SpoolError):
                    shipper.put_nowait(kind, plays[0])
                    self.accepted.add(plays[0].track_id)
                self.refused |= {play.track_id for play in plays} - self.accepted
                continue
            mark = None
            if rng.random() < 0.4:
                before = self.positions.get(source, "")
                mark = Checkpoint(source, f"{plays[-1].track_id}", after=before)
            for _ in range(3):
                if await self._put(shipper, kind, plays, mark):
                    break
                if mark is not None and not self.unknown.issuperset(play.track_id for play in plays):
                    await self._check_position(shipper, mark)
            await asyncio.sleep(rng.choice([0.0, 0.0, 0.002]))

    async def _check_position(self, shipper, mark):
        """What was not accepted has not moved the position."""
        while True:
            with suppress(SpoolUnavailableError):
                assert (await shipper.position(mark.source) or "") == mark.after
                return
            await asyncio.sleep(0.01)

    async def _put(self, shipper, kind, plays, mark):
        """Put plays, perhaps with a cancellation; False if they were not accepted."""
        rng, tracks = self.rng, {play.track_id for play in plays}
        if mark is None and len(plays) == 1:
            putting = asyncio.create_task(shipper.put(kind, plays[0]))
        else:
            putting = asyncio.create_task(shipper.put_many(kind, plays, checkpoint=mark))
        if rng.random() < 0.3:
            with at_step(rng.randrange(60), putting.cancel):
                await asyncio.wait([putting])
        else:
            await asyncio.wait([putting], timeout=rng.choice([0.001, 5.0]))
            if not putting.done():
                putting.cancel()
                await asyncio.wait([putting])
        if not putting.cancelled() and putting.exception() is None:
            self.accepted |= tracks
            self.refused -= tracks
            if mark is not None:
                self.positions[mark.source] = mark.position
            return True
        if not putting.cancelled():
            error = putting.exception()
            assert isinstance(error, SpoolError), error
            if "may have" in str(error):
                self.unknown |= tracks
                return True
        self.refused |= tracks
        return False

    async def _disturb(self, shipper, producers):
        rng = self.rng
        while not all(producer.done() for producer in producers):
            match rng.randrange(6):
                case 0:
                    await shipper.flush(rng.choice([0.0, 0.01]))
                case 1:
                    shipper.resume()
                case 2:
                    self.trouble.begin()
                case 3:
                    self.trouble.end()
                case 4 if self.shared:
                    with suppress(SpoolUnavailableError):
                        await self._replay()
            check_sums(await shipper.statistics())
            await asyncio.sleep(rng.choice([0.001, 0.005, 0.02]))
        self.trouble.end()

    async def _replay(self):
        inspector = self.open_inspector()
        try:
            letters = [letter.id async for letter in inspector.dead_letters()]
            if letters:
                await inspector.replay(letters)
        finally:
            await inspector.aclose()

    async def _finish(self):
        """Deliver all that can be delivered."""
        self.service.calm = True
        for _ in range(6):
            await self._replay()
            async with self._opened("resend") as shipper:
                async with asyncio.timeout(60):
                    while not (statistics := await shipper.flush(1.0)).settled:
                        shipper.resume()
                check_sums(await shipper.aclose(1.0))
            if statistics.held == 0 and await self._only_poison_is_left():
                return
        raise AssertionError(f"plays are left: {statistics}")

    async def _only_poison_is_left(self):
        inspector = self.open_inspector()
        left = [track async for letter in inspector.dead_letters() for track in tracks_in(letter.body)]
        await inspector.aclose()
        return all(map(is_poison, left)) and self._poison <= set(left)

    @property
    def _poison(self):
        return {track for track in self.accepted if is_poison(track)}

    async def _check(self):
        saved, journal = self.service.saved, await self._journal()
        assert not {track for track in self.accepted if not is_poison(track) and not saved[track]}, "lost"
        assert not (self.accepted - self._poison) - journal["delivered"].keys()
        assert journal["delivered"].keys() - self.accepted <= self.unknown | (self.refused & journal["in-doubt"].keys())
        for track, times in saved.items():
            if not times:
                continue
            doubts = sorted(journal["in-doubt"].get(track, []))
            if track in self.refused:
                assert doubts, f"{track}: its put was cancelled, and it was saved"
            for number, moment in enumerate(times[1:], 1):
                before = [at for at in doubts if at <= moment + 0.002]
                assert len(before) >= number, f"{track} was saved {len(times)} times, at {times}; in doubt at {doubts}"
        for track, moments in journal["delivered"].items():
            # Another worker may have had the plays of a cancelled put, which was put again.
            most = 1 + (len(journal["in-doubt"].get(track, [])) if self.workers > 1 else 0)
            assert len(moments) <= most, f"{track} is delivered {len(moments)} times"

    async def _check_memory(self, statistics):
        check_sums(statistics)
        saved = self.service.saved
        assert not {track for track, times in saved.items() if times and track in self.refused}
        missing = {track for track in self.accepted if not saved[track]}
        spool = self._shipper._spool
        kept = {record.body for kind in LogKind for record in spool.undelivered(kind)}
        kept |= {letter.body for letter in spool.dead_letters()}
        assert missing <= {track for body in kept for track in tracks_in(body)}, "lost"
        assert statistics.put == len(self.accepted)

    async def _journal(self):
        found = {outcome.value: defaultdict(list) for outcome in JournalOutcome}
        inspector = self.open_inspector()
        async for entry in inspector.journal():
            found[entry.outcome.value][entry.log.track_id].append(entry.at.timestamp())
        await inspector.aclose()
        return found


def check_sums(statistics):
    for lane in statistics.lanes.values():
        counts = lane.counts
        parts = counts.delivered + counts.waiting + counts.in_flight + counts.buried + counts.held
        assert counts.put == parts, counts
        assert min(counts.put, counts.delivered, counts.waiting, counts.in_flight, counts.buried, counts.held) >= 0


class TroubledDisk:
    """Lets commits fail; to be set as ``failpoints.on_hit``."""

    ERRORS = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_BUSY)

    def __init__(self, seed):
        self._rng = random.Random(seed)
        self._fails = False

    def begin(self):
        self._fails = True

    def end(self):
        self._fails = False

    def __call__(self, point):
        if point == "before commit" and self._fails and self._rng.random() < 0.3:
            error = sqlite3.OperationalError("trouble")
            error.sqlite_errorcode = self._rng.choice(self.ERRORS)
            raise error


class TroubledConnection:
    """Breaks connections to a server behind a proxy, or holds back requests or responses."""

    def __init__(self, proxy, seed):
        self._proxy = proxy
        self._rng = random.Random(seed)

    def begin(self):
        match self._rng.randrange(3):
            case 0:
                self._proxy.cut()
            case 1:
                self._proxy.deaf = True
            case 2:
                self._proxy.hold = True

    def end(self):
        self._proxy.deaf = self._proxy.hold = False


async def run_in_memory(seed, **options):
    """Run with a spool in memory; returns the run."""
    spool = MemorySpool()
    async with troubled_service(seed) as service:
        run = RandomShipping(lambda: spool, None, service, random.Random(seed))
        await run.run(lives=1, **options)
    return run


async def run_in_file(seed, path, **options):
    """Run with a spool in a file whose disk is troubled; returns the run."""
    disk = TroubledDisk(seed)
    async with troubled_service(seed) as service:
        run = RandomShipping(
            lambda: SqliteSpool(path), lambda: SqliteSpoolInspector(path), service, random.Random(seed), disk
        )
        failpoints.on_hit = disk
        try:
            await run.run(**options)
        finally:
            failpoints.on_hit = None
    return run


async def run_in_redis(seed, server, *, workers=1, **options):
    """Run with a spool in Redis, behind a troubled connection; returns the run."""
    server.ask("FLUSHALL")
    async with troubled_service(seed) as service, Proxy(server.port, 0.0) as proxy:
        run = RandomShipping(
            lambda: RedisSpool(proxy.url, lease_seconds=0.5),
            lambda: RedisSpoolInspector(server.url),
            service,
            random.Random(seed),
            TroubledConnection(proxy, seed),
            shared=True,
            workers=workers,
        )
        await run.run(**options)
    return run
