"""The classic API itself."""

from __future__ import annotations

from ...models import ServiceStatus
from ...operations.classic import service as ops
from ..resource import Resource


class Service(Resource):
    """Methods of ``client.classic.service``."""

    async def status(self) -> ServiceStatus:
        """Ask the service for its time; a cheap way to learn that key, secret and network are in order.

        API: ``GET /1.2/status``
        """
        return await self._one(ServiceStatus, ops.GET_STATUS)
