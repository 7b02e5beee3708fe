"""Devices that may play without a connection."""

from __future__ import annotations

import enum
from datetime import datetime

from attrs import frozen

from .wire import called, wire


class DevicePlatform(enum.StrEnum):
    """What a device runs; anything else stays text."""

    IOS = "ios"
    ANDROID = "android"
    WEB = "web"
    WINDOWS = "windows"
    MACOS = "macos"


class DeviceStatus(enum.StrEnum):
    """Whether a device may play without a connection; anything else stays text."""

    AUTHORISED = "authorised"
    DEAUTHORISED = "deauthorised"


@called("device", "offlineStatus", "offlineClient")
@frozen(kw_only=True)
class DeviceAuthorisation:
    """One of a user's devices, and what it may do.

    Attributes:
        device_id: The partner's id of the device.
        device_name: What its owner calls it.
        platform: What it runs.
        status: Whether it may play without a connection.
        authorised_at: Since when.
        offline_enabled: The same as ``status``, in the live service's answers.
        offline_max_track_count: How many tracks it may keep, in the live service's answers.
    """

    device_id: str | None = wire("deviceId", "clientId")
    device_name: str | None = None
    platform: DevicePlatform | str | None = None
    status: DeviceStatus | str | None = None
    authorised_at: datetime | None = None
    offline_enabled: bool | None = None
    offline_max_track_count: int | None = None
