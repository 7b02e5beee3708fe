"""The classic API's methods, a file per tag."""

from __future__ import annotations

from functools import cached_property

from ..resource import Caller
from .artists import Artists
from .releases import Releases
from .service import Service


class Classic:
    """Namespace ``client.classic``."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    @cached_property
    def artists(self) -> Artists:
        """Artists."""
        return Artists(self._caller)

    @cached_property
    def releases(self) -> Releases:
        """Albums, singles, EPs and videos."""
        return Releases(self._caller)

    @cached_property
    def service(self) -> Service:
        """The service itself."""
        return Service(self._caller)
