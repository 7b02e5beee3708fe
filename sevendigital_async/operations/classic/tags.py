"""Tags of the classic API."""

from __future__ import annotations

from ...models import Tag
from ..operation import Operation, Safety
from .binding import COUNTRY, LIVE_ONLY_HINT, LIVE_PAGING, PAGING, TAGS, bind, bind_live_only

GET_ALL_TAGS = Operation(
    id="getAllTags",
    name="classic.tags.all",
    summary="Every tag there is.",
    safety=Safety.READ,
    model=Tag,
    paged=True,
    bindings=bind("GET", "/tag", *PAGING),
)

GET_RELATED_TAGS = Operation(
    id="getRelatedTags",
    name="classic.tags.related",
    summary="Tags that go together with given ones.",
    safety=Safety.READ,
    model=Tag,
    paged=True,
    instead=LIVE_ONLY_HINT,
    bindings=bind_live_only("GET", "/tag/related", TAGS, COUNTRY, *LIVE_PAGING),
)
