"""A hand-written loop without the package: dicts, orjson, authlib signatures, aiohttp."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import aiohttp
from authlib.oauth1 import ClientAuth

from .plays import Play

Wire = dict[str, object]


def as_dict(play: Play) -> Wire:
    """Return a play as the API documentation shows it."""
    return {
        "trackId": play.track_id,
        "userId": play.user_id,
        "clientId": play.device,
        "timestamp": play.played_at.isoformat(),
        "durationPlayed": play.seconds,
        "country": play.country,
    }


def as_dict_for_orjson(play: Play) -> Wire:
    """Return a play with its timestamp as a datetime, which orjson encodes faster than ``isoformat``."""
    track_id, played_at, user_id, device, seconds, country = play
    return {
        "trackId": track_id,
        "userId": user_id,
        "clientId": device,
        "timestamp": played_at,
        "durationPlayed": seconds,
        "country": country,
    }


async def ship(url: str, key: str, secret: str, bodies: Iterator[bytes], *, in_flight: int) -> None:
    """Post all ``bodies``, ``in_flight`` at a time; each is built just before it is sent."""
    auth = ClientAuth(key, secret)
    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as workers:
        for _ in range(in_flight):
            workers.create_task(_post(session, auth, url, bodies))


async def _post(session: aiohttp.ClientSession, auth: ClientAuth, url: str, bodies: Iterator[bytes]) -> None:
    for body in bodies:
        await post(session, auth, url, body)


async def post(session: aiohttp.ClientSession, auth: ClientAuth, url: str, body: bytes) -> None:
    """Post one body."""
    # `prepare` returns an empty body for JSON, which is not part of the signature; the original body is sent.
    uri, headers, _ = auth.prepare("POST", url, {"Content-Type": "application/json"}, body)
    async with session.post(uri, headers=headers, data=body) as response:
        response.raise_for_status()
        await response.read()
