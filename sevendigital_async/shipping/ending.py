"""Work that has to come to its end, whoever loses patience meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any


async def to_its_end(work: Coroutine[Any, Any, None] | asyncio.Task[None]) -> None:
    """Do some short work, or wait for it; a cancellation takes effect only when it is done.

    A second cancellation does not wait for that any more; the work goes on all the same.
    """
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise
