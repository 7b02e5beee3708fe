"""The service itself."""

from __future__ import annotations

from datetime import datetime

from attrs import frozen


@frozen(kw_only=True)
class ServiceStatus:
    """What the service says of itself.

    Attributes:
        server_time: The service's clock.
    """

    server_time: datetime | None = None
