"""Values that can't be read: an optional one becomes None with a line in the log, a missing structure is an error."""

import logging
import pickle
import traceback
from datetime import UTC, date, datetime

import orjson
import pytest
from support.rawserver import answer, raw_server

from sevendigital_async import (
    APIError,
    DecodeError,
    InvalidRequestError,
    NotAvailableError,
    NotFoundError,
    PaymentFailedError,
    PriceChangedError,
    RefundError,
    RetryPolicy,
    ServerError,
    Settings,
    SevenDigital,
    UserToken,
    operations,
)
from sevendigital_async.models import Download, Label, LockerRelease, Package, Price, Purchase, Release, ReleaseType
from sevendigital_async.session.decode import decode
from sevendigital_async.session.document import Kind, parse

SEARCH, DETAILS = (
    operations.REGISTRY.find("classic.releases.search"),
    operations.REGISTRY.find("classic.releases.details"),
)
PURCHASE = operations.REGISTRY.find("classic.user.purchase_item")


def read(tree, operation=DETAILS, **options):
    body = tree if isinstance(tree, bytes) else orjson.dumps(tree)
    return decode(operation, parse(body, None), **options)


def unreadable(caplog):
    """Return the paths of the values that were logged as unreadable."""
    records = [record for record in caplog.records if getattr(record, "event", "") == "field-unreadable"]
    assert all(record.levelno == logging.WARNING for record in records)
    return [record.path for record in records]


ODD = [
    ({"releaseDate": "2009"}, "release_date", "$.release.releaseDate"),
    ({"releaseDate": "10/11/2009"}, "release_date", "$.release.releaseDate"),
    ({"year": "hunter2"}, "year", "$.release.year"),
    ({"title": ["hunter2", "hunter2"]}, "title", "$.release.title"),
    ({"type": {"x": "hunter2"}}, "type", "$.release.type"),
    ({"barcode": 1.5}, "upc", "$.release.barcode"),
    ({"explicitContent": "hunter2"}, "explicit", "$.release.explicitContent"),
    ({"formats": {"availableDrmFree": "hunter2"}}, "available_drm_free", "$.release.formats.availableDrmFree"),
    ({"price": "hunter2"}, "price", "$.release.price"),
    ({"price": []}, "price", "$.release.price"),
    ({"price": [{"value": "hunter2"}, {"value": 2}]}, "price", "$.release.price"),
    ({"label": []}, "label", "$.release.label"),
    ({"artist": {}}, "artist", "$.release.artist"),
    ({"artist": {"id": {}, "popularity": "hunter2"}}, "artist", "$.release.artist"),
    ({"artist": {"name": "hunter2"}}, "artist", "$.release.artist"),
    ({"artist": "hunter2"}, "artist", "$.release.artist"),
    ({"download": ["hunter2"]}, "download", "$.release.download"),
]


@pytest.mark.parametrize(("fact", "field", "path"), ODD)
def test_an_odd_optional_value_becomes_none_with_one_line(fact, field, path, caplog):
    release = read({"release": {"id": 1, "trackCount": 9, **fact}})
    assert (release.id, release.track_count, getattr(release, field)) == ("1", 9, None)
    assert unreadable(caplog) == [path]
    assert caplog.records[0].operation == DETAILS.name
    assert "hunter2" not in caplog.text
    with pytest.raises(DecodeError) as caught:
        read({"release": {"id": 1, **fact}}, strict=True)
    assert caught.value.path.startswith(path)


def test_a_repeated_leaf_of_xml_costs_no_page(caplog):
    price = "<price><value>9.99</value><formattedRrp>x</formattedRrp><formattedRrp>y</formattedRrp></price>"
    items = "".join(f'<release id="{n}"><title>{n}</title>{price if n == 30 else ""}</release>' for n in range(50))
    body = f'<response status="ok"><releases><page>1</page>{items}</releases></response>'.encode()
    page = read(body, SEARCH)
    assert [release.title for release in page] == [str(n) for n in range(50)]
    assert page[30].price == Price(amount=page[30].price.amount) != Price()
    assert unreadable(caplog) == ["$.releases.release[30].price.formattedRrp"]


