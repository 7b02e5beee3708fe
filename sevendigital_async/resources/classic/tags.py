"""Tags of the classic API."""

from __future__ import annotations

from collections.abc import Iterable

from ...models import Tag
from ...operations.classic import tags as ops
from .. import checks
from ..resource import ClassicResource, Pages


class Tags(ClassicResource):
    """Methods of ``client.classic.tags``."""

    def all(self, *, page: int = 1, page_size: int | None = None) -> Pages[Tag]:
        """List every tag there is, in the live service with how often it is used.

        Args:
            page: First page to fetch, from 1.
            page_size: Tags a page, up to 100 (500 in the live dialect); the service's default if left out.

        API: ``GET /1.2/tag``
        """
        return self._pages(Tag, ops.GET_ALL_TAGS, page=page, page_size=page_size)

    def related(
        self, tags: Iterable[str], *, country: str | None = None, page: int = 1, page_size: int | None = None
    ) -> Pages[Tag]:
        """List the tags that go together with given ones; in the live dialect only.

        Args:
            tags: Ids of tags.
            country: ISO 3166-1 alpha-2 code of the territory; the account's own by default.
            page: First page to fetch, from 1.
            page_size: Tags a page, up to 500; the service's default if left out.

        Raises:
            NotFoundError: None of the tags exists.

        API: ``GET /1.2/tag/related``
        """
        return self._pages(
            Tag,
            ops.GET_RELATED_TAGS,
            tags=checks.non_empty_list("tags", tags),
            country=country,
            page=page,
            page_size=page_size,
        )
