"""The invented shop: its answers in JSON and XML, its errors, its pages."""

from __future__ import annotations

import gzip

import pytest
from defusedxml.ElementTree import fromstring
from support.probe import JSON, XML, open_session
from support.rows import each_row

from sevendigital_async.sandbox.catalogue import CATALOGUE
from sevendigital_async.sandbox.rendering import accepted_type, accepts_gzip

RELEASE = next(iter(CATALOGUE.releases.values()))
SINGLE = next(release for release in CATALOGUE.releases.values() if release.type == "single")
ARTIST = RELEASE.artist

RELEASE_FIELDS = {
    "id", "title", "version", "type", "artist", "url", "image", "releaseDate", "label", "explicit", "upc", "price",
}  # fmt: skip
TRACK_FIELDS = {
    "id", "title", "version", "artist", "release", "trackNumber", "duration", "explicit", "isrc", "previewUrl", "price",
}  # fmt: skip


async def tree_of(answering, status=200):
    async with answering as answer:
        assert answer.status == status, await answer.text()
        if answer.content_type == JSON:
            return await answer.json()
        assert answer.content_type == XML
        return fromstring(await answer.text())


def test_the_shop_is_large_enough_and_consistent():
    assert len(CATALOGUE.artists) >= 12
    assert len(CATALOGUE.releases) >= 60
    assert len(CATALOGUE.tracks) >= 300
    assert sum(len(listing) for listing in CATALOGUE.tracks_by_release.values()) == len(CATALOGUE.tracks)
    for release in CATALOGUE.releases.values():
        assert CATALOGUE.artists[release.artist.id] is release.artist
        listing = CATALOGUE.tracks_of(release)
        assert [track.number for track in listing] == list(range(1, len(listing) + 1))
        assert all(CATALOGUE.tracks[track.id].release is release for track in listing)
    assert len({release.title for release in CATALOGUE.releases.values()}) == len(CATALOGUE.releases)
    assert len({track.isrc for track in CATALOGUE.tracks.values()}) == len(CATALOGUE.tracks)


async def test_a_release_in_json(probe):
    tree = await tree_of(probe.get("/1.2/release/details", {"releaseId": RELEASE.id, "country": "DE"}))
    assert tree.keys() == {"status", "release"}
    release = tree["release"]
    assert tree["status"] == "ok"
    assert release.keys() == RELEASE_FIELDS
    assert (release["id"], release["title"], release["label"]) == (RELEASE.id, RELEASE.title, RELEASE.label.name)
    assert release["releaseDate"] == RELEASE.release_date.isoformat()
    assert release["price"] == {"formattedPrice": "€9.99", "amount": 9.99, "currency": "EUR"}
    assert release["artist"]["appearsAs"] == ARTIST.name


async def test_a_release_in_xml(probe):
    root = await tree_of(probe.get("/1.2/release/details", {"releaseId": RELEASE.id}, accept=XML))
    assert (root.tag, root.attrib) == ("response", {"status": "ok", "version": "1.2"})
    release = root.find("release")
    assert release.get("id") == RELEASE.id
    assert [child.tag for child in release] == [
        "title", "version", "type", "artist", "url", "image", "releaseDate", "label", "explicitContent", "barcode",
        "price",
    ]  # fmt: skip
    assert release.find("version").text is None
    assert release.findtext("type") == "Album"
    assert release.find("artist").get("id") == ARTIST.id
    assert release.find("label").get("id") == RELEASE.label.id
    assert release.findtext("label/name") == RELEASE.label.name
    assert release.findtext("explicitContent") == "false"
    assert release.findtext("releaseDate") == f"{RELEASE.release_date}T00:00:00Z"
    assert (release.find("price/currency").get("code"), release.findtext("price/currency")) == ("GBP", "£")
    assert release.findtext("price/value") == "9.99"


async def test_a_search_in_json(probe):
    tree = await tree_of(probe.get("/1.2/release/search", {"q": "LANTERNISTS the", "pageSize": 2}))
    assert tree.keys() == {"status", "page", "pageSize", "totalItems", "releases"}
    assert (tree["page"], tree["pageSize"], tree["totalItems"]) == (1, 2, 5)
    assert [release.keys() for release in tree["releases"]] == [RELEASE_FIELDS] * 2
    assert {release["artist"]["name"] for release in tree["releases"]} == {"The Paper Lanternists"}


async def test_a_search_in_xml(probe):
    root = await tree_of(probe.get("/1.2/release/search", {"q": "Zoë (it's) 1,2"}, accept=XML))
    results = root.find("searchResults")
    assert [child.tag for child in results][:3] == ["page", "pageSize", "totalItems"]
    assert (results.findtext("page"), results.findtext("pageSize"), results.findtext("totalItems")) == ("1", "20", "5")
    hits = results.findall("searchResult")
    assert [hit.findtext("type") for hit in hits] == ["release"] * 5
    assert all(hit.find("release").get("id") in CATALOGUE.releases for hit in hits)


@pytest.mark.parametrize("q", ["AC/DC (it's) 1,2 é", "no such thing"])
async def test_a_search_that_finds_nothing(probe, q):
    tree = await tree_of(probe.get("/1.2/release/search", {"q": q}))
    assert (tree["totalItems"], tree["releases"]) == (0, [])


async def test_all_pages_together_are_the_whole(probe):
    ids = []
    for number in range(1, 6):
        tree = await tree_of(probe.get("/1.2/release/search", {"q": "e", "page": number, "pageSize": 20}))
        assert tree["page"] == number
        ids += [release["id"] for release in tree["releases"]]
        total = tree["totalItems"]
    assert len(ids) == len(set(ids)) == total > 60


