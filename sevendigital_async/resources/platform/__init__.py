"""The streaming platform's methods, a file per tag."""

from __future__ import annotations

from functools import cached_property

from ..resource import Caller
from .catalogue import Catalogue
from .content_delivery import ContentDelivery
from .downloads import Downloads
from .logging import Logging
from .offline_devices import OfflineDevices
from .playlists import Playlists
from .radio import Radio
from .sales import Sales
from .streaming import Streaming
from .subscriptions import Subscriptions
from .users import Users


class Platform:
    """Namespace ``client.platform``."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    @cached_property
    def catalogue(self) -> Catalogue:
        """Artists, releases and tracks."""
        return Catalogue(self._caller)

    @cached_property
    def radio(self) -> Radio:
        """Listening sessions that keep to a set of rules."""
        return Radio(self._caller)

    @cached_property
    def logging(self) -> Logging:
        """Reports of plays, one request a call; ``StreamLogShipper`` does it in bulk."""
        return Logging(self._caller)

    @cached_property
    def streaming(self) -> Streaming:
        """Previews, and tracks from the catalogue, the locker or a subscription."""
        return Streaming(self._caller)

    @cached_property
    def offline_devices(self) -> OfflineDevices:
        """Devices that may play without a connection."""
        return OfflineDevices(self._caller)

    @cached_property
    def downloads(self) -> Downloads:
        """What a user has bought, as files."""
        return Downloads(self._caller)

    @cached_property
    def playlists(self) -> Playlists:
        """Playlists of the partner and of its users."""
        return Playlists(self._caller)

    @cached_property
    def sales(self) -> Sales:
        """Sales, refunds and lockers."""
        return Sales(self._caller)

    @cached_property
    def subscriptions(self) -> Subscriptions:
        """Subscriptions that the partner has sold."""
        return Subscriptions(self._caller)

    @cached_property
    def users(self) -> Users:
        """Accounts of users."""
        return Users(self._caller)

    @cached_property
    def content_delivery(self) -> ContentDelivery:
        """Media files in bulk."""
        return ContentDelivery(self._caller)
