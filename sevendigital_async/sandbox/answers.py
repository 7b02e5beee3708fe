"""Responses of handlers, independent of JSON, XML and HTTP."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from attrs import Factory, field, frozen

from .recordings import Media

Tree: TypeAlias = Mapping[str, Any]
"""Plain values, trees and nothing else, by the names of the OpenAPI files."""


@frozen(kw_only=True)
class Page:
    """One page of a list; ``is_search`` if the items are hits of a search, which XML wraps one by one."""

    noun: str
    items: Sequence[Tree]
    number: int
    size: int
    total: int
    is_search: bool = False


@frozen(kw_only=True)
class JsonAndXml:
    """A response with different formats in JSON and XML.

    Attributes:
        json: By the names of the OpenAPI files.
        xml: By the names of the classic guide; a list becomes several elements of its name.
    """

    json: Page | WithoutEnvelope | Tree
    xml: Tree


@frozen
class WithoutEnvelope:
    """A tree that has no envelope in JSON."""

    tree: Tree


@frozen
class PlainText:
    """Text that is neither JSON nor XML."""

    text: str = field(repr=False)
    content_type: str


@frozen
class Token:
    """A token of the OAuth flow; ``kind`` is ``oauth_request_token`` or ``oauth_access_token``."""

    kind: str
    token: str = field(repr=False)
    secret: str = field(repr=False)


@frozen
class ItemProblem:
    """What is wrong with one item of a batch."""

    index: int
    code: int
    message: str


@frozen
class Problem:
    """What is wrong with a request, and with its items; ``has_no_envelope`` leaves out the envelope with the status."""

    code: int
    message: str
    errors: tuple[ItemProblem, ...] = ()
    has_no_envelope: bool = False


@frozen(kw_only=True)
class Answer:
    """A response before it is rendered; ``accepted_logs`` are plays to record, each as JSON with sorted keys."""

    status: int = 200
    content: Page | JsonAndXml | WithoutEnvelope | PlainText | Token | Media | Problem | Tree | str | None = None
    max_age: int = 0
    headers: Mapping[str, str] = Factory(dict)
    accepted_logs: tuple[bytes, ...] = ()
    refused_logs: int = 0


class RefusalError(Exception):
    """Ends a request with an error response."""

    def __init__(self, status: int, problem: Problem | str, **answer: Any) -> None:
        super().__init__(problem)
        self.answer: Answer = Answer(status=status, content=problem, **answer)


def missing_parameter(name: str) -> RefusalError:
    return RefusalError(400, Problem(1001, f"Required parameter missing: {name}"))


def invalid_value(name: str, expected: str) -> RefusalError:
    return RefusalError(400, Problem(1002, f"Invalid value of {name}: {expected} expected"))


def out_of_range(name: str, expected: str) -> RefusalError:
    return RefusalError(400, Problem(1003, f"{name} is out of range: {expected} expected"))


def invalid_choice(name: str, choices: Iterable[str]) -> RefusalError:
    return RefusalError(400, Problem(1006, f"Invalid value of {name}: one of {', '.join(choices)} expected"))


def not_available(noun: str) -> RefusalError:
    return RefusalError(404, Problem(2002, f"{noun.capitalize()} is not available in this context"))


def already_exists(noun: str) -> RefusalError:
    return RefusalError(409, Problem(2003, f"{noun.capitalize()} exists already"))


def payment_failed(code: int, message: str) -> RefusalError:
    return RefusalError(400, Problem(code, message))


def not_found(noun: str) -> RefusalError:
    return RefusalError(404, Problem(2001, f"{noun.capitalize()} not found"))
