"""The classic API itself."""

from __future__ import annotations

from ...models import ServiceStatus
from ..operation import Operation, Safety
from .binding import bind

GET_STATUS = Operation(
    id="getStatus",
    name="classic.service.status",
    summary="The service's own time.",
    safety=Safety.READ,
    model=ServiceStatus,
    bindings=bind("GET", "/status"),
)
