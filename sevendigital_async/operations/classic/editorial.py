"""The editors' choice in the classic API."""

from __future__ import annotations

from ...models import EditorialItem
from ..operation import Operation, Safety, parameter
from .binding import COUNTRY, PAGING, bind

GET_EDITORIAL_LIST = Operation(
    id="getEditorialList",
    name="classic.editorial.list",
    summary="What the editors have chosen.",
    safety=Safety.READ,
    model=EditorialItem,
    paged=True,
    bindings=bind("GET", "/editorial/list", parameter("key"), COUNTRY, *PAGING),
)
