"""A logging service at the wire that saves plays and answers, or does only one of these, at random."""

import asyncio
import random
import re
import time
from collections import defaultdict
from contextlib import asynccontextmanager

from support.rawserver import answer

PAGE = b"<html><body><h1>Bad Gateway</h1></body></html>"
POISON_EVERY = 23
SLOW = 0.4
"""Seconds; longer than the client waits."""

CUT = b"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n{"

DOUBTFUL = {
    "lost": b"",
    "slow": b"",
    "cut": CUT,
    "page": answer(PAGE, "200 OK"),
    "see other": answer("", "303 See Other", Location="/x"),
    "gateway": answer(PAGE, "502 Bad Gateway"),
}
"""Responses that say nothing about the plays: all of them may have been saved, or none."""

REFUSALS = {
    "busy": answer("", "503 Service Unavailable"),
    "throttled": answer("", "429 Too Many Requests", Retry_After="0.02"),
    "unauthorised": answer("OAuth authentication error: no", "401 Unauthorized"),
    "not found": answer("", "404 Not Found"),
    "blocked": answer(PAGE, "400 Bad Request"),
    "too large": answer("", "413 Too Large"),
    "none": b"",
}
"""Responses to requests of which nothing was saved; the last one is a broken connection."""

FAILED = answer("", "500 Internal Server Error")
"""The response to a request of which a part may have been saved, unless its kind is all or nothing."""

ACCEPTED = [answer(body, "202 Accepted") for body in ("", "accepted", '{"status":"ok"}')]


def is_poison(track):
    """Whether the service refuses a play, whenever it comes."""
    return int(track) % POISON_EVERY == 0


def tracks_in(body):
    return [track.decode() for track in re.findall(rb'"trackId":"(\d+)"', body)]


class TroubledService:
    """The server.

    Attributes:
        saved: When each play was saved, by track.
        calm: It does what it should.
        requests: How many have arrived.
    """

    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.saved = defaultdict(list)
        self.calm = False
        self.requests = 0
        self.base_url = ""
        self._handling = set()

    async def handle(self, reader, writer):
        self._handling.add(asyncio.current_task())
        try:
            is_open = True
            while is_open:
                head = await reader.readuntil(b"\r\n\r\n")
                body = await reader.readexactly(int(re.search(rb"(?i)content-length: (\d+)", head)[1]))
                self.requests += 1
                response, is_open = await self._response(tracks_in(body), is_atomic=b"/logging/preview" in head)
                writer.write(response)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._handling.discard(asyncio.current_task())
            writer.close()

    async def end(self):
        handling = list(self._handling)
        for task in handling:
            task.cancel()
        await asyncio.gather(*handling, return_exceptions=True)

    async def _response(self, tracks, *, is_atomic):
        """Return the response, and whether the connection stays open."""
        rng = self.rng
        poison = [index for index, track in enumerate(tracks) if is_poison(track)]
        trouble = "" if self.calm or rng.random() < 0.5 else rng.choice([*DOUBTFUL, *REFUSALS, "failed"])
        if trouble in DOUBTFUL:
            if not poison and rng.random() < 0.6:
                self._save(tracks)
            await asyncio.sleep(SLOW if trouble == "slow" else 0)
            return DOUBTFUL[trouble], trouble not in {"lost", "slow", "cut"}
        if trouble == "too large" and len(tracks) <= 3:
            trouble = "none"
        if trouble in REFUSALS:
            return REFUSALS[trouble], trouble != "none"
        if trouble or poison:
            if not is_atomic:
                self._save([track for track in tracks if not is_poison(track) and rng.random() < 0.3])
            return (FAILED if trouble else self._refusal(poison, len(tracks))), True
        self._save(tracks)
        return rng.choice(ACCEPTED), True

    def _refusal(self, poison, size):
        """Refuse the batch because of some plays, which are named or not."""
        if len(poison) == size or self.rng.random() < 0.5:
            return answer('{"error":{"code":1002,"message":"bad"}}', "400 Bad Request")
        items = ",".join(f'{{"index":{index},"code":1002,"message":"bad"}}' for index in poison)
        return answer(f'{{"error":{{"code":1008,"message":"some","errors":[{items}]}}}}', "400 Bad Request")

    def _save(self, tracks):
        for track in tracks:
            self.saved[track].append(time.time())


@asynccontextmanager
async def troubled_service(seed):
    service = TroubledService(seed)
    server = await asyncio.start_server(service.handle, "127.0.0.1", 0)
    service.base_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield service
    finally:
        server.close()
        await service.end()
