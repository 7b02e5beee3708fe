"""The rules that arguments of the classic API obey wherever they appear."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

from ...operations import Operation
from .. import checks
from ..media_handle import Media
from ..pages import Pages
from ..resource import Resource

T = TypeVar("T")

RULES: Mapping[str, Callable[[Any], None]] = {
    "country": partial(checks.country_code, "country"),
    "price": partial(checks.price, "price"),
    "retail_price": partial(checks.price, "retail_price"),
    "tag": partial(checks.purchase_tags, name="tag"),
}


def check(arguments: Mapping[str, Any]) -> None:
    """Refuse what the service would refuse, before anything is sent.

    Raises:
        InvalidArgumentError: An argument breaks its rule; the message names it.
    """
    for name in RULES.keys() & arguments.keys():
        RULES[name](arguments[name])
    if "release_id" in arguments:
        checks.needs("track_id", arguments.get("track_id"), "release_id", arguments["release_id"])


class CheckedResource(Resource):
    """A group of methods whose arguments are checked before they leave."""

    # The OpenAPI file knows no pages of some lists that the guide pages.
    _numbers_first_page = False

    async def _one(self, model: type[T], operation: Operation, /, **arguments: object) -> T:
        check(arguments)
        return await super()._one(model, operation, **arguments)

    async def _all(self, model: type[T], operation: Operation, /, **arguments: object) -> tuple[T, ...]:
        check(arguments)
        return await super()._all(model, operation, **arguments)

    def _pages(
        self, model: type[T], operation: Operation, /, *, page: int, page_size: int | None, **arguments: object
    ) -> Pages[T]:
        check(arguments)
        checks.page_size(page_size)
        return super()._pages(model, operation, page=page, page_size=page_size, **arguments)

    def _media(self, operation: Operation, /, **arguments: object) -> Media:
        check(arguments)
        return super()._media(operation, **arguments)
