"""Translations of the classic API."""

from __future__ import annotations

from ...models import TranslationBundle
from ...operations.classic import translations as ops
from ..resource import ClassicResource


class Translations(ClassicResource):
    """Methods of ``client.classic.translations``."""

    async def bundle(
        self,
        locale: str | None = None,
        *,
        country: str | None = None,
        shop_id: str | None = None,
        page: int | None = None,
        page_size: int | None = None,
    ) -> TranslationBundle:
        """Fetch the shop's texts in one language.

        Args:
            locale: BCP 47 tag of the language: ``en-GB``; in the OpenAPI dialect only, which requires it.
            country: ISO 3166-1 alpha-2 code of the country whose shop it is; live dialect only, as what follows.
            shop_id: The shop, in place of ``country``.
            page: Which page of the texts, from 1.
            page_size: Texts a page, up to 500; the service's default if left out.

        Raises:
            NotFoundError: No texts in that language, or for that country.

        API: ``GET /1.2/translations``
        """
        return await self._one(
            TranslationBundle,
            ops.GET_TRANSLATIONS,
            locale=locale,
            country=country,
            shop_id=shop_id,
            page=page,
            page_size=page_size,
        )
