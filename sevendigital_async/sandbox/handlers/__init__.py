"""What the sandbox answers: one small function per operation, a file per tag."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..answers import Answer
from ..calls import Call
from . import artists, play_logs, releases, service

Handler = Callable[[Call], Answer]

HANDLERS: Mapping[str, Handler] = {
    **artists.HANDLERS,
    **play_logs.HANDLERS,
    **releases.HANDLERS,
    **service.HANDLERS,
}
"""Every handler, by the name of its operation."""

__all__ = ["HANDLERS", "Handler"]
