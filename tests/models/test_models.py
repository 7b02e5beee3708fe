from __future__ import annotations

import copy
import pickle
from datetime import UTC, date, datetime
from decimal import Decimal

import attrs
import pytest
from support.rows import each_row

from sevendigital_async import models
from sevendigital_async.models import (
    Artist,
    Download,
    Format,
    Label,
    Licensor,
    Package,
    Page,
    Price,
    Release,
    ReleaseType,
    ServiceStatus,
    Streaming,
    Track,
    TrackType,
    all_models,
)
from sevendigital_async.models.converter import MisfitError, structure

MODELS = [Artist, Download, Format, Label, Licensor, Package, Price, Release, ServiceStatus, Streaming, Track]

DOCUMENTED_RELEASE = {
    "id": "42",
    "title": "Quiet Weather",
    "version": "Remastered",
    "type": "album",
    "artist": {
        "id": "7",
        "name": "The Gulls",
        "sortName": "Gulls, The",
        "appearsAs": "The Gulls",
        "url": "https://x/7",
    },
    "url": "https://shop.example/42",
    "image": "https://img.example/42_350.jpg",
    "releaseDate": "1999-05-17",
    "label": "Tide Records",
    "explicit": False,
    "upc": "00600000000017",
    "price": {"formattedPrice": "£9.99", "amount": 9.99, "currency": "GBP"},
}

LIVE_RELEASE = {
    "id": 42,
    "title": "Quiet Weather",
    "version": "",
    "type": "Album",
    "barcode": "0600000000017",
    "year": "1999",
    "explicitContent": "true",
    "artist": {"id": 7, "name": "The Gulls", "slug": "the-gulls", "isPlaceholderImage": True, "popularity": 0.53},
    "slug": "quiet-weather",
    "label": {"id": 116, "name": "Tide Records"},
    "licensor": {"id": 18, "name": "Harbour"},
    "popularity": 0,
    "duration": 2540.0,
    "trackCount": 11,
    "addedDate": "1999-05-01T12:18:29+01:00",
    "releaseDate": "1999-05-17T00:00:00+01:00",
    "streamingReleaseDate": "2009-10-26T00:00:00Z",
    "formats": {
        "availableDrmFree": "True",
        "format": {"id": 17, "fileFormat": "MP3", "bitRate": "320", "drmFree": "True"},
    },
    "download": {
        "releaseDate": "1999-05-16T23:00:00Z",
        "previewDate": "1999-05-16T23:00:00Z",
        "packages": [
            {
                "id": 2,
                "description": "Standard",
                "price": {"currencyCode": "GBP", "sevendigitalPrice": "7.49", "recommendedRetailPrice": "8.49"},
                "formats": [{"id": 17, "description": "MP3 320"}],
            },
            {"id": 9, "description": "Premium", "price": None, "formats": None},
        ],
    },
    "subscriptionStreaming": {"releaseDate": "1999-05-16T23:00:00Z"},
    "adSupportedStreaming": {"releaseDate": ""},
}


def misfit(tree, model):
    with pytest.raises(MisfitError) as caught:
        structure(tree, model)
    return caught.value.misfit.path, caught.value.misfit.reason


def test_a_release_in_its_documented_form():
    assert structure(DOCUMENTED_RELEASE, Release) == Release(
        id="42",
        title="Quiet Weather",
        version="Remastered",
        type=ReleaseType.ALBUM,
        artist=Artist(id="7", name="The Gulls", sort_name="Gulls, The", appears_as="The Gulls", url="https://x/7"),
        url="https://shop.example/42",
        image="https://img.example/42_350.jpg",
        release_date=date(1999, 5, 17),
        label=Label(name="Tide Records"),
        explicit=False,
        upc="00600000000017",
        price=Price(amount=Decimal("9.99"), currency="GBP", formatted_price="£9.99"),
    )


def test_a_release_in_its_live_form():
    evening = datetime(1999, 5, 16, 23, tzinfo=UTC)
    assert structure(LIVE_RELEASE, Release) == Release(
        id="42",
        title="Quiet Weather",
        version="",
        type=ReleaseType.ALBUM,
        upc="0600000000017",
        year=1999,
        explicit=True,
        artist=Artist(
            id="7", name="The Gulls", slug="the-gulls", is_placeholder_image=True, popularity=Decimal("0.53")
        ),
        slug="quiet-weather",
        label=Label(id="116", name="Tide Records"),
        licensor=Licensor(id="18", name="Harbour"),
        popularity=Decimal(0),
        duration=2540,
        track_count=11,
        added_date=datetime(1999, 5, 1, 11, 18, 29, tzinfo=UTC),
        release_date=date(1999, 5, 17),
        streaming_release_date=datetime(2009, 10, 26, tzinfo=UTC),
        formats=(Format(id="17", file_format="MP3", bit_rate=320, drm_free=True),),
        available_drm_free=True,
        download=Download(
            release_date=evening,
            preview_date=evening,
            packages=(
                Package(
                    id="2",
                    description="Standard",
                    price=Price(amount=Decimal("7.49"), currency="GBP", rrp=Decimal("8.49")),
                    formats=(Format(id="17", description="MP3 320"),),
                ),
                Package(id="9", description="Premium"),
            ),
        ),
        subscription_streaming=Streaming(release_date=evening),
        ad_supported_streaming=Streaming(),
    )


