"""A headless Chromium for tests of pages, spoken to over its DevTools protocol."""

from __future__ import annotations

import asyncio
import base64
import shutil
import struct
import tempfile
from contextlib import asynccontextmanager
from itertools import count

import aiohttp

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

_OPTIONS = (
    "--headless=new",
    "--no-sandbox",  # it refuses to run as root with one
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
    "--remote-debugging-port=0",
)


class Browser:
    """One tab. `problems` has what the page wrote to the console, exceptions and violations of its policy included."""

    def __init__(self, socket):
        self._socket = socket
        self._numbers = count(1)
        self._waiting = {}
        self.problems = []
        self.addresses = []

    async def listen(self):
        async for message in self._socket:
            event = message.json()
            if waiting := self._waiting.pop(event.get("id"), None):
                waiting.set_result(event)
            elif event.get("method") in {"Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded"}:
                self.problems.append(event["params"])
            elif event.get("method") == "Network.requestWillBeSent":
                self.addresses.append(event["params"]["request"]["url"])

    async def send(self, method, **params):
        number = next(self._numbers)
        self._waiting[number] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": number, "method": method, "params": params})
        answer = await asyncio.wait_for(self._waiting[number], 60)
        assert "error" not in answer, answer
        return answer["result"]

    async def evaluate(self, expression):
        """Return the value of a JavaScript expression; a promise is waited for."""
        answer = await self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    async def until(self, condition):
        """Wait until a JavaScript expression is true."""
        async with asyncio.timeout(60):
            while not await self.evaluate(condition):
                await asyncio.sleep(0.05)

    async def show_as(self, *, width, scheme):
        await self.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=False
        )
        await self.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    async def press(self, key, code):
        for kind in ("rawKeyDown", "keyUp"):
            await self.send("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code)

    async def screenshot(self):
        """Return a PNG of the whole page."""
        answer = await self.send("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        return base64.b64decode(answer["data"])


def png_size(png):
    """Return width and height of a PNG."""
    assert png.startswith(b"\x89PNG")
    return struct.unpack(">II", png[16:24])


@asynccontextmanager
async def open_page(address):
    """Open an address in a new browser."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = await asyncio.create_subprocess_exec(
            CHROMIUM,
            *_OPTIONS,
            f"--user-data-dir={profile}",
            "about:blank",
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(60):
                port = await _devtools_port(process.stderr)
            async with aiohttp.ClientSession() as session:
                async with session.get(f"http://127.0.0.1:{port}/json/list") as answer:
                    [tab] = [each for each in await answer.json() if each["type"] == "page"]
                async with session.ws_connect(tab["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                    browser = Browser(socket)
                    listening = asyncio.create_task(browser.listen())
                    for domain in ("Runtime", "Log", "Network", "Page"):
                        await browser.send(f"{domain}.enable")
                    await browser.send("Page.navigate", url=address)
                    await browser.until(f"document.readyState === 'complete' && location.href.startsWith('{address}')")
                    yield browser
                    listening.cancel()
        finally:
            process.kill()
            await process.communicate()


async def _devtools_port(lines):
    async for line in lines:
        if b"DevTools listening on" in line:
            return int(line.split(b":")[2].split(b"/")[0])
    raise AssertionError("Chromium ended before it listened")
