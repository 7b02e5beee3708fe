"""The classic API's methods, a file per tag."""

from __future__ import annotations

from functools import cached_property

from ..resource import Caller
from .artists import Artists
from .basket import Basket
from .catalogue import Catalogue
from .editorial import Editorial
from .ip_lookup import IpLookup
from .payment import Payment
from .releases import Releases
from .service import Service
from .tags import Tags
from .territories import Territories
from .tracks import Tracks
from .translations import Translations
from .user import User
from .users import Users


class Classic:
    """Namespace ``client.classic``."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    @cached_property
    def releases(self) -> Releases:
        """Albums, singles, EPs and videos."""
        return Releases(self._caller)

    @cached_property
    def artists(self) -> Artists:
        """Artists."""
        return Artists(self._caller)

    @cached_property
    def tracks(self) -> Tracks:
        """Tracks."""
        return Tracks(self._caller)

    @cached_property
    def tags(self) -> Tags:
        """The words that the catalogue is sorted by."""
        return Tags(self._caller)

    @cached_property
    def basket(self) -> Basket:
        """What a shopper collects before paying."""
        return Basket(self._caller)

    @cached_property
    def user(self) -> User:
        """One user: account, locker, purchases, cards and subscription."""
        return User(self._caller)

    @cached_property
    def users(self) -> Users:
        """The partner's users."""
        return Users(self._caller)

    @cached_property
    def territories(self) -> Territories:
        """Where music is sold."""
        return Territories(self._caller)

    @cached_property
    def translations(self) -> Translations:
        """The shop's texts."""
        return Translations(self._caller)

    @cached_property
    def ip_lookup(self) -> IpLookup:
        """Internet addresses."""
        return IpLookup(self._caller)

    @cached_property
    def editorial(self) -> Editorial:
        """The editors' choice."""
        return Editorial(self._caller)

    @cached_property
    def catalogue(self) -> Catalogue:
        """From the shop's web addresses to artists and releases."""
        return Catalogue(self._caller)

    @cached_property
    def payment(self) -> Payment:
        """Ways to pay."""
        return Payment(self._caller)

    @cached_property
    def service(self) -> Service:
        """The service itself."""
        return Service(self._caller)
