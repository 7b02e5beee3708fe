"""The programs of docs/tracing.md and docs/logging.md, and the names of events."""

import ast
import io
import json
import logging
import re
import subprocess
import sys

import pytest
from support.paths import ROOT

from sevendigital_async import LogKind
from sevendigital_async.shipping.events import PLAY_EVENTS, EventSink, PlaysRetried

FENCE = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TRACING, LOGGING, WATCHING = ((ROOT / "docs" / f"{name}.md").read_text() for name in ("tracing", "logging", "watching"))
CLIENT = ("7digital classic.releases.search", "GET /1.2/release/search", "q=REDACTED")
BATCH = ("a listener's request", "7digital batch preview", "7digital platform.logging.preview", "POST /logging/preview")
HOOKS = ("classic.releases.search 1 GET http", "'Authorization': 'REDACTED'", "classic.releases.search 200 0.")


@pytest.mark.parametrize(
    ("program", "expected"), list(zip(FENCE.findall(TRACING), (CLIENT, BATCH, HOOKS), strict=True))
)
def test_the_programs_print_what_the_page_says(program, expected):
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], check=True, capture_output=True, text=True, cwd=ROOT
    )
    assert not [text for text in expected if text not in ran.stdout]


def test_the_formatter_writes_the_line_that_the_page_shows():
    formatter, correlation = FENCE.findall(LOGGING)
    ours = logging.getLogger("sevendigital_async")
    handlers, level = list(ours.handlers), ours.level
    scope = {}
    try:
        exec(compile(formatter, "logging.md", "exec"), scope)  # noqa: S102 - our own page
        exec(compile(correlation, "logging.md", "exec"), scope)  # noqa: S102
        scope["handler"].setStream(written := io.StringIO())
        event = PlaysRetried(
            kind=LogKind.PREVIEW, logs=12, outcome="unavailable", request_id="0b4b...", wait=1.5, failed=True
        )
        EventSink().emit(event)
        ours.error("failed", exc_info=ValueError("x"))
    finally:
        ours.handlers[:], ours.level = handlers, level
        ours.setLevel(level)
    first, second = map(json.loads, written.getvalue().splitlines())
    shown = json.loads(re.search(r"```json\n(.*)\n```", LOGGING).group(1))
    assert {**first, "time": 0} == {**shown, "time": 0}
    assert "ValueError" in second["exception"]
    assert scope["trace_fields"]() == {}


def events_in_the_code():
    """Yield the names that stand beside ``event`` in a mapping, and those of the shipper."""
    for path in (ROOT / "sevendigital_async").rglob("*.py"):
        if not {"sandbox", "operations"} & set(path.parts):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Dict):
                    keys = [key.value if isinstance(key, ast.Constant) else None for key in node.keys]
                    if "event" in keys and isinstance(value := node.values[keys.index("event")], ast.Constant):
                        yield value.value
    yield from (event.name for event in PLAY_EVENTS if event.template)


def test_every_event_is_on_a_page():
    rows = [line.split("|")[1] for line in (LOGGING + WATCHING).splitlines() if line.startswith("| `")]
    documented = {name for row in rows for name in re.findall(r"`([\w-]+)`", row)}
    found = set(events_in_the_code())
    assert len(found) > 15
    assert found - documented == set()


def test_every_logger_is_on_the_page():
    found = set()
    for path in (ROOT / "sevendigital_async").rglob("*.py"):
        found |= set(re.findall(r'getLogger\("(sevendigital_async[\w.]*)"\)', path.read_text()))
    assert not {name for name in found if f"| `{name}` |" not in LOGGING}
