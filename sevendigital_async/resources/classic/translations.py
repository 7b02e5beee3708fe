"""Translations of the classic API."""

from __future__ import annotations

from ...models import TranslationBundle
from ...operations.classic import translations as ops
from ..resource import CheckedResource


class Translations(CheckedResource):
    """Methods of ``client.classic.translations``."""

    async def bundle(self, locale: str) -> TranslationBundle:
        """Fetch the shop's texts in one language.

        Args:
            locale: BCP 47 tag of the language: ``en-GB``.

        Raises:
            NotFoundError: No texts in that language.

        API: ``GET /1.2/translations``
        """
        return await self._one(TranslationBundle, ops.GET_TRANSLATIONS, locale=locale)
