"""What an answer, or its absence, means for the call that was made: traces, advice, counts, and answers left empty."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sized
from contextlib import contextmanager
from datetime import date, datetime
from enum import Enum

from attrs import evolve

from ..errors import APIError, DecodeError, ShortCountError, TransportError
from ..models.scalars import count
from ..models.shapes import reach
from .call import Call
from .document import Document, Kind
from .request import Request

TRACE_HEADER = "x-7d-traceid"


@contextmanager
def told(call: Call) -> Iterator[None]:
    """Let errors say which request they are about, and what to do if it may have been carried out."""
    try:
        yield
    except (TransportError, APIError, DecodeError) as error:
        error.trace_id = error.trace_id or call.trace_id
        if getattr(error, "maybe_sent", True):
            error.advice = call.operation.advice
        raise


def explained(error: APIError, request: Request, headers: Mapping[str, str]) -> APIError:
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
    """Compare what an answer counts with what was sent.

    Raises:
        ShortCountError: It counts less.
    """
    wanted = request.binding.count if request.binding else None
    sent = request.values.get(wanted.argument) if wanted else None
    if wanted is None or not isinstance(sent, Sized):
        return
    counted = count(reach(document.tree, wanted.path))
    if counted is not None and counted < len(sent):
        name = call.operation.id
        raise ShortCountError(f"{name}: the service counted {counted} of {len(sent)}", operation=name)


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
