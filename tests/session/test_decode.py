from __future__ import annotations

import traceback

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.rows import each_row

from sevendigital_async.errors import DecodeError
from sevendigital_async.models import Artist, Page, Release, ServiceStatus, Track
from sevendigital_async.models.wire import wire_plural
from sevendigital_async.operations import REGISTRY, Content, Operation, Safety
from sevendigital_async.session.decode import decode
from sevendigital_async.session.document import parse

PAGING = {"page": 2, "pageSize": 20, "totalItems": 41}
XML_PAGING = "<page>2</page><pageSize>20</pageSize><totalItems>41</totalItems>"


def operation(model, *, paged=False):
    return Operation(
        id="someOperation", name="some.operation", summary="", safety=Safety.READ, model=model, paged=paged, bindings={}
    )


def decoded(answer, model, *, paged=False, strict=False):
    body = answer.encode() if isinstance(answer, str) else answer if isinstance(answer, bytes) else orjson.dumps(answer)
    return decode(operation(model, paged=paged), parse(body, None), strict=strict)


def refused(answer, model, *, paged=False):
    with pytest.raises(DecodeError) as caught:
        decoded(answer, model, paged=paged, strict=True)
    assert caught.value.operation == "some.operation"
    assert str(caught.value).startswith(f"some.operation: {caught.value.path}")
    return caught.value


RELEASE = {"id": 42, "title": "Quiet Weather", "artist": {"id": 7, "name": "The Gulls"}}
RELEASE_XML = '<release id="42"><title>Quiet Weather</title><artist id="7"><name>The Gulls</name></artist></release>'
EXPECTED = Release(id="42", title="Quiet Weather", artist=Artist(id="7", name="The Gulls"))


@each_row(
    "answer",
    [
        RELEASE,
        {**RELEASE, "status": "ok"},
        {"release": RELEASE},
        {"status": "ok", "release": RELEASE},
        {"status": "ok", "version": "1.2", "schema": "http://x", "release": RELEASE},
        {"status": "ok", "result": {"release": RELEASE}},
        {"release": [RELEASE]},
        {"id": "request-1", "release": RELEASE},
        RELEASE_XML,
        f'<response status="ok" version="1.2">{RELEASE_XML}</response>',
        f'<?xml version="1.0"?><response xmlns="urn:7d" status="ok"><result>{RELEASE_XML}</result></response>',
    ],
)
def test_one_thing_in_every_envelope(answer):
    assert decoded(answer, Release) == EXPECTED


@pytest.mark.parametrize(
    "answer",
    [
        {"serverTime": "2012-02-08T15:46:06Z"},
        {"status": "ok", "version": "1.2", "serverTime": "2012-02-08T15:46:06Z"},
        {"status": "ok", "serviceStatus": {"serverTime": "2012-02-08T15:46:06Z"}},
        "<response><serviceStatus><serverTime>2012-02-08T15:46:06Z</serverTime></serviceStatus></response>",
    ],
)
def test_the_service_status(answer):
    assert decoded(answer, ServiceStatus).server_time.isoformat() == "2012-02-08T15:46:06+00:00"


RELEASES = [RELEASE, {"id": "43", "title": "Loud Weather"}]
RELEASES_XML = f'{RELEASE_XML}<release id="43"><title>Loud Weather</title></release>'
WRAPPED = [{"type": "release", "score": 1.5, "release": release} for release in RELEASES]
CHART = [{"position": i, "change": "Up", "release": release} for i, release in enumerate(RELEASES)]

FULL_PAGES = [
    {"status": "ok", **PAGING, "releases": RELEASES},
    {**PAGING, "releases": RELEASES},
    {"releases": {**PAGING, "releases": RELEASES}},
    {"releases": {**PAGING, "release": RELEASES}},
    {**PAGING, "release": RELEASES},
    {"status": "ok", "releases": {"page": "2", "itemsPerPage": "20", "totalItems": "41", "release": RELEASES}},
    {"searchResults": {**PAGING, "searchResult": WRAPPED}},
    {"searchResults": {**PAGING, "searchResults": WRAPPED}},
    {**PAGING, "searchResults": WRAPPED},
    {"recommendations": {**PAGING, "recommendedItem": [{"release": release} for release in RELEASES]}},
    {"chart": {"type": "album", "fromDate": "2009-07-01T00:00:00Z", **PAGING, "chartItem": CHART}},
    {"taggedResults": {"type": "release", **PAGING, "taggedItem": [{"release": release} for release in RELEASES]}},
    {"items": {"releases": RELEASES, "errors": []}, **PAGING},
    {**PAGING, "items": RELEASES},
    {"list": {"key": "x", "listItems": {"listItem": [{"id": 1, **item} for item in WRAPPED]}}, **PAGING},
    f'<response status="ok" version="1.2"><releases>{XML_PAGING}{RELEASES_XML}</releases></response>',
    f'<response status="ok">{XML_PAGING}<releases>{RELEASES_XML}</releases></response>',
    f"<response><releases>{XML_PAGING.replace('pageSize', 'itemsPerPage')}{RELEASES_XML}</releases></response>",
]