def test_a_track_in_its_live_form():
    tree = {
        "id": 1628015,
        "type": "audio",
        "trackNumber": 203,
        "disc": "2",
        "number": 3,
        "duration": "189",
        "explicitContent": 0,
        "isrc": "GBABC0000001",
        "pline": "(P) 1999 Tide",
        "release": {"id": 42, "title": "Quiet Weather"},
        "price": {"currency": {"code": "GBP", "text": "£"}, "value": "", "formattedPrice": "N/A", "onSale": "false"},
    }
    assert structure(tree, Track) == Track(
        id="1628015",
        type=TrackType.AUDIO,
        track_number=203,
        disc_number=2,
        number=3,
        duration=189,
        explicit=False,
        isrc="GBABC0000001",
        pline="(P) 1999 Tide",
        release=Release(id="42", title="Quiet Weather"),
        price=Price(currency="GBP", currency_symbol="£", formatted_price="N/A", on_sale=False),
    )


@each_row(
    ("tree", "price"),
    [
        (
            {"amount": 9.99, "currency": "GBP", "formattedPrice": "£9.99"},
            Price(amount=Decimal("9.99"), currency="GBP", formatted_price="£9.99"),
        ),
        (
            {
                "currency": {"code": "EUR", "#text": "€"},
                "value": "1.79",
                "formattedPrice": "1,79€",
                "rrp": "1.99",
                "formattedRrp": "1,99€",
                "isOnSale": "true",
            },
            Price(
                amount=Decimal("1.79"),
                currency="EUR",
                currency_symbol="€",
                formatted_price="1,79€",
                rrp=Decimal("1.99"),
                formatted_rrp="1,99€",
                on_sale=True,
            ),
        ),
        (
            {"currencyCode": "USD", "sevendigitalPrice": 0.99, "recommendedRetailPrice": "1.29"},
            Price(amount=Decimal("0.99"), currency="USD", rrp=Decimal("1.29")),
        ),
        ({"amount": "0.99", "formattedAmount": "£0.99"}, Price(amount=Decimal("0.99"), formatted_price="£0.99")),
        ({"value": "", "formattedPrice": "N/A"}, Price(formatted_price="N/A")),
        ({"value": None}, Price()),
        ({"value": "N/A"}, Price()),
        ({"value": 0}, Price(amount=Decimal(0))),
        ({"amount": None, "value": 5}, Price(amount=Decimal(5))),
        ("9.99", Price(amount=Decimal("9.99"))),
        (9.99, Price(amount=Decimal("9.99"))),
        ({}, Price()),
    ],
)
def test_a_price_in_every_form(tree, price):
    assert structure(tree, Price) == price


@pytest.mark.parametrize(
    ("tree", "label"),
    [
        ("Tide", Label(name="Tide")),
        ({"id": 1, "name": "Tide"}, Label(id="1", name="Tide")),
        ({"id": "1", "#text": "Tide"}, Label(id="1", name="Tide")),
        ({"id": "1"}, Label(id="1")),
        ("", None),
        (None, None),
    ],
)
def test_a_label_is_a_name_or_an_object(tree, label):
    assert structure({"id": 1, "label": tree}, Release).label == label


@each_row(
    ("formats", "ids"),
    [
        (None, ()),
        ("", ()),
        ([], ()),
        ([{"id": 17}, {"id": 1}], ("17", "1")),
        ({"id": 17}, ("17",)),
        ({"format": {"id": 17}}, ("17",)),
        ({"format": [{"id": 17}, {"id": 1}]}, ("17", "1")),
        ({"format": []}, ()),
        ({"format": None}, ()),
        ({"availableDrmFree": "true", "format": {"id": 17}}, ("17",)),
        ({"formats": [{"id": 17}]}, ("17",)),
    ],
)
def test_one_item_or_a_list(formats, ids):
    assert tuple(form.id for form in structure({"id": 1, "formats": formats}, Release).formats) == ids


@pytest.mark.parametrize(
    ("written", "expected"),
    [("album", "album"), ("Album", "album"), ("EP", "ep"), ("Exclusive", "Exclusive"), ("", None), (None, None)],
)
def test_unknown_kinds_stay_text(written, expected):
    kind = structure({"id": 1, "type": written}, Release).type
    assert kind == expected
    assert isinstance(kind, ReleaseType) == (expected in {"album", "ep"})