def test_a_repeated_structure_of_xml_costs_no_page(caplog):
    price = "<price><value>9.99</value></price><price><value>8.99</value></price>"
    items = "".join(f'<release id="{n}"><title>{n}</title>{price if n == 30 else ""}</release>' for n in range(50))
    page = read(f'<response status="ok"><releases>{items}</releases></response>'.encode(), SEARCH)
    assert [release.title for release in page] == [str(n) for n in range(50)]
    assert page[30].price is None
    assert unreadable(caplog) == ["$.releases.release[30].price"]


PACKAGES = [{"id": 1}, "hunter2", {"id": 2, "price": ["hunter2"]}, ["hunter2"], {"id": 3}]


def test_lists_are_read_without_the_items_that_can_not_be(caplog):
    release = read({"release": {"id": 1, "download": {"packages": PACKAGES, "releaseDate": "2009-01-01"}}})
    assert release.download.packages == (Package(id="1"), Package(id="2"), Package(id="3"))
    assert release.download.release_date == datetime(2009, 1, 1, tzinfo=UTC)
    begin = "$.release.download.packages"
    assert unreadable(caplog) == [f"{begin}[1]", f"{begin}[2].price", f"{begin}[3]"]
    assert "hunter2" not in caplog.text


@pytest.mark.parametrize("packages", ["hunter2", 5, {"package": ["hunter2"]}])
def test_an_odd_list_is_empty(packages, caplog):
    assert read({"release": {"id": 1, "download": {"packages": packages}}}).download == Download()
    assert len(unreadable(caplog)) == 1
    assert "hunter2" not in caplog.text


@pytest.mark.parametrize(
    ("translations", "path"),
    [
        ({"a": "x", "b": ["hunter2"], "c": "y"}, "$.translations.b"),
        (
            {"translation": [{"key": "a", "t": "x"}, {"key": "b", "t": {"hunter2": 1}}, {"key": "c", "t": "y"}]},
            "$.translations.translation[1].t",
        ),
        ([{"key": "a", "t": "x"}, {"key": "b", "t": []}, {"key": "c", "t": "y"}], "$.translations[1].t"),
    ],
)
def test_a_mapping_lacks_only_what_can_not_be_read(translations, path, caplog):
    bundle = operations.REGISTRY.find("classic.translations.bundle")
    assert read({"translations": translations}, bundle).translations == {"a": "x", "c": "y"}
    assert unreadable(caplog) == [path]
    with pytest.raises(DecodeError) as caught:
        read({"translations": translations}, bundle, strict=True)
    assert caught.value.path == path


def test_each_odd_value_has_a_line_with_its_path(caplog):
    results = [
        {"position": "x", "release": {"id": 1}},
        {"position": 2, "release": {"id": 2, "year": [], "price": {"rrp": "x"}, "formats": [{}, {"bitRate": "x"}]}},
    ]
    page = read({"searchResults": {"searchResult": results}}, SEARCH)
    assert [(release.id, release.ranking.position) for release in page] == [("1", None), ("2", 2)]
    begin = "$.searchResults.searchResult"
    assert unreadable(caplog) == [
        f"{begin}[0].position",
        f"{begin}[1].release.year",
        f"{begin}[1].release.price.rrp",
        f"{begin}[1].release.formats[1].bitRate",
    ]


def test_what_is_put_together_from_other_lists_has_the_answers_paths(caplog):
    tree = {"releases": [{"id": 1, "year": "x"}], "tracks": [{"id": 2}, {"id": 3, "release": {"id": 4, "year": "x"}}]}
    locker = operations.REGISTRY.find("platform.sales.locker")
    assert locker.model is LockerRelease
    assert [entry.release for entry in read(tree, locker)] == [Release(id="1"), None, Release(id="4")]
    assert set(unreadable(caplog)) == {"$.releases[0].year", "$.tracks[1].release.year"}


