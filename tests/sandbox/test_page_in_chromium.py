"""The page in a headless Chromium, where one is installed: live figures, sizes and schemes, the keyboard."""

from __future__ import annotations

import os
from pathlib import Path

import aiohttp
import pytest
from support.chromium import CHROMIUM, open_page, png_size
from support.probe import Probe, open_session

from sevendigital_async.sandbox import Faults, Sandbox

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium (Debian: chromium)")

# The path of axe.min.js, from the npm package axe-core.
AXE = Path(os.environ["AXE_CORE"]).read_text("utf-8") if "AXE_CORE" in os.environ else None


@pytest.fixture
async def probe():
    async with Sandbox(managed_users=True) as sandbox, open_session() as session:
        probe = Probe(sandbox, session)
        sandbox.faults = Faults.parse(["disconnect-after:100%"])
        with pytest.raises(aiohttp.ClientError):
            await post(probe, "catalogue", probe.play("42"))
        sandbox.faults = Faults.parse(["poison:666", "503:0.1%"], latency="1ms-20ms")
        plays = [probe.play(str(number), userId="u" * 40) for number in range(500)]
        for _ in range(7):
            await post(probe, "preview", *plays)
        for number in range(30):
            await post(probe, "subscriber", probe.play("666"), probe.play(str(number)))
        yield probe


async def post(probe, kind, *plays):
    async with probe.post(kind, list(plays)) as answer:
        await answer.read()


def text_of(element_id):
    return f"document.getElementById('{element_id}').textContent"


async def test_sizes_and_schemes(probe, tmp_path):
    backgrounds = {}
    async with open_page(probe.sandbox.base_url) as browser:
        await browser.until("document.querySelectorAll('#refused tr').length === 30")
        for width in (360, 1280):
            for scheme in ("light", "dark"):
                await browser.show_as(width=width, scheme=scheme)
                await browser.until(f"innerWidth === {width}")
                assert await browser.evaluate("document.documentElement.scrollWidth") <= width
                png = await browser.screenshot()
                (tmp_path / f"{width}-{scheme}.png").write_bytes(png)
                assert png_size(png)[0] <= width
                assert len(png) > 20_000
                backgrounds[scheme] = await browser.evaluate("getComputedStyle(document.body).backgroundColor")
                if AXE:
                    await browser.evaluate(AXE + "; 0")
                    found = "axe.run().then(({violations}) => violations.map(({id, nodes}) => [id, nodes[0].html]))"
                    assert await browser.evaluate(found) == []
        assert browser.problems == []
        assert {address.removeprefix(probe.sandbox.base_url) for address in browser.addresses} == {
            "/",
            "/_sandbox/static/page.css",
            "/_sandbox/static/charts.js",
            "/_sandbox/static/faults.js",
            "/_sandbox/static/page.js",
            "/_sandbox/activity",
        }
    assert backgrounds == {"light": "rgb(246, 247, 249)", "dark": "rgb(18, 21, 27)"}


async def test_figures_are_updated_in_place(probe):
    async with open_page(probe.sandbox.base_url) as browser:
        await browser.until("document.querySelectorAll('#refused tr').length === 30")
        assert "666" in await browser.evaluate(text_of("refused"))
        assert await browser.evaluate(text_of("faults-in-force")) == (
            "5030.1%Removepoison666Removelatency1ms-20msRemove"
        )
        assert await browser.evaluate(text_of("doubles")) != "No play was received twice."  # the preview batches
        await browser.evaluate(
            "watched = ['#doubles td', '#kinds td', '#totals dd', '#limit-summary', '#charts path', '#charts text']"
            ".map((path) => document.querySelector(path)); 0"
        )
        await post(probe, "catalogue", probe.play("1"))
        play = probe.play("4711")
        await post(probe, "catalogue", play)
        await post(probe, "catalogue", play)
        await browser.until(f"{text_of('doubles')}.includes('track 4711')")
        assert await browser.evaluate("watched.every((element) => element.isConnected)")
        assert "track 4711" in await browser.evaluate("watched[0].textContent")
        probe.sandbox.faults = Faults()
        await browser.until(f"{text_of('faults-in-force')} === 'No faults are in force.'")
        assert "The limit is 5 in any second. Over the limit in " in await browser.evaluate(text_of("limit-summary"))
        assert await browser.evaluate("document.querySelector('#limit-summary').closest('figure')"
                                      ".querySelector('path.over').getAttribute('d')") != ""  # fmt: skip
        assert browser.problems == []


