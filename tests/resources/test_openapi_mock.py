"""Every operation of both OpenAPI files, called through its method against a server made of the files alone."""

from collections import Counter
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import count

import aiohttp
import attrs
import pytest
from support import paths
from support.arguments import arguments_for
from support.facts import IN_FILES
from support.openapi import example, read
from support.openapi_mock import BODIES, openapi_mock

from sevendigital_async import NO_RETRY, SevenDigital, UserToken
from sevendigital_async.operations import REGISTRY, Content
from sevendigital_async.resources.platform import logging

SPEC = paths.SPEC
FILES = {"classic": ("classic-v1.2.openapi.yml", "/1.2"), "platform": ("streaming-platform.openapi.yml", "")}
USER = UserToken("user-token", "user-secret")

pytestmark = pytest.mark.skipif(not SPEC.exists(), reason="the API's own files are not here")


def stated_in(api):
    return read(SPEC / FILES[api][0], FILES[api][1]) if SPEC.exists() else []


OPERATIONS = {api: stated_in(api) for api in FILES}


def stated_for(name):
    fact = IN_FILES[name]
    return next(
        stated
        for stated in OPERATIONS[name.split(".")[0]]
        if (stated.http_method, stated.path) == (fact.http_method, fact.path)
    )


def examples_for(stated):
    """Return an example for every argument of an operation, by wire name."""
    values = {name: parameter["example"] for (_, name), parameter in stated.parameters.items()}
    return values | (example(stated.body[1]) if stated.body else {})


def method_of(client, name):
    found = client.as_user(USER)
    for part in name.split("."):
        found = getattr(found, part)
    return found


async def outcome(pending):
    """Return what a method gives: media read to their end, everything else as it is."""
    if hasattr(pending, "__aenter__"):
        async with pending as response:
            return await response.read()
    return await pending


@pytest.fixture
def in_time(monkeypatch):
    """Set the time of the files' plays to a minute ago; the service refuses older and future ones."""

    class Then(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime(2026, 5, 28, 14, 31, 45, tzinfo=UTC)

    monkeypatch.setattr(logging, "datetime", Then)


def leaves(thing):
    """Yield all single values within trees and models, spelled as JSON texts are."""
    if attrs.has(type(thing)):
        thing = attrs.asdict(thing, recurse=False)
    if isinstance(thing, dict):
        for value in thing.values():
            yield from leaves(value)
    elif isinstance(thing, list | tuple):
        for value in thing:
            yield from leaves(value)
    elif isinstance(thing, bool):
        yield str(thing).lower()
    elif isinstance(thing, datetime):
        yield thing.astimezone(UTC).isoformat().replace("+00:00", "Z")
    elif isinstance(thing, date):
        yield thing.isoformat()
    elif isinstance(thing, int | float | Decimal | str):
        yield str(thing)


def lost(tree, decoded):
    """Return the values of a response that are nowhere in what was made of it."""
    said = {name: value for name, value in tree.items() if (name, value) != ("status", "ok")}
    return Counter(leaves(said)) - Counter(leaves(decoded))


@pytest.mark.parametrize("name", IN_FILES)
async def test_every_operation_is_understood_and_its_answer_decoded(name, in_time):
    stated = stated_for(name)
    async with openapi_mock(OPERATIONS[name.split(".")[0]]) as mock:
        async with SevenDigital("key", "secret", base_url=mock.base_url, retry=NO_RETRY) as client:
            method = method_of(client, name)
            answer = await outcome(method(**arguments_for(method, examples_for(stated))))
        assert mock.refused == []
        assert mock.called == [stated]
    if stated.answer is not None:
        assert not lost(example(stated.answer), answer)
    elif REGISTRY.find(name).content is Content.MEDIA:
        assert answer == BODIES[stated.content_type]
    elif REGISTRY.find(name).content is Content.TEXT:
        assert answer == BODIES[stated.content_type].decode()
    else:
        assert answer is None


def distinct(schema, numbers):
    """Build a response in which no two values are alike, and no list has only one item."""
    number = next(numbers)
    if "properties" in schema:
        return {name: distinct(inner, numbers) for name, inner in schema["properties"].items()}
    if "items" in schema:
        return [distinct(schema["items"], numbers) for _ in range(2)]
    if "enum" in schema or schema.get("example") == "ok" or "additionalProperties" in schema:
        return example(schema)
    kind = schema["type"] if isinstance(schema["type"], str) else schema["type"][0]
    if kind == "string":
        return {
            "date": f"2026-{number % 12 + 1:02}-{number % 28 + 1:02}",
            "date-time": f"2026-01-01T{number % 24:02}:{number % 60:02}:07Z",
            "uri": f"https://h.example/{number}",
        }.get(schema.get("format"), f"text {number}")
    return {"integer": number, "number": number + 0.25, "boolean": number % 2 == 0}[kind]


@pytest.mark.parametrize("name", [name for name in IN_FILES if SPEC.exists() and stated_for(name).answer])
async def test_no_value_of_an_answer_is_mistaken_for_another(name, in_time):
    stated = stated_for(name)
    tree = distinct(stated.answer, count(1000))
    async with (
        openapi_mock([stated], lambda _: tree) as mock,
        SevenDigital("key", "secret", base_url=mock.base_url, retry=NO_RETRY) as client,
    ):
        method = method_of(client, name)
        answer = await outcome(method(**arguments_for(method, examples_for(stated))))
    assert not lost(tree, answer)


@pytest.mark.parametrize(
    ("api", "http_method", "path", "body", "problem"),
    [
        ("classic", "GET", "/1.2/release/details", None, "query releaseId is missing"),
        ("classic", "GET", "/1.2/release/details?releaseId=1&colour=red", None, "query colour is unknown"),
        ("classic", "GET", "/1.2/release/details?releaseId=1&releaseId=2", None, "given twice"),
        ("classic", "GET", "/1.2/release/byDate?country=GBR", None, "query country"),
        ("classic", "GET", "/1.2/release/byDate?page=0", None, "query page"),
        ("classic", "GET", "/1.2/release/byDate?pageSize=101", None, "query pageSize"),
        ("classic", "GET", "/1.2/release/byDate?page=one", None, "query page"),
        ("classic", "GET", "/1.2/release/chart?period=decade", None, "query period"),
        ("classic", "GET", "/1.2/basket?basketId=1", None, "query basketId"),
        ("classic", "GET", "/1.2/basket/create", {"data": {"a": "b"}}, "a body where none belongs"),
        ("classic", "POST", "/1.2/basket/create", None, "is not in the files"),
        ("classic", "POST", "/1.2/user/authenticate", {"data": {"email": "a@b.example"}}, "'password' is a required"),
        ("classic", "POST", "/1.2/user/authenticate", {"json": {}}, "the body is application/json"),
        ("platform", "POST", "/playlists", {"json": {"name": "x", "colour": "red"}}, "'colour' was unexpected"),
        ("platform", "POST", "/playlists", {"json": {"name": "x", "description": "x" * 501}}, "is too long"),
        ("platform", "POST", "/sales/refund/track", {"json": {"userId": 1, "purchaseId": "2"}}, "$.userId"),
        ("platform", "GET", "/usage-types", None, "not signed"),
        ("platform", "GET", "/users/1/locker", None, "signed by the partner alone"),
    ],
)
async def test_the_mock_is_strict(api, http_method, path, body, problem):
    async with (
        openapi_mock(OPERATIONS[api]) as mock,
        aiohttp.ClientSession() as session,
        session.request(http_method, mock.base_url + path, **(body or {})) as answer,
    ):
        assert answer.status == 400
        assert problem in await answer.text()
    assert mock.called == []