def test_a_value_that_can_be_read_under_another_name_is(caplog):
    assert read({"release": {"id": 1, "explicit": "x", "explicitContent": True}}).explicit is True
    assert unreadable(caplog) == ["$.release.explicit"]


@pytest.mark.parametrize(
    "tree",
    [
        {"release": {"title": "x", "year": "odd"}},
        {"release": {"id": [], "year": "odd"}},
        {"release": "text"},
        {"track": {"id": 1}},
    ],
)
def test_a_missing_structure_is_an_error(tree, caplog):
    with pytest.raises(DecodeError) as caught:
        read(tree)
    assert not caught.value.path.endswith("year")
    assert not caplog.records


BOUGHT = b'<response status="ok"><purchase id="77"><purchaseDate>hunter2</purchaseDate></purchase></response>'
TWICE = (
    b'<response status="ok"><purchase><id>77</id><id>78</id><purchaseDate>hunter2</purchaseDate></purchase></response>'
)


async def buy(raw, **settings):
    client = SevenDigital("key", "secret", base_url=raw.base_url, settings=Settings(**settings))
    async with client:
        return await client.as_user(UserToken("t", "s")).call(PURCHASE, release_id="1", track_id="2", price=1)


async def test_a_purchase_with_an_odd_date_is_a_purchase(caplog):
    async with raw_server(answer(BOUGHT)) as raw:
        assert (await buy(raw)).purchase_id == "77"
    assert unreadable(caplog) == ["$.purchase.purchaseDate"]


@pytest.mark.parametrize(
    ("body", "settings"),
    [
        (BOUGHT, {"strict_decoding": True}),
        (TWICE, {}),
        (b"", {}),
        (BOUGHT[:60], {}),
        (b"<response><title>hunter2</title><purchase", {}),
        (b'<response status="unrecognised"><test/></response>', {}),
        (b'{"status": "unrecognised", "version": "1.2"}', {}),
        (b'{"purchase": {"id": 77, "items": 5}}', {"strict_decoding": True}),
        (b'{"purchase": {"status": "pending"}}', {"strict_decoding": True}),
    ],
)
async def test_a_purchase_whose_answer_cant_be_read_is_not_lost(body, settings):
    async with raw_server(answer(body)) as raw:
        with pytest.raises(DecodeError) as caught:
            await buy(raw, **settings)
    error = caught.value
    assert len(raw.requests) == 1
    assert (error.maybe_sent, error.status, error.body) == (True, 200, body)
    assert error.advice == PURCHASE.advice
    assert error.advice in str(error)
    assert "hunter2" not in repr(error) + str(error) + "".join(traceback.format_exception(error))
    again = pickle.loads(pickle.dumps(error))
    assert (again.body, again.advice, again.path, str(again)) == (body, error.advice, error.path, str(error))


async def test_a_purchase_with_odd_contents_is_a_purchase(caplog):
    release = {"id": 1, "label": {"id": []}, "artist": {"id": {}}}
    contents = {"id": 77, "items": 5, "lockerReleases": [{"release": release}, {"release": {}}]}
    async with raw_server(answer(orjson.dumps({"purchase": contents}))) as raw:
        purchase = await buy(raw)
    assert purchase == Purchase(
        purchase_id="77", locker_releases=(LockerRelease(release=Release(id="1", label=Label())), LockerRelease())
    )
    begin = "$.purchase.lockerReleases"
    assert unreadable(caplog) == [
        "$.purchase.items",
        f"{begin}[0].release.artist",
        f"{begin}[0].release.label.id",
        f"{begin}[1].release",
    ]


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (b"<response><purchase><purchaseDate>2009-11-25</purchaseDate></purchase></response>", "$.purchase.purchaseId"),
        (b'{"status": "pending", "items": []}', "$.purchaseId"),
    ],
)
async def test_a_purchase_without_an_id_has_a_line(body, path, caplog):
    async with raw_server(answer(body)) as raw:
        assert (await buy(raw)).purchase_id is None
    assert unreadable(caplog) == [path]


