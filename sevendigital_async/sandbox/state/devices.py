"""Devices on which a user may play without a connection."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from attrs import Factory, define, evolve, frozen

MAX_DEVICES = 3
"""How many a user may have."""


@frozen(kw_only=True)
class Device:
    """A device that was authorised."""

    id: str
    name: str
    platform: str
    authorised_at: datetime


@define
class Devices:
    """The devices of each user, by id, in the order of their authorisation."""

    _devices: dict[str, dict[str, Device]] = Factory(dict)

    def authorise(self, user: str, device: Device) -> Device | None:
        """Authorise a device; None if the user has too many others. A known one keeps its time."""
        mine = self._devices.setdefault(user, {})
        known = mine.get(device.id)
        if known is None and len(mine) >= MAX_DEVICES:
            return None
        mine[device.id] = evolve(device, authorised_at=known.authorised_at) if known else device
        return mine[device.id]

    def revoke(self, user: str, device_id: str) -> None:
        self._devices.get(user, {}).pop(device_id, None)

    def find(self, user: str, device_id: str) -> Device | None:
        return self._devices.get(user, {}).get(device_id)

    def of(self, user: str) -> Sequence[Device]:
        return list(self._devices.get(user, {}).values())

    def tree(self) -> dict[str, Any]:
        return {user: list(mine) for user, mine in self._devices.items()}