@each_row("answer", FULL_PAGES)
def test_a_page_in_every_envelope(answer):
    page = decoded(answer, Release, paged=True)
    assert [release.id for release in page] == ["42", "43"]
    assert page[0] == EXPECTED
    assert (page.page, page.page_size, page.total_items) == (2, 20, 41)


@each_row(
    "answer",
    [
        {"releases": RELEASE},
        {"releases": [RELEASE]},
        {"release": RELEASE},
        {"releases": {"release": RELEASE}},
        {"searchResults": {"searchResult": WRAPPED[0]}},
        {"searchResults": {"searchResult": [WRAPPED[0]]}},
        {"listItems": {"listItem": {"id": 5, "type": "release", "release": RELEASE}}},
        [RELEASE],
        f"<response><releases>{RELEASE_XML}</releases></response>",
        f"<response><searchResults><searchResult><type>release</type>{RELEASE_XML}</searchResult></searchResults></response>",
        f"<response><chart><chartItem><position>1</position>{RELEASE_XML}</chartItem></chart></response>",
    ],
)
def test_one_item_in_place_of_a_list(answer):
    assert decoded(answer, Release, paged=True) == Page((EXPECTED,))


@each_row(
    "answer",
    [
        {"releases": []},
        {"releases": None},
        {"releases": {}},
        {"releases": {"releases": []}},
        {"releases": {"release": None}},
        {"status": "ok", "page": 1, "pageSize": 20, "totalItems": 0, "releases": []},
        {"searchResults": {"page": 1, "pageSize": 10, "totalItems": 0}},
        {"searchResults": {"page": 1, "pageSize": 10, "totalItems": 0, "searchResult": []}},
        {"searchResults": {"page": 9, "pageSize": 10, "totalItems": 42, "searchResult": None}},
        [],
        "<response><releases/></response>",
        "<response><searchResults><page>1</page><totalItems>0</totalItems></searchResults></response>",
    ],
)
def test_empty_lists(answer):
    assert decoded(answer, Release, paged=True).items == ()


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({}, (None, None, None)),
        ({"page": "1", "pageSize": "x", "totalItems": None}, (1, None, None)),
        ({"page": True, "pageSize": 10.0, "totalItems": -1}, (None, 10, None)),
        ({"page": [], "pageSize": {}, "totalItems": ""}, (None, None, None)),
    ],
)
def test_paging_facts_are_read_leniently(facts, expected):
    page = decoded({**facts, "releases": [RELEASE]}, Release, paged=True)
    assert (page.page, page.page_size, page.total_items) == expected


def test_paging_facts_are_taken_from_next_to_the_items_first():
    page = decoded({"page": 1, "totalItems": 9, "releases": {"page": 3, "releases": [RELEASE]}}, Release, paged=True)
    assert (page.page, page.total_items) == (3, 9)


def test_the_tracks_of_a_release_are_not_looked_for_in_the_release():
    answer = {"release": RELEASE, "tracks": [{"id": 1, "artist": {"id": 8}, "release": RELEASE}]}
    assert [track.id for track in decoded(answer, Track, paged=True)] == ["1"]


def test_an_operation_without_content_returns_none():
    for body in (b"", b"{}", b"<response/>", b"whatever"):
        assert decode(operation(None), parse(body, None)) is None