async def test_words_in_place_of_media_are_kept():
    async with raw_server(answer("hunter2", Content_Type="text/plain")) as raw:
        async with SevenDigital("key", "secret", base_url=raw.base_url) as client:
            with pytest.raises(DecodeError) as caught:
                await client.media.download(track_id="1", format_id="2").__aenter__()
    assert (caught.value.status, caught.value.body) == (200, b"hunter2")


CODED = '<response status="error" version="1.2"><error code="{}"><errorMessage>no</errorMessage></error></response>'


@pytest.mark.parametrize(
    ("code", "kind", "maybe_sent"),
    [
        (1001, InvalidRequestError, False),
        (2001, NotFoundError, False),
        (2002, NotAvailableError, False),
        (3004, PriceChangedError, False),
        (3003, PaymentFailedError, False),
        (7001, ServerError, True),
        (7102, RefundError, True),
        (9001, ServerError, True),
    ],
)
async def test_a_coded_error_under_http_500_is_what_its_code_says(code, kind, maybe_sent):
    async with raw_server(answer(CODED.format(code), "500 Internal Server Error")) as raw:
        with pytest.raises(kind) as caught:
            await buy(raw)
        assert len(raw.requests) == 1
        assert (caught.value.maybe_sent, caught.value.status, caught.value.code) == (maybe_sent, 500, code)
        retry = RetryPolicy(attempts=2, base=0.0)
        async with SevenDigital("key", "secret", base_url=raw.base_url, retry=retry) as client:
            with pytest.raises(kind):
                await client.classic.releases.details("1")
        assert len(raw.requests) == 1 + (2 if kind is ServerError else 1)


@pytest.mark.parametrize("body", ['{"code": 2001, "message": "no"}', '{"error": "2001"}'])
async def test_what_a_proxy_may_have_written_is_in_doubt_under_http_500(body):
    async with raw_server(answer(body, "500 Internal Server Error")) as raw:
        with pytest.raises(APIError) as caught:
            await buy(raw)
    assert caught.value.maybe_sent
    assert len(raw.requests) == 1


@pytest.mark.parametrize("cut", range(30, 120, 7))
async def test_xml_that_is_cut_short_is_no_html_page(cut):
    whole = b"<?xml version='1.0'?><response status='ok'>"
    whole += b"<!-- <html> --><release id='1'><title>x</title><h1>y</h1><body>z</body>"
    async with raw_server(answer(whole[:cut])) as raw:
        async with SevenDigital("key", "secret", base_url=raw.base_url) as client:
            with pytest.raises(DecodeError, match="XML that is not well-formed"):
                await client.classic.releases.details("1")


@pytest.mark.parametrize(
    "page", ["<html><body>x", "<!-- x --><!DOCTYPE html>\n<br>", "<center><h1>502</h1><hr>", "oops <html>"]
)
def test_a_page_that_is_cut_short_is_a_page(page):
    kind = parse(page.encode(), None).kind
    assert kind is (Kind.TEXT if page.startswith("oops") else Kind.HTML)


def test_attributes_of_an_element_do_not_hide_its_text(caplog):
    body = """<response status="ok"><release id="1"><title lang="en">t</title><year era="AD">2009</year>
    <type a="b">EP</type><releaseDate tz="UTC">2009-11-10</releaseDate><trackCount a="b">x</trackCount>
    </release></response>"""
    release = read(body.encode())
    assert (release.title, release.year, release.release_date) == ("t", 2009, date(2009, 11, 10))
    assert release.type is ReleaseType.EP
    assert unreadable(caplog) == ["$.release.trackCount"]