async def test_the_tracks_of_a_release(probe):
    listing = CATALOGUE.tracks_of(RELEASE)
    tree = await tree_of(probe.get("/1.2/release/tracks", {"releaseId": RELEASE.id, "page": "2", "pageSize": "6"}))
    assert (tree["page"], tree["pageSize"], tree["totalItems"]) == (2, 6, len(listing))
    assert [track["id"] for track in tree["tracks"]] == [track.id for track in listing[6:12]]
    assert all(track.keys() == TRACK_FIELDS for track in tree["tracks"])
    root = await tree_of(probe.get("/1.2/release/tracks", {"releaseId": SINGLE.id}, accept=XML))
    [track] = root.findall("tracks/track")
    assert track.findtext("trackNumber") == "1"
    assert track.find("release").get("id") == SINGLE.id
    assert track.find("previewUrl") is None


async def test_an_artist(probe):
    tree = await tree_of(probe.get("/1.2/artist/details", {"artistId": ARTIST.id}))
    assert tree["artist"]["name"] == "The Paper Lanternists"
    assert tree["artist"]["sortName"] == "Paper Lanternists, The"
    root = await tree_of(probe.get("/1.2/artist/details", {"artistid": ARTIST.id}, accept="*/*"))
    assert root.find("artist").get("id") == ARTIST.id


async def test_the_status_tells_the_sandboxs_time(probe):
    tree = await tree_of(probe.get("/1.2/status"))
    assert tree == {"status": "ok", "serviceStatus": {"serverTime": "2027-01-15T08:00:00Z"}}
    root = await tree_of(probe.get("/1.2/status", accept=XML))
    assert root.findtext("serviceStatus/serverTime") == "2027-01-15T08:00:00Z"


@pytest.mark.parametrize(
    ("path", "params", "status", "code"),
    [
        ("release/search", {}, 400, 1001),
        ("release/search", {"q": "  "}, 400, 1001),
        ("release/details", {}, 400, 1001),
        ("release/details", {"releaseId": "x"}, 400, 1002),
        ("release/details", {"releaseId": "²"}, 400, 1002),
        ("release/details", {"releaseId": "1"}, 404, 2001),
        ("release/tracks", {"releaseId": "1"}, 404, 2001),
        ("artist/details", {"artistId": "1"}, 404, 2001),
        ("artist/details", {"artistId": ARTIST.id, "country": "GBR"}, 400, 1002),
        ("release/search", {"q": "a", "country": "1"}, 400, 1002),
        ("release/search", {"q": "a", "page": "x"}, 400, 1002),
        ("release/search", {"q": "a", "page": "1.5"}, 400, 1002),
        ("release/search", {"q": "a", "page": "0"}, 400, 1003),
        ("release/search", {"q": "a", "page": "-1"}, 400, 1003),
        ("release/search", {"q": "a", "pageSize": "0"}, 400, 1003),
        ("release/search", {"q": "a", "pageSize": "501"}, 400, 1003),
        ("release/search", {"q": "a", "pageSize": "9" * 5000}, 400, 1002),
    ],
)
async def test_errors_in_both_forms(probe, path, params, status, code):
    tree = await tree_of(probe.get(f"/1.2/{path}", params), status)
    assert tree == {"status": "error", "error": {"code": code, "message": tree["error"]["message"]}}
    root = await tree_of(probe.get(f"/1.2/{path}", params, accept=XML), status)
    assert root.get("status") == "error"
    assert root.find("error").get("code") == str(code)
    assert root.findtext("error/errorMessage") == tree["error"]["message"]


async def test_a_page_beyond_the_last_is_empty(probe):
    tree = await tree_of(probe.get("/1.2/release/tracks", {"releaseId": SINGLE.id, "page": 7}))
    assert (tree["totalItems"], tree["page"], tree["tracks"]) == (1, 7, [])


@each_row(
    ("accept", "expected"),
    [
        ("", XML),
        ("*/*", XML),
        (JSON, JSON),
        ("application/json, application/xml;q=0.5", JSON),
        ("application/json, application/xml", JSON),
        ("application/xml, application/json; q=0.5", XML),
        ("Application/JSON;q=0.8, */*;q=0.1", JSON),
        ("application/json;q=0", XML),
        ("application/json;q=x", XML),
        ("text/xml", XML),
    ],
)
def test_the_form_is_negotiated(accept, expected):
    assert accepted_type(accept) == expected


@pytest.mark.parametrize(
    ("header", "expected"), [("gzip", True), ("br, GZIP;q=0.5", True), ("gzip;q=0", False), ("", False)]
)
def test_gzip_is_negotiated(header, expected):
    assert accepts_gzip(header) is expected


async def test_answers_are_compressed_and_say_how_long_they_keep(probe):
    async with open_session() as session:
        session._auto_decompress = False
        async with probe.get(
            "/1.2/release/search", {"q": "e"}, headers={"Accept-Encoding": "gzip"}, session=session
        ) as answer:
            assert answer.headers["Content-Encoding"] == "gzip"
            assert b'"releases"' in gzip.decompress(await answer.read())
            assert answer.headers["Cache-Control"] == "private, max-age=3600"
    async with probe.get("/1.2/release/search", {"q": "e"}, headers={"Accept-Encoding": "identity"}) as answer:
        assert "Content-Encoding" not in answer.headers
    for path, params in (("status", None), ("release/details", None)):
        async with probe.get(f"/1.2/{path}", params) as answer:
            assert answer.headers["Cache-Control"] == "no-cache, no-store"
