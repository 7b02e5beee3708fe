"""The service itself."""

from __future__ import annotations

from datetime import UTC, datetime

from ..answers import Answer
from ..calls import Call


def status(call: Call) -> Answer:
    moment = datetime.fromtimestamp(call.now, UTC)
    return Answer(content={"serviceStatus": {"serverTime": f"{moment:%Y-%m-%dT%H:%M:%SZ}"}})


HANDLERS = {"classic.service.status": status}
