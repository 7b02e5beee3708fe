"""A result with the status and headers of its response."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, TypeVar

from attrs import field, frozen

T_co = TypeVar("T_co", covariant=True)


@frozen
class Response(Generic[T_co]):
    """The result of a call, with the status and the headers of its response.

    Attributes:
        value: What the method returns: a model, a page of them, a text, bytes or None.
        status: HTTP status.
        headers: Headers of the response, names in lower case; not in the repr.
        request_id: The request's id in the service's own records (``x-7d-traceid``), as the response gives it or as the
            call sent it; None if there is none.
    """

    value: T_co
    status: int
    headers: Mapping[str, str] = field(repr=False)
    request_id: str | None = None
