"""A web service with aiohttp that accepts plays over HTTP and ships them.

    python aiohttp_service.py

The settings are read from the environment; see `SevenDigital.from_env`.
"""

import asyncio
from collections.abc import AsyncIterator

from aiohttp import web

from sevendigital_async import InvalidLogError, LogKind, SevenDigital, StreamLog, StreamLogShipper

SHIPPER = web.AppKey("shipper", StreamLogShipper)
PUT_TIMEOUT = 5.0  # seconds that a handler waits while the spool is full or its disk is slow


async def run_shipper(app: web.Application) -> AsyncIterator[None]:
    """Open one shipper for the whole service, in its event loop; at shutdown, deliver for up to 30 seconds."""
    async with SevenDigital.from_env() as client, StreamLogShipper(client, spool="plays.db") as shipper:
        app[SHIPPER] = shipper
        yield


async def accept_play(request: web.Request) -> web.Response:
    """Accept one play, with the field names of the API."""
    try:
        play = StreamLog.decode(await request.read())
        async with asyncio.timeout(PUT_TIMEOUT):
            await request.app[SHIPPER].put(LogKind.CATALOGUE, play)
    except InvalidLogError as error:
        return web.json_response({"error": str(error)}, status=422)
    except TimeoutError:  # nothing was accepted: the caller may send the play again
        return web.Response(status=503, headers={"Retry-After": "1"})
    return web.Response(status=202)  # the play is in plays.db


async def health(request: web.Request) -> web.Response:
    """Report the number of waiting plays."""
    statistics = await request.app[SHIPPER].statistics()
    return web.json_response({"waiting": statistics.waiting, "delivered": statistics.delivered})


def make_app() -> web.Application:
    """Return the application."""
    app = web.Application()
    app.cleanup_ctx.append(run_shipper)
    app.router.add_post("/plays", accept_play)
    app.router.add_get("/health", health)
    return app


if __name__ == "__main__":
    web.run_app(make_app(), host="127.0.0.1", port=8000)
