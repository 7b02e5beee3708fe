"""Media deliveries: temporary addresses, and the devices that stream."""

from __future__ import annotations

import hashlib
from typing import Any

from attrs import Factory, define, frozen

from ..recordings import Media

LIFETIME = 3_600.0
"""Seconds for which an address is valid."""

ONE_DEVICE = 30.0
"""Seconds for which a device that begins to stream blocks the user's other devices."""


@frozen
class Ticket:
    """The address of a piece of media; ``expires`` is in seconds since the epoch."""

    id: str
    media: Media
    expires: float


@frozen
class _Listener:
    device: str
    since: float


@define
class Deliveries:
    """Tickets that were handed out, and the devices that stream."""

    _tickets: dict[str, Ticket] = Factory(dict)
    _issued: int = 0
    _listeners: dict[str, _Listener] = Factory(dict)

    def issue(self, media: Media, now: float) -> Ticket:
        self._forget(now - LIFETIME)
        self._issued += 1
        name = hashlib.sha256(f"ticket {self._issued}".encode()).hexdigest()[:32]
        self._tickets[name] = Ticket(name, media, now + LIFETIME)
        return self._tickets[name]

    def find(self, ticket: str) -> Ticket | None:
        """Return a ticket, including expired ones for another lifetime."""
        return self._tickets.get(ticket)

    def listen(self, user: str, device: str, now: float) -> bool:
        """Let a device stream for a user; False if another one has just begun."""
        current = self._listeners.get(user)
        if current is not None and current.device != device and now - current.since < ONE_DEVICE:
            return False
        self._listeners[user] = _Listener(device, now)
        return True

    def tree(self) -> dict[str, Any]:
        return {
            "issued": self._issued,
            "streaming": {user: listener.device for user, listener in self._listeners.items()},
        }

    def _forget(self, before: float) -> None:
        # All have the same lifetime, so the oldest come first.
        while self._tickets:
            oldest = next(iter(self._tickets.values()))
            if oldest.expires >= before:
                return
            del self._tickets[oldest.id]
