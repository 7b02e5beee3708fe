"""What an answer, or its absence, means for the call that was made: traces, advice, counts, and answers left empty."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sized
from contextlib import contextmanager
from datetime import date, datetime
from enum import Enum

from attrs import evolve

from ..errors import APIError, DecodeError, ShortCountError, TransportError
from ..models.scalars import count
from ..models.wire import reach
from .call import Call
from .document import Document, Kind
from .request import Request

logger = logging.getLogger("sevendigital_async")

TRACE_HEADER = "x-7d-traceid"


@contextmanager
def error_context(call: Call) -> Iterator[None]:
    """Let errors say which request they are about, and what to do if it may have been carried out."""
    try:
        yield
    except (TransportError, APIError, DecodeError) as error:
        error.trace_id = error.trace_id or call.trace_id
        if error.maybe_sent:
            error.advice = call.operation.advice
        raise


def with_meanings(error: APIError, request: Request, headers: Mapping[str, str]) -> APIError:
    """Add to an error what its codes mean at this endpoint, and the name that the service gave the request."""
    meanings = request.binding.meanings if request.binding else {}

    def explain(message: str, code: int | None) -> str:
        meaning = None if code is None else meanings.get(code)
        return f"{message} ({meaning})" if meaning else message

    error.trace_id = headers.get(TRACE_HEADER)
    error.message = explain(error.message, error.code)
    error.args = (error.message,)
    error.errors = tuple(evolve(item, message=explain(item.message, item.code)) for item in error.errors)
    return error


def check_count(call: Call, request: Request, document: Document) -> None:
    """Compare what an answer counts with what was sent; the count is all that acknowledges it.

    Raises:
        ShortCountError: It counts less, or nothing.
    """
    wanted = request.binding.count if request.binding else None
    sent = request.values.get(wanted.argument) if wanted else None
    if wanted is None or not isinstance(sent, Sized):
        return
    counted = count(reach(document.tree, wanted.path))
    if counted is None or counted < len(sent):
        name, number = call.operation.id, "none" if counted is None else counted
        raise ShortCountError(f"{name}: the service counted {number} of {len(sent)}", operation=name)
    if counted > len(sent):
        logger.warning("%s: the service counted %d, and was sent %d", call.operation.id, counted, len(sent))


def echoed(request: Request, document: Document) -> Document:
    """Return an answer, made from what was sent where it is empty and the binding says that it is."""
    if document.kind is not Kind.EMPTY or request.binding is None or not request.binding.echo:
        return document
    fields = request.binding.echo.items()
    tree = {wire: _plain(request.values[name]) for wire, name in fields if name in request.values}
    return Document(document.body, Kind.JSON, tree)


def _plain(value: object) -> object:
    if isinstance(value, Enum):
        return value.value
    return value.isoformat() if isinstance(value, date | datetime) else value
