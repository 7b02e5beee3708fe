"""Translations."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import Factory, frozen

from .wire import wire


@frozen(kw_only=True)
class TranslationBundle:
    """The shop's texts in one language.

    Attributes:
        locale: BCP 47 tag of the language.
        translations: The texts by their keys.
    """

    locale: str | None = None
    translations: Mapping[str, str] = wire("translations", default=Factory(dict))
