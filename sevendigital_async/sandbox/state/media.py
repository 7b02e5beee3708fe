"""Media deliveries: temporary addresses, and the devices that stream."""

from __future__ import annotations

import hashlib
from typing import Any

from attrs import Factory, define, frozen

from ..recordings import Media

TICKET_LIFETIME = 3_600.0
"""Seconds for which an address is valid."""

DEVICE_LOCK_TIME = 30.0
"""Seconds for which a device that begins to stream blocks the user's other devices."""


@frozen
class Ticket:
    """The address of a piece of media; ``expires_at`` is in seconds since the epoch."""

    id: str
    media: Media
    expires_at: float


@frozen
class _StreamingDevice:
    device: str
    since: float


@define
class MediaAccess:
    """Tickets that were handed out, and the devices that stream."""

    _tickets: dict[str, Ticket] = Factory(dict)
    _issued_count: int = 0
    _streaming_devices: dict[str, _StreamingDevice] = Factory(dict)

    def issue_ticket(self, media: Media, now: float) -> Ticket:
        self._drop_expired(now - TICKET_LIFETIME)
        self._issued_count += 1
        name = hashlib.sha256(f"ticket {self._issued_count}".encode()).hexdigest()[:32]
        self._tickets[name] = Ticket(name, media, now + TICKET_LIFETIME)
        return self._tickets[name]

    def find_ticket(self, ticket: str) -> Ticket | None:
        """Return a ticket, including expired ones for another lifetime."""
        return self._tickets.get(ticket)

    def start_stream(self, user: str, device: str, now: float) -> bool:
        """Let a device stream for a user; False if another one has just begun."""
        current = self._streaming_devices.get(user)
        if current is not None and current.device != device and now - current.since < DEVICE_LOCK_TIME:
            return False
        self._streaming_devices[user] = _StreamingDevice(device, now)
        return True

    def tree(self) -> dict[str, Any]:
        return {
            "issued": self._issued_count,
            "streaming": {user: listener.device for user, listener in self._streaming_devices.items()},
        }

    def _drop_expired(self, before: float) -> None:
        # All have the same lifetime, so the oldest come first.
        while self._tickets:
            oldest = next(iter(self._tickets.values()))
            if oldest.expires_at >= before:
                return
            del self._tickets[oldest.id]
