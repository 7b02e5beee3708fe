"""Tags of the classic API."""

from __future__ import annotations

from ...models import Tag
from ..operation import Operation, Safety
from .binding import PAGING, bound

GET_ALL_TAGS = Operation(
    id="getAllTags",
    name="classic.tags.all",
    summary="Every tag there is.",
    safety=Safety.READ,
    model=Tag,
    paged=True,
    bindings=bound("GET", "/tag", *PAGING),
)
