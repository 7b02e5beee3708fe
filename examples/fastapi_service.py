"""A web service with FastAPI that accepts plays over HTTP and ships them.

    uvicorn fastapi_service:app

The settings are read from the environment; see `SevenDigital.from_env`.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TypedDict

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from sevendigital_async import InvalidLogError, LogKind, SevenDigital, StreamLog, StreamLogShipper

PUT_TIMEOUT = 5.0  # seconds that a handler waits while the spool is full or its disk is slow


class State(TypedDict):
    """What the requests of the service share."""

    shipper: StreamLogShipper


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncGenerator[State, None]:
    """Open one shipper for the whole service, in its event loop; at shutdown, deliver for up to 30 seconds."""
    async with SevenDigital.from_env() as client, StreamLogShipper(client, spool="plays.db") as shipper:
        yield {"shipper": shipper}


app = FastAPI(lifespan=lifespan)


@app.post("/plays", status_code=202)
async def accept_play(request: Request) -> Response:
    """Accept one play, with the field names of the API."""
    shipper: StreamLogShipper = request.state.shipper
    try:
        play = StreamLog.decode(await request.body())
        async with asyncio.timeout(PUT_TIMEOUT):
            await shipper.put(LogKind.CATALOGUE, play)
    except InvalidLogError as error:
        return JSONResponse({"error": str(error)}, status_code=422)
    except TimeoutError:  # nothing was accepted: the caller may send the play again
        return Response(status_code=503, headers={"Retry-After": "1"})
    return Response(status_code=202)  # the play is in plays.db


@app.get("/health")
async def health(request: Request) -> dict[str, int]:
    """Report the number of waiting plays."""
    shipper: StreamLogShipper = request.state.shipper
    statistics = await shipper.statistics()
    return {"waiting": statistics.waiting, "delivered": statistics.delivered}
