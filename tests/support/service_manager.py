"""The side of systemd in its notification protocol."""

import asyncio
import contextlib
import socket


class NotifySocket:
    """A datagram socket that keeps what arrives."""

    def __init__(self, address):
        self.address = address
        self.messages = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(f"\0{address[1:]}" if address.startswith("@") else address)
        self._socket.settimeout(0)

    def read(self):
        with contextlib.suppress(BlockingIOError):
            while True:
                self.messages.append(self._socket.recv(4096).decode())
        return self.messages

    async def has(self, message, times=1):
        async with asyncio.timeout(60):
            while self.read().count(message) < times:
                await asyncio.sleep(0.01)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()
