"""The service itself."""
from datetime import datetime

from attrs import frozen


@frozen
class ServiceStatus:
    """The service's own time."""

    server_time: datetime | None = None