@each_row(
    ("answer", "model", "paged", "path", "reason"),
    [
        ({"status": "ok"}, Release, False, "$.release", "is missing"),
        ({}, Release, False, "$.release", "is missing"),
        ({"release": None}, Release, False, "$.release", "is missing"),
        ({"track": {"id": 1, "release": RELEASE}}, Release, False, "$.release", "is missing"),
        ({"release": RELEASE}, Artist, False, "$.artist", "is missing"),
        ({"status": "ok"}, ServiceStatus, False, "$.serviceStatus", "is missing"),
        ([RELEASE], Release, False, "$.release", "is missing"),
        ({"status": "ok"}, Release, True, "$.releases", "is missing"),
        ({"artists": [{"id": 1}]}, Release, True, "$.releases", "is missing"),
        ({"artists": {**PAGING, "artist": [{"id": 1}]}}, Release, True, "$.releases", "is missing"),
        ({"tracks": [{"id": 1, "release": RELEASE}]}, Release, True, "$.releases", "is missing"),
        ("<response status='ok'/>", Release, False, "$.release", "is missing"),
        ({"release": {"title": "x"}}, Release, False, "$.release.id", "is missing"),
        ({"release": []}, Release, False, "$.release", "is a list, not an object"),
        ({"release": [RELEASE, RELEASE]}, Release, False, "$.release", "is a list, not an object"),
        ({"release": [{"id": []}]}, Release, False, "$.release[0].id", "is a list, not text"),
        (
            {"release": {"id": 1, "price": {"amount": "hunter2"}}},
            Release,
            False,
            "$.release.price.amount",
            "is not a decimal number",
        ),
        ({"id": 1, "year": "hunter2"}, Release, False, "$.year", "is not a whole number"),
        (
            {"releases": [RELEASE, {"id": 1, "year": "hunter2"}]},
            Release,
            True,
            "$.releases[1].year",
            "is not a whole number",
        ),
        ({"releases": [None]}, Release, True, "$.releases[0]", "is null, not an object"),
        ([{"id": None}], Release, True, "$[0].id", "is null, not text"),
        (
            {
                "searchResults": {
                    "searchResult": [*WRAPPED, {"type": "release", "release": {"id": 1, "year": "hunter2"}}]
                }
            },
            Release,
            True,
            "$.searchResults.searchResult[2].release.year",
            "is not a whole number",
        ),
        (
            {"searchResults": {"searchResult": [*WRAPPED, {"type": "artist", "artist": {"id": 1}}]}},
            Release,
            True,
            "$.searchResults.searchResult[2].id",
            "is missing",
        ),
        (
            f"<response><tracks>{XML_PAGING}<track id='1'><duration>hunter2</duration></track></tracks></response>",
            Track,
            True,
            "$.tracks.track.duration",
            "is not a whole number",
        ),
        (b"", Release, False, "$", "is an empty response, release expected"),
        (b"", Release, True, "$", "is an empty response, releases expected"),
        (b"<html><title>hunter2</title></html>", Release, False, "$", "is an HTML page, release expected"),
        (b"hunter2", Release, False, "$", "is plain text, release expected"),
        (b'{"hunter2": ', Release, False, "$", "is JSON that is cut short or malformed, release expected"),
        (b"<!DOCTYPE hunter2><r/>", Release, False, "$", "is XML with a DTD, which is not allowed, release expected"),
        (b'"hunter2"', Release, False, "$", "is plain text, release expected"),
    ],
)
def test_a_misfit_is_an_error_that_shows_no_payload(answer, model, paged, path, reason):
    error = refused(answer, model, paged=paged)
    assert (error.path, str(error)) == (path, f"some.operation: {path} {reason}")
    assert "hunter2" not in "".join(traceback.format_exception(error))


THINGS = [
    "release",
    "releases",
    "searchResult",
    "artist",
    "price",
    "label",
    "formats",
    "format",
    "download",
    "packages",
]
FACTS = ["id", "title", "year", "type", "amount", "currency", "page", "totalItems", "items", "status"]
SCALARS = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
JSON_TREES = st.recursive(
    SCALARS | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(THINGS + FACTS), inner, max_size=5),
    max_leaves=25,
)


@given(JSON_TREES, st.sampled_from([Artist, Release, ServiceStatus, Track]), st.booleans())
def test_any_tree_is_a_model_or_an_error_of_ours(tree, model, paged):
    try:
        value = decoded(tree, model, paged=paged)
    except DecodeError as error:
        path = error.path
    else:
        assert isinstance(value, Page if paged else model)
        return
    assert path.startswith("$")


def test_the_operations_that_exist_decode_their_noun():
    for known in REGISTRY:
        if known.model is None and known.content is Content.MODEL:
            assert decode(known, parse(b"", None)) is None
        elif known.paged:
            assert decode(known, parse(orjson.dumps({wire_plural(known.model): []}), None)) == Page()
