"""A caller made by hand for the sandbox's tests: aiohttp for the wire, oauthlib for the signature."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from urllib.parse import urlencode

import aiohttp
import orjson
from oauthlib import oauth1
from yarl import URL

from sevendigital_async.config import UserToken

JSON = "application/json"
XML = "application/xml"
FORM = "application/x-www-form-urlencoded"


class ManualClock:
    """A clock that advances only when something sleeps or `advance` is called."""

    def __init__(self, now=1_800_000_000.0):
        self.now = now
        self.slept = []

    def time(self):
        return self.now

    def monotonic(self):
        return self.now - 1_799_000_000.0

    def advance(self, seconds):
        self.now += seconds

    async def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)

    async def wait(self, event, seconds):  # pragma: no cover - the sandbox waits for no event
        raise NotImplementedError


class Probe:
    """Calls one sandbox, as the partner or as a user."""

    def __init__(self, sandbox, session, clock=None):
        self.sandbox = sandbox
        self.session = session
        self.clock = clock

    def oauth(self, user=None, *, key=None, secret=None, token=None, **options):
        if user is not None:
            token = self.sandbox.token_for(user)
        token = token or UserToken("none", "none")
        signed_by_user = token.token != "none"
        if self.clock is not None:
            options.setdefault("timestamp", str(int(self.clock.time())))
        return oauth1.Client(
            key or self.sandbox.credentials.consumer_key,
            client_secret=secret or self.sandbox.credentials.consumer_secret,
            resource_owner_key=token.token if signed_by_user else None,
            resource_owner_secret=token.secret if signed_by_user else None,
            **options,
        )

    def request(self, method, path, *, body=None, headers=None, session=None, **signing):
        """Sign and send; an async context manager, as aiohttp's own."""
        headers = dict(headers or {})
        form = body if headers.get("Content-Type") == FORM else None
        url, signed, _ = self.oauth(**signing).sign(
            self.sandbox.base_url + path, method, body=form, headers=dict(headers)
        )
        return (session or self.session).request(method, URL(url, encoded=True), data=body, headers=signed)

    def get(self, path, params=None, *, accept=JSON, headers=None, **signing):
        query = f"?{urlencode(params)}" if params else ""
        return self.request("GET", path + query, headers={"Accept": accept, **(headers or {})}, **signing)

    def post(self, kind, logs, **signing):
        return self.post_raw(kind, orjson.dumps({"logs": logs}), **signing)

    def post_raw(self, kind, body, *, content_type=JSON, **signing):
        return self.request("POST", f"/logging/{kind}", body=body, headers={"Content-Type": content_type}, **signing)

    async def lines(self, path):
        async with self.session.get(self.sandbox.base_url + path) as answer:
            assert answer.status == 200
            return [orjson.loads(line) for line in (await answer.read()).splitlines()]

    async def stats(self):
        async with self.session.get(self.sandbox.base_url + "/_sandbox/stats") as answer:
            return await answer.json()

    def play(self, track_id="5500001", *, ago=60.0, **fields):
        """Return one sound play."""
        now = self.clock.time() if self.clock else datetime.now(UTC).timestamp()
        moment = datetime.fromtimestamp(now - ago, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return {"trackId": track_id, "timestamp": moment, "durationPlayed": 30, "country": "GB", **fields}


async def until(condition):
    """Give the loop away until something has come true."""
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.002)


def open_session():
    return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10))
