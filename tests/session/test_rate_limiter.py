import asyncio
import random

import pytest
from support.clock import VirtualClock, settle

from sevendigital_async.session.rate_limiter import SLOT_COOLDOWN, Slots


def busiest_second(arrivals: list[float]) -> int:
    arrivals = sorted(arrivals)
    return max(sum(start <= other < start + 1 for other in arrivals) for start in arrivals)


@pytest.mark.parametrize("seed", range(5))
async def test_fifty_tasks_never_put_six_requests_into_one_second(seed):
    clock, rng = VirtualClock(), random.Random(seed)
    slots, arrivals = Slots(5, clock), []

    async def request():
        async with slots.slot() as slot:
            await slot.sending(30)
            latency = rng.uniform(0.002, 1.5)
            there = rng.uniform(0, latency)
            await clock.sleep(there)
            arrivals.append(clock.monotonic())
            await clock.sleep(latency - there)
            slot.answered()

    async def fifty():
        await asyncio.gather(*(request() for _ in range(50)))

    await clock.run(fifty())
    assert len(arrivals) == 50
    assert busiest_second(arrivals) <= 5
    assert clock.elapsed <= 10 * (1.5 + SLOT_COOLDOWN)


async def test_an_instant_server_gets_five_a_second():
    clock = VirtualClock()
    slots, arrivals = Slots(5, clock), []

    async def request():
        async with slots.slot() as slot:
            await slot.sending(30)
            arrivals.append(clock.monotonic())
            slot.answered()

    async def hundred():
        for _ in range(100):
            await request()

    await clock.run(hundred())
    assert busiest_second(arrivals) == 5
    assert clock.elapsed == pytest.approx(19 * SLOT_COOLDOWN)


async def test_a_lost_answer_keeps_its_slot_for_the_timeout_and_a_second():
    clock = VirtualClock()
    slots = Slots(1, clock)
    async with slots.slot() as slot:
        await slot.sending(30)

    async def next_one():
        async with slots.slot():
            return clock.monotonic()

    assert await clock.run(next_one()) == pytest.approx(30 + SLOT_COOLDOWN)


async def test_a_request_that_was_not_sent_frees_its_slot_at_once():
    clock = VirtualClock()
    slots = Slots(1, clock)
    async with slots.slot() as slot:
        await slot.sending(30)
        slot.not_sent()
    async with slots.slot():
        assert clock.monotonic() == 0


async def test_a_slot_that_is_freed_early_is_used_before_one_that_is_busy_for_long():
    clock = VirtualClock()
    slots = Slots(2, clock)
    async with slots.slot() as lost:
        await lost.sending(30)

    async def answered_after_two():
        async with slots.slot() as slot:
            await slot.sending(30)
            await clock.sleep(2)
            slot.answered()

    async def third():
        await asyncio.sleep(0)
        async with slots.slot():
            return clock.monotonic()

    async def both():
        return (await asyncio.gather(answered_after_two(), third()))[1]

    assert await clock.run(both()) == pytest.approx(2 + SLOT_COOLDOWN)


async def test_first_come_first_served_also_after_a_cancellation():
    clock = VirtualClock()
    slots, order = Slots(1, clock), []

    async def request(name):
        async with slots.slot() as slot:
            await slot.sending(30)
            order.append(name)
            slot.answered()

    async def scenario():
        tasks = []
        for name in "abcd":
            tasks.append(asyncio.create_task(request(name)))
            await settle()
        tasks[2].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    await clock.run(scenario())
    assert order == ["a", "b", "d"]
