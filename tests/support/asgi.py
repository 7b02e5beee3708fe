"""A small ASGI server without sockets: it runs an application's lifespan and sends it single requests."""

import asyncio
from contextlib import asynccontextmanager
from typing import NamedTuple


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


class Service:
    """A running application."""

    def __init__(self, app, state):
        self._app = app
        self._state = state

    async def request(self, method, path, body=b""):
        received = []
        waiting = asyncio.Event()

        async def receive(events=iter([{"type": "http.request", "body": body, "more_body": False}])):  # noqa: B008
            if (event := next(events, None)) is None:
                await waiting.wait()
            return event

        async def send(event):
            received.append(event)

        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [(b"host", b"localhost"), (b"content-length", str(len(body)).encode())],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 8000),
            "state": self._state.copy(),
        }
        await self._app(scope, receive, send)
        start, *rest = received
        headers = {name.decode().lower(): value.decode() for name, value in start["headers"]}
        return Answer(start["status"], headers, b"".join(event.get("body", b"") for event in rest))


@asynccontextmanager
async def serve(app):
    """Start an application as an ASGI server does, and stop it at the end of the block."""
    to_app, from_app, state = asyncio.Queue(), asyncio.Queue(), {}
    lifespan = asyncio.create_task(
        app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": state}, to_app.get, from_app.put)
    )
    await to_app.put({"type": "lifespan.startup"})
    started = await from_app.get()
    assert started["type"] == "lifespan.startup.complete", started
    try:
        yield Service(app, state)
    finally:
        await to_app.put({"type": "lifespan.shutdown"})
        assert (await from_app.get())["type"] == "lifespan.shutdown.complete"
        await lifespan
