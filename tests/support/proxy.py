"""A forward proxy that lets CONNECT and plain requests through."""

import asyncio
import base64
import contextlib


class Proxy:
    """Attributes: what was asked of it, as request lines, and how many requests had no valid credentials."""

    def __init__(self, credentials=None):
        self.asked = []
        self.refused = 0
        self._credentials = credentials
        self._tasks = set()

    async def serve(self, reader, writer):
        self._tasks.add(asyncio.current_task())
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                await self._serve(reader, writer)
        finally:
            self._tasks.discard(asyncio.current_task())
            writer.close()

    async def _serve(self, reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        line = head.split(b"\r\n", 1)[0].decode()
        if self._credentials is not None:
            wanted = b"basic " + base64.b64encode(self._credentials.encode())
            if wanted.lower() not in head.lower():
                self.refused += 1
                writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
                await writer.drain()
                return
        self.asked.append(line)
        method, target, _ = line.split()
        host, port = (target if method == "CONNECT" else target.split("/")[2]).split(":")
        there, onward = await asyncio.open_connection(host, int(port))
        try:
            if method == "CONNECT":
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                onward.write(head.replace(target.encode(), ("/" + target.split("/", 3)[3]).encode(), 1))
            async with asyncio.TaskGroup() as group:
                group.create_task(copy(reader, onward))
                group.create_task(copy(there, writer))
        finally:
            onward.close()

    async def end(self):
        """Close the connections that are still open."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def copy(reader, writer):
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


@contextlib.asynccontextmanager
async def forward_proxy(credentials=None):
    proxy = Proxy(credentials)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        server.close()
        await proxy.end()
        await asyncio.sleep(0)  # transports close in the next turn of the loop
