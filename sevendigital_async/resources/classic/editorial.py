"""The editors' choice in the classic API."""

from __future__ import annotations

from ...models import EditorialItem
from ...operations.classic import editorial as ops
from ..resource import ClassicResource, Pages


class Editorial(ClassicResource):
    """Methods of ``client.classic.editorial``."""

    def list(
        self,
        *,
        key: str | None = None,
        country: str | None = None,
        page: int = 1,
        page_size: int | None = None,
    ) -> Pages[EditorialItem]:
        """List what the editors have chosen; at times and in places that may be nothing.

        Args:
            key: Which list, such as ``featured_albums``, ``new_releases``, ``promo_selection``, ``preorders`` or
                ``staff_recommendations``. The live service requires one.
            country: ISO 3166-1 alpha-2 code of the territory; the account's own by default.
            page: First page to fetch, from 1.
            page_size: Items a page, up to 100 (500 in the live dialect); the service's default if left out.

        Raises:
            NotFoundError: No such list.

        API: ``GET /1.2/editorial/list``
        """
        return self._pages(
            EditorialItem, ops.GET_EDITORIAL_LIST, key=key, country=country, page=page, page_size=page_size
        )
