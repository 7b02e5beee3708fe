"""The streaming platform's methods, a file per tag."""

from __future__ import annotations

from functools import cached_property

from ..resource import Caller
from .logging import Logging


class Platform:
    """Namespace ``client.platform``."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    @cached_property
    def logging(self) -> Logging:
        """Reports of plays, one request a call; ``StreamLogShipper`` does it in bulk."""
        return Logging(self._caller)