@each_row("name", [name for name in attrs.fields_dict(Release) if name != "id"])
def test_every_field_but_the_id_may_be_null_or_missing(name):
    wire_name = "".join(part.capitalize() if i else part for i, part in enumerate(name.split("_")))
    expected = () if name == "formats" else None
    assert getattr(structure({"id": 1, wire_name: None}, Release), name) == expected
    assert getattr(structure({"id": 1}, Release), name) == expected


def test_a_field_under_two_names_takes_the_one_that_says_something():
    assert structure({"id": 1, "upc": None, "barcode": "06"}, Release).upc == "06"
    assert structure({"id": 1, "upc": "07", "barcode": "06"}, Release).upc == "07"


def test_unknown_fields_are_ignored():
    assert structure({"id": 1, "mood": {"valence": 0.3}}, Artist) == Artist(id="1")


def test_the_tree_is_left_as_it_was():
    tree = copy.deepcopy(LIVE_RELEASE)
    structure(tree, Release)
    assert tree == LIVE_RELEASE


@each_row(
    ("tree", "model", "path", "reason"),
    [
        ({}, Release, ".id", "is missing"),
        ({"id": None}, Release, ".id", "is null, not text"),
        ({"id": True}, Release, ".id", "is true or false, not text"),
        ({"id": 1.5}, Release, ".id", "is a number, not text"),
        ({"id": []}, Release, ".id", "is a list, not text"),
        (None, Release, "", "is null, not an object"),
        ([], Release, "", "is a list, not an object"),
        ("x", Release, "", "is not an object"),
        ({"id": 1, "title": False}, Release, ".title", "is true or false, not text"),
        ({"id": 1, "title": {"a": 1}}, Release, ".title", "is an object, not text"),
        ({"id": 1, "year": "MMVII"}, Release, ".year", "is not a whole number"),
        ({"id": 1, "explicit": "perhaps"}, Release, ".explicit", "is not true or false"),
        ({"id": 1, "explicitContent": "perhaps"}, Release, ".explicitContent", "is not true or false"),
        ({"id": 1, "price": {"value": "cheap"}}, Release, ".price.value", "is not a decimal number"),
        ({"id": 1, "price": {"amount": True}}, Release, ".price.amount", "is true or false, not a decimal number"),
        ({"id": 1, "price": "cheap"}, Release, ".price", "is not a decimal number"),
        ({"id": 1, "price": {"currency": {"code": []}}}, Release, ".price.currency.code", "is a list, not text"),
        ({"id": 1, "artist": {"name": "x"}}, Release, ".artist.id", "is missing"),
        ({"id": 1, "artist": []}, Release, ".artist", "is a list, not an object"),
        ({"id": 1, "artist": "The Gulls"}, Release, ".artist", "is not an object"),
        ({"id": 1, "formats": [{"id": 1}, {"bitRate": "x"}]}, Release, ".formats[1].bitRate", "is not a whole number"),
        (
            {"id": 1, "formats": {"format": {"bitRate": "x"}}},
            Release,
            ".formats.format.bitRate",
            "is not a whole number",
        ),
        (
            {"id": 1, "download": {"packages": {"package": [{}, {"price": {"rrp": []}}]}}},
            Track,
            ".download.packages.package[1].price.rrp",
            "is a list, not a decimal number",
        ),
        ({"id": 1, "releaseDate": "someday"}, Release, ".releaseDate", "is not a date"),
        ({"serverTime": "noon"}, ServiceStatus, ".serverTime", "is not a date and time"),
    ],
)
def test_a_misfit_names_its_path_and_never_the_value(tree, model, path, reason):
    assert misfit(tree, model) == (path, reason)


@each_row("model", MODELS)
def test_models_are_frozen_values_with_slots(model):
    value = model(id="1") if model in {Artist, Release, Track} else model()
    assert not hasattr(value, "__dict__")
    assert hash(value) == hash(copy.deepcopy(value))
    assert pickle.loads(pickle.dumps(value)) == value
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        value.id = "2"


def test_everything_public_is_exported():
    assert {model.__name__ for model in MODELS} <= vars(all_models).keys()
    assert all(getattr(models, model.__name__) is model for model in MODELS)


def test_a_page_is_a_sequence_of_its_items():
    page = Page(("a", "b", "c"), page=1, page_size=3, total_items=10)
    assert list(page) == ["a", "b", "c"]
    assert len(page) == 3
    assert page[0] == "a"
    assert page[-1] == "c"
    assert page[1:] == ("b", "c")
    assert page == Page(("a", "b", "c"), 1, 3, 10)
    assert not Page()
