"""A Redis server in a temporary folder, if ``redis-server`` is installed."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

from .optional import present

SETTINGS = "appendonly yes, appendfsync everysec, no snapshots"
START_TIMEOUT = 5.0
"""Seconds that the server may take to start."""


@contextmanager
def running() -> Iterator[str | None]:
    """Run a server and yield its URL; None if it cannot be started or reached."""
    program = shutil.which("redis-server")
    if program is None or not present("redis"):
        yield None
        return
    with tempfile.TemporaryDirectory() as folder:
        port = _free_port()
        options = ["--port", str(port), "--bind", "127.0.0.1", "--dir", folder, "--appendonly", "yes", "--save", ""]
        process = subprocess.Popen(
            [program, *options, "--appendfsync", "everysec"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            yield f"redis://127.0.0.1:{port}" if _listens(port) else None
        finally:
            process.terminate()
            process.wait()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


def _listens(port: int) -> bool:
    give_up_at = time.monotonic() + START_TIMEOUT
    while time.monotonic() < give_up_at:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return True
    return False
