"""What the sandbox answers: one small function per operation, a file per tag."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..answers import Answer
from ..calls import Call
from . import (
    addresses,
    artists,
    basket,
    cards,
    editors,
    live_accounts,
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
    streaming,
    tags,
    territories,
    tracks,
    users,
)

Handler = Callable[[Call], Answer]

HANDLERS: Mapping[str, Handler] = {
    **addresses.HANDLERS,
    **artists.HANDLERS,
    **basket.HANDLERS,
    **cards.HANDLERS,
    **editors.HANDLERS,
    **media.HANDLERS,
    **oauth.HANDLERS,
    **offline_devices.HANDLERS,
    **payment.HANDLERS,
    **platform_accounts.HANDLERS,
    **platform_catalogue.HANDLERS,
    **play_logs.HANDLERS,
    **playlists.HANDLERS,
    **purchases.HANDLERS,
    **radio.HANDLERS,
    **releases.HANDLERS,
    **sales.HANDLERS,
    **service.HANDLERS,
    **streaming.HANDLERS,
    **tags.HANDLERS,
    **territories.HANDLERS,
    **tracks.HANDLERS,
    **users.HANDLERS,
}
"""Every handler, by the name of its operation."""

LIVE_HANDLERS: Mapping[str, Handler] = {
    **live_accounts.HANDLERS,
    **live_platform.HANDLERS,
    **live_play_logs.HANDLERS,
    **live_playlists.HANDLERS,
}
"""Those that the live dialect has of its own, because it asks or answers in another way."""

__all__ = ["HANDLERS", "LIVE_HANDLERS", "Handler"]
