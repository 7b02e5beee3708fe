"""A sandbox on a clock that the test advances, and a client for it."""

import pytest
from support.probe import ManualClock, Probe, open_session

from sevendigital_async.sandbox import Sandbox


@pytest.fixture
async def clock():
    return ManualClock()


@pytest.fixture
async def sandbox(clock):
    async with Sandbox(clock=clock) as sandbox:
        yield sandbox


@pytest.fixture
async def probe(sandbox, clock):
    async with open_session() as session:
        yield Probe(sandbox, session, clock)
