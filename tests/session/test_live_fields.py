"""What the live service's responses say beyond the OpenAPI files, in its own shapes."""

from datetime import date

import orjson
import pytest
from support.rows import each_row

from sevendigital_async import DecodeError
from sevendigital_async.models import (
    CardRegistration,
    CardRegistrationFailure,
    Country,
    DownloadUrl,
    EditorialItem,
    Format,
    Language,
    Page,
    TranslationBundle,
    User,
)
from sevendigital_async.operations import REGISTRY
from sevendigital_async.session.decode import decode
from sevendigital_async.session.document import parse


def read(name, answer, **options):
    body = answer.encode() if isinstance(answer, str) else orjson.dumps(answer)
    if isinstance(answer, str):
        body = b'<?xml version="1.0"?><response status="ok" version="1.2">' + body + b"</response>"
    return decode(REGISTRY.find(f"classic.{name}"), parse(body, None), **options)


FORMATS = '<formats availableDrmFree="true"><format id="17"><fileFormat>MP3</fileFormat></format></formats>'


@pytest.mark.parametrize("pline", ["pline", "pLine"])
def test_rights_and_formats(pline):
    facts = f"<{pline}>2011 Tide</{pline}>{FORMATS}"
    track = read("tracks.details", f'<track id="1">{facts}</track>')
    assert (track.pline, track.formats, track.available_drm_free) == (
        "2011 Tide",
        (Format(id="17", file_format="MP3"),),
        True,
    )
    release = read("releases.details", f'<release id="1">{facts}<cline>2011 Shore</cline></release>')
    assert (release.pline, release.cline, release.available_drm_free) == ("2011 Tide", "2011 Shore", True)
    assert release.formats == track.formats


def test_whose_user_it_is():
    answer = '<user id="4"><type>7digital</type><emailAddress>a@b.c</emailAddress></user>'
    assert read("user.details", answer) == User(id="4", type="7digital", email="a@b.c")


CHART = "<chart><type>album</type><fromDate>2009-07-01T00:00:00+01:00</fromDate><toDate>{}</toDate>{}</chart>"
ENTRY = '<chartItem><position>1</position><release id="7"/></chartItem>'


@pytest.mark.parametrize("entries", [ENTRY, "<page>1</page>"])
def test_the_days_of_a_chart(entries):
    page = read("releases.chart", CHART.format("2009-07-07", entries))
    assert (page.from_date, page.to_date) == (date(2009, 7, 1), date(2009, 7, 7))
    assert read("releases.chart", CHART.format("soon", entries), strict=True).to_date is None


LISTED = '<list id="833"><key>featured</key>{}</list>'


@pytest.mark.parametrize(
    ("answer", "items"),
    [
        (LISTED.format('<listItems><listItem id="5"><type>release</type></listItem></listItems>'), 1),
        (LISTED.format("<listItems/>"), 0),
        (LISTED.format(""), 0),
        ({"list": {"id": 833, "key": "featured"}}, 0),
        ({"list": {"id": 833, "key": "featured", "listItems": []}}, 0),
        ({"status": "ok", "list": {"id": 833, "key": "featured", "listItems": {"listItem": [{"id": 5}]}}}, 1),
    ],
)
def test_an_editorial_list_has_an_id_and_a_key(answer, items):
    page = read("editorial.list", answer)
    assert (len(page), page.list_id, page.list_key) == (items, "833", "featured")


@each_row(
    ("name", "answer"),
    [
        ("editorial.list", "<list/>"),
        ("editorial.list", {"list": {"id": [], "key": ""}}),
        ("releases.chart", "<chart/>"),
        ("releases.search", "<searchResults/>"),
        ("releases.search", {"searchResults": {}}),
        ("releases.recommend", "<recommendations/>"),
        ("tracks.search", {"searchResults": []}),
        ("territories.countries", "<countries/>"),
        ("user.locker", "<locker><lockerReleases/></locker>"),
    ],
)
def test_empty_lists_are_empty(name, answer):
    assert read(name, answer) == Page()


def test_an_empty_text_of_the_editors_is_empty():
    assert read("releases.editorial", "<editorial/>") == EditorialItem()
    assert read("releases.editorial", {"editorial": {}}) == EditorialItem()
    with pytest.raises(DecodeError):
        read("user.purchase_item", "<purchase/>")


def test_the_address_that_was_looked_up():
    found = "<GeoIpLookup><ipaddress>192.0.2.1</ipaddress><countryCode>GB</countryCode></GeoIpLookup>"
    assert read("ip_lookup.country", found) == Country(country_code="GB", ip_address="192.0.2.1")


def test_the_languages_of_a_country():
    languages = (
        "<languages><language><name>French</name><localName>Français</localName><url>https://fr-be/</url></language>"
        "<language><name>Dutch</name></language></languages>"
    )
    (country,) = read("territories.countries", f'<countries><country code="BE">{languages}</country></countries>')
    french = Language(name="French", local_name="Français", url="https://fr-be/")
    assert country == Country(country_code="BE", languages=(french, Language(name="Dutch")))


TEXT = "<translation><key>{}</key><translatedText>{}</translatedText></translation>"
PAGING = "<page>2</page><pageSize>50</pageSize><totalItems>{}</totalItems>"


def test_translations_come_in_pages(caplog):
    many = PAGING.format(2892) + TEXT.format("Add", "Ajouter") + TEXT.format("page", "Seite")
    bundle = read("translations.bundle", f"<translations>{many}</translations>")
    texts = {"Add": "Ajouter", "page": "Seite"}
    assert bundle == TranslationBundle(translations=texts, page=2, page_size=50, total_items=2892)
    one = PAGING.format(51) + TEXT.format("Add", "Ajouter")
    assert read("translations.bundle", f"<translations>{one}</translations>").translations == {"Add": "Ajouter"}
    none = read("translations.bundle", f"<translations>{PAGING.format(0)}</translations>")
    assert none == TranslationBundle(page=2, page_size=50, total_items=0)
    plain = read("translations.bundle", {"locale": "de", "translations": {"page": "Seite", "Add": "Hinzufügen"}})
    assert plain == TranslationBundle(locale="de", translations={"page": "Seite", "Add": "Hinzufügen"})
    assert not caplog.records


def test_why_a_card_was_not_registered():
    failure = '<error code="3103"><errorMessage>Card declined</errorMessage></error>'
    answer = f'<cardRegistration id="7" status="error">{failure}</cardRegistration>'
    expected = CardRegistrationFailure(code=3103, message="Card declined")
    assert read("user.card_registration", answer) == CardRegistration(
        registration_id="7", status="error", error=expected
    )


@pytest.mark.parametrize(
    "urls",
    [
        {"downloadUrl": {"url": "https://m/1", "format": {"id": 17}}},
        {"downloadUrl": [{"format": {"id": 17, "url": "https://m/1"}}]},
        [{"format": {"id": 17, "url": "https://m/1"}}],
    ],
)
def test_the_address_in_a_lockers_format(urls):
    entry = {"release": {"id": 1}, "lockerTracks": {"lockerTrack": [{"track": {"id": 2}, "downloadUrls": urls}]}}
    (release,) = read("user.locker", {"locker": {"lockerReleases": {"lockerRelease": [entry]}}})
    assert release.tracks[0].download_urls == (DownloadUrl(url="https://m/1", format=Format(id="17")),)
    assert "https://m" not in repr(release)
