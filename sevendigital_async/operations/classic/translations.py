"""Translations of the classic API."""

from __future__ import annotations

from ...models import TranslationBundle
from ..operation import Operation, Safety, parameter
from .binding import COUNTRY, LIVE_PAGING, SHOP_ID, bind, live_binding

GET_TRANSLATIONS = Operation(
    id="getTranslations",
    name="classic.translations.bundle",
    summary="The shop's texts in one language.",
    safety=Safety.READ,
    model=TranslationBundle,
    bindings=bind(
        "GET",
        "/translations",
        parameter("locale", required=True),
        live=live_binding("GET", "/translations", COUNTRY, SHOP_ID, *LIVE_PAGING),
    ),
)
