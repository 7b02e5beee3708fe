"""A server below HTTP libraries: it counts what arrived and answers byte for byte as the test says."""

import asyncio
from contextlib import asynccontextmanager

HANG_UP = None


class RawServer:
    """Plays a script: for the n-th request the n-th answer, the last one again and again.

    A response is bytes, ``HANG_UP``, or an async function of (reader, writer, request).
    """

    def __init__(self, *script) -> None:
        self.script = list(script)
        self.requests: list[bytes] = []
        self.port = 0
        self.scheme = "http"
        self._handling: set[asyncio.Task] = set()  # a task that waits for ever is garbage if nobody holds it

    @property
    def base_url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    async def handle(self, reader, writer) -> None:
        self._handling.add(asyncio.current_task())
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    (
                        int(line.split(b":")[1])
                        for line in head.split(b"\r\n")
                        if line.lower().startswith(b"content-length")
                    ),
                    0,
                )
                request = head + await reader.readexactly(length)
                answer = self.script[min(len(self.requests), len(self.script) - 1)]
                self.requests.append(request)
                if answer is HANG_UP:
                    break
                if callable(answer):
                    await answer(reader, writer, request)
                    break
                writer.write(answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._handling.discard(asyncio.current_task())
            writer.close()

    async def end(self) -> None:
        """Close the connections that are still open."""
        handling = list(self._handling)
        for task in handling:
            task.cancel()
        await asyncio.gather(*handling, return_exceptions=True)


@asynccontextmanager
async def raw_server(*script, tls=None):
    raw = RawServer(*script)
    raw.scheme = "https" if tls else "http"
    server = await asyncio.start_server(raw.handle, "127.0.0.1", 0, ssl=tls)
    raw.port = server.sockets[0].getsockname()[1]
    try:
        yield raw
    finally:
        server.close()
        await raw.end()


def answer(body: bytes | str = b"", status: str = "200 OK", **headers: str) -> bytes:
    """Spell an HTTP response."""
    body = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