async def test_a_pause_and_the_keyboard(probe):
    async with open_page(probe.sandbox.base_url) as browser:
        await browser.until("document.querySelectorAll('#refused tr').length === 30")
        reached = []
        for _ in range(17):
            await browser.press("Tab", 9)
            reached.append(
                await browser.evaluate(
                    "(({id, href, ariaLabel, attributes}) => id || ariaLabel || attributes['aria-labelledby']?.value"
                    " || new URL(href).pathname)"
                    "(document.activeElement)"
                )
            )
        raw = [f"/_sandbox/{name}" for name in ("activity", "stats", "requests", "logs", "state")]
        controls = ["fault-kind", "fault-value", "fault-button", "latency", "latency-button", "clear-faults"]
        buttons = ["Remove 503 0.1%", "Remove poison 666", "Remove latency 1ms-20ms"]
        assert reached == ["pause", "doubles-caption", "refused-caption", *controls, *buttons, *raw]
        await browser.evaluate("document.getElementById('pause').focus()")
        await browser.send("Input.dispatchKeyEvent", type="keyDown", key=" ", code="Space", text=" ")
        await browser.send("Input.dispatchKeyEvent", type="keyUp", key=" ", code="Space")
        await browser.until("document.getElementById('pause').getAttribute('aria-pressed') === 'true'")
        polls = len(browser.addresses)
        probe.sandbox.faults = Faults()
        await browser.until(f"performance.getEntriesByName(location.origin + '/_sandbox/activity').length > {polls}")
        assert "poison" in await browser.evaluate(text_of("faults-in-force"))
        await browser.evaluate("document.getElementById('pause').click()")
        await browser.until(f"!{text_of('faults-in-force')}.includes('poison')")
        assert browser.problems == []


async def test_faults_are_changed_with_the_keyboard(probe):
    async with open_page(probe.sandbox.base_url) as browser:
        await browser.until(f"{text_of('faults-in-force')}.includes('poison')")

        async def type_into(element_id, text):
            await browser.evaluate(f"document.getElementById('{element_id}').select()")
            await browser.send("Input.insertText", text=text)
            for kind in ("keyDown", "keyUp"):
                await browser.send(
                    "Input.dispatchKeyEvent", type=kind, key="Enter", windowsVirtualKeyCode=13, text="\r"
                )

        async def says(text):
            await browser.until(f"{text_of('faults-status')} === '{text}'")

        await type_into("fault-value", "25%")
        await says("500 25% is in force.")
        await type_into("fault-value", "30%")  # in place of the 25 %
        await says("500 30% is in force.")
        await type_into("latency", "5ms")
        await says("The latency is 5ms.")
        assert probe.sandbox.faults == Faults.parse(["503:0.1%", "poison:666", "500:30%"], latency="5ms")
        await type_into("fault-value", "90%")
        await type_into("fault-value", "101%")
        await browser.until(f"{text_of('faults-status')}.startsWith('Not changed: ')")
        await browser.evaluate("document.querySelector('[aria-label=\"Remove poison 666\"]').click()")
        await says("poison 666 is removed.")
        assert await browser.evaluate("document.activeElement.id") == "fault-kind"
        assert not probe.sandbox.faults.poison
        await browser.evaluate("document.getElementById('clear-faults').click()")
        await says("All faults are removed.")
        assert probe.sandbox.faults == Faults()
        await browser.until("document.getElementById('clear-faults').disabled")
        assert [each for each in browser.problems if each.get("entry", {}).get("text", "").find("400") < 0] == []


async def test_a_change_of_faults_does_not_overwrite_that_of_another_program(probe):
    probe.sandbox.faults = Faults()
    async with open_page(probe.sandbox.base_url) as browser:
        await browser.until(f"{text_of('faults-in-force')} === 'No faults are in force.'")
        await browser.evaluate("document.getElementById('pause').click()")  # what it has read stays old
        probe.sandbox.faults = Faults.parse(["503:1%"], latency="7ms", seed=4)
        await browser.evaluate("document.getElementById('fault-button').click()")
        await browser.until(f"{text_of('faults-status')} === '500 10% is in force.'")
        assert probe.sandbox.faults == Faults.parse(["503:1%", "500:10%"], latency="7ms", seed=4)
        assert "503" in await browser.evaluate(text_of("faults-in-force"))


async def test_a_sandbox_that_ended(probe):
    async with open_page(probe.sandbox.base_url) as browser:
        await browser.until("document.querySelectorAll('#refused tr').length === 30")
        assert await browser.evaluate(text_of("connection")) == ""
        await probe.sandbox.aclose()
        await browser.until(f"{text_of('connection')}.startsWith('The sandbox does not answer.')")
        assert await browser.evaluate("document.querySelectorAll('#refused tr').length") == 30


async def test_what_clients_send_is_shown_as_text(probe):
    probe.sandbox.faults = Faults()
    script = "<img src=x onerror=alert(1)>"
    await post(probe, "catalogue", {**probe.play(script), script: 1})
    async with open_page(probe.sandbox.base_url) as browser:
        await browser.until(f"{text_of('refused')}.includes('onerror=alert(1)> is not a field of a log')")
        assert await browser.evaluate("document.querySelectorAll('img').length") == 0
        assert browser.problems == []
