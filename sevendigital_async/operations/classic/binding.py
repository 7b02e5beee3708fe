"""What the records of the classic API have in common."""

from __future__ import annotations

from collections.abc import Mapping

from ...config import Dialect
from ..operation import Binding, Parameter, ParameterLocation, parameter

COMPACT = "%Y%m%d"
"""How the classic API writes days."""

COUNTRY = parameter("country")
SHOP_ID = parameter("shop_id")
PAGING = (parameter("page"), parameter("page_size"))
CHART = (COUNTRY, parameter("period"), parameter("to_date", date_format=COMPACT), *PAGING)
TAGS = parameter("tags", required=True)


def form(name: str, *, required: bool = False) -> Parameter:
    """Describe a field of a form body."""
    return parameter(name, ParameterLocation.FORM, required=required)


def bound(http_method: str, path: str, *arguments: Parameter) -> Mapping[Dialect, Binding]:
    """Bind an operation to a path below ``/1.2``; the live service speaks the same paths here."""
    binding = Binding(http_method, f"/1.2{path}", arguments)
    return {Dialect.OPENAPI: binding, Dialect.LIVE: binding}
