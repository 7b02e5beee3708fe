"""What the records of the streaming platform have in common."""

from __future__ import annotations

from collections.abc import Mapping

from ...config import Dialect
from ..operation import Argument, Binding, argument

PAGING = (argument("page"), argument("page_size"))


def bound(http_method: str, path: str, *arguments: Argument) -> Mapping[Dialect, Binding]:
    """Bind an operation as the OpenAPI file spells it."""
    return {Dialect.OPENAPI: Binding(http_method, path, arguments)}
