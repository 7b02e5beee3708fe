"""Handlers: one small function per operation, a file per tag."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..answers import Answer
from ..calls import Call
from . import (
    artists,
    basket,
    cards,
    editorial,
    live_accounts,
    live_classic,
    live_platform,
    live_play_logs,
    live_playlists,
    media,
    oauth,
    offline_devices,
    payment,
    platform_accounts,
    platform_catalogue,
    play_logs,
    playlists,
    purchases,
    radio,
    releases,
    sales,
    service,
    shop_urls,
    streaming,
    tags,
    territories,
    tracks,
    users,
)

Handler = Callable[[Call], Answer]

_MODULES = (
    shop_urls,
    artists,
    basket,
    cards,
    editorial,
    media,
    oauth,
    offline_devices,
    payment,
    platform_accounts,
    platform_catalogue,
    play_logs,
    playlists,
    purchases,
    radio,
    releases,
    sales,
    service,
    streaming,
    tags,
    territories,
    tracks,
    users,
)
_LIVE_MODULES = (live_accounts, live_classic, live_platform, live_play_logs, live_playlists)

HANDLERS: Mapping[str, Handler] = {name: handler for part in _MODULES for name, handler in part.HANDLERS.items()}
"""Every handler, by the name of its operation."""

LIVE_HANDLERS: Mapping[str, Handler] = {
    name: handler for part in _LIVE_MODULES for name, handler in part.HANDLERS.items()
}
"""Handlers for the live dialect, where it differs."""

__all__ = ["HANDLERS", "LIVE_HANDLERS", "Handler"]
