"""The state that calls change: a file per noun, and one `State` for each sandbox."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from ...config import UserToken
from .baskets import BasketLine, Baskets
from .cards import Cards
from .devices import Devices
from .lockers import Lockers
from .media import MediaAccess
from .playlist_groups import PlaylistGroups
from .playlists import Playlists
from .purchases import Purchase, Purchases
from .radio import RadioSessions
from .refunds import Refunds
from .subscriptions import Subscriptions
from .tokens import Tokens
from .users import Users
from .vouchers import Vouchers


class State:
    """All that a sandbox remembers of calls other than play logs."""

    def __init__(self, token_for: Callable[[str], UserToken], tokens: Tokens) -> None:
        self.token_for = token_for
        self.tokens = tokens
        self.baskets: Baskets = Baskets()
        self.purchases: Purchases = Purchases()
        self.lockers: Lockers = Lockers()
        self.users: Users = Users()
        self.cards: Cards = Cards()
        self.vouchers: Vouchers = Vouchers()
        self.subscriptions: Subscriptions = Subscriptions()
        self.refunds: Refunds = Refunds()
        self.playlists: Playlists = Playlists()
        self.playlist_groups: PlaylistGroups = PlaylistGroups()
        self.radio: RadioSessions = RadioSessions()
        self.devices: Devices = Devices()
        self.media_access: MediaAccess = MediaAccess()

    def sell(
        self,
        user: str,
        lines: Sequence[BasketLine],
        *,
        currency: str,
        purchased_at: datetime,
        operation: str,
        transaction_id: str | None = None,
    ) -> Purchase:
        """Record a purchase and put what was bought into the user's locker; a repeated call buys again."""
        purchase = self.purchases.record(
            user,
            lines,
            currency=currency,
            purchased_at=purchased_at,
            operation=operation,
            transaction_id=transaction_id,
        )
        self.lockers.add_purchase(purchase)
        return purchase

    def tree(self) -> dict[str, Any]:
        return {
            "baskets": self.baskets.tree(),
            "purchases": self.purchases.tree(),
            "lockers": self.lockers.tree(),
            "users": self.users.tree(),
            "cards": self.cards.tree(),
            "vouchers": self.vouchers.tree(),
            "subscriptions": self.subscriptions.tree(),
            "refunds": self.refunds.tree(),
            "playlists": self.playlists.tree(),
            "playlistGroups": self.playlist_groups.tree(),
            "radioSessions": self.radio.tree(),
            "devices": self.devices.tree(),
            "media": self.media_access.tree(),
        }


__all__ = ["State"]
