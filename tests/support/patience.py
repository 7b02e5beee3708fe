"""Tests against a mock cluster of Kafka, which now and then does not answer within a minute."""

import asyncio
import functools


def in_one_of_three_tries(test):
    """Run a test again, on a topic of its own, if it takes too long; a wrong result fails at once."""

    @functools.wraps(test)
    async def tried(*, topic, **fixtures):
        for attempt in range(3):
            try:
                async with asyncio.timeout(36):
                    return await test(topic=f"{topic}-{attempt}", **fixtures)
            except TimeoutError:
                if attempt == 2:
                    raise
        return None

    return tried
