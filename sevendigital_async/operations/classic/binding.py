"""What the records of the classic API have in common."""

from __future__ import annotations

from collections.abc import Mapping

from ...config import Dialect
from ..operation import Argument, Binding, argument

COUNTRY = argument("country")
PAGING = (argument("page"), argument("page_size"))


def bound(http_method: str, path: str, *arguments: Argument) -> Mapping[Dialect, Binding]:
    """Bind an operation to a path below ``/1.2``; the live service speaks the same paths here."""
    binding = Binding(http_method, f"/1.2{path}", arguments)
    return {Dialect.OPENAPI: binding, Dialect.LIVE: binding}
