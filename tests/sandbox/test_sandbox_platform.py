"""The sandbox's streaming platform: what it remembers, what it counts, what it refuses."""

from __future__ import annotations

from urllib.parse import urlencode

import orjson
import pytest
from defusedxml.ElementTree import fromstring
from support.probe import FORM, JSON, XML, ManualClock, Probe, open_session

from sevendigital_async.sandbox import Sandbox
from sevendigital_async.sandbox.catalogue import CATALOGUE
from sevendigital_async.sandbox.state.devices import MAX_DEVICES

ALBUM = next(release for release in CATALOGUE.releases.values() if release.type == "album")
ARTIST = ALBUM.artist
TRACKS = CATALOGUE.tracks_of(ALBUM)
TRACK = TRACKS[0]

ARTIST_FIELDS = {"id", "name", "url", "image", "sortName"}
RELEASE_FIELDS = {"id", "title", "type", "artist", "url", "image", "releaseDate", "label", "upc", "explicit"}
TRACK_FIELDS = {
    "id", "title", "artist", "release", "trackNumber", "duration", "explicit", "isrc", "previewUrl",
}  # fmt: skip


class Platform(Probe):
    """Calls the sandbox and expects a status."""

    async def read(self, path, params=None, status=200, **signing):
        async with self.get(path, params, **signing) as answer:
            return await self._tree(answer, status)

    async def send(self, method, path, tree, status=200, **signing):
        body, headers = orjson.dumps(tree), {"Content-Type": JSON, "Accept": JSON}
        async with self.request(method, path, body=body, headers=headers, **signing) as answer:
            return await self._tree(answer, status)

    async def fill_in(self, path, fields, status=200, accept=JSON, **signing):
        headers = {"Content-Type": FORM, "Accept": accept}
        async with self.request("POST", path, body=urlencode(fields), headers=headers, **signing) as answer:
            return await self._tree(answer, status)

    async def state(self):
        async with self.session.get(self.sandbox.base_url + "/_sandbox/state") as answer:
            return await answer.json()

    async def credit(self, user="7", status=200, **fields):
        fields = {"userId": user, "currency": "USD", "price": "9.99", **fields}
        return await self.fill_in("/sales/credit-item", fields, status, user=user)

    async def playlist(self, *track_ids):
        tracks = [song(track_id) for track_id in track_ids]
        return await self.send("POST", "/playlists", {"name": "Run", "tracks": tracks}, 201)

    async def subscribe(self, user="7"):
        fields = {"userId": user, "productId": "monthly", "startDate": "2027-01-15", "endDate": "2027-02-14"}
        return await self.fill_in("/subscriptions", fields, 201, user=user)

    @staticmethod
    async def _tree(answer, status):
        text = await answer.text()
        assert answer.status == status, text
        if answer.content_type == JSON and text:
            return orjson.loads(text)
        return fromstring(text) if answer.content_type == XML and text else text


@pytest.fixture
async def platform():
    clock = ManualClock()  # 2027-01-15T08:00:00Z
    async with Sandbox(clock=clock) as sandbox, open_session() as session:
        yield Platform(sandbox, session, clock)


def song(track_id=TRACK.id, **more):
    return {"trackId": track_id, "title": "A", "artist": "B", **more}


def code_of(tree):
    assert tree["status"] == "error"
    return tree["error"]["code"]


# Catalogue


async def test_artists_by_their_first_letters(platform):
    tree = await platform.read("/artists/browse", {"letter": "PA"})
    assert [artist["name"] for artist in tree["artists"]] == ["The Paper Lanternists"]
    assert (tree["status"], tree["page"], tree["pageSize"], tree["totalItems"]) == ("ok", 1, 20, 1)
    assert tree["artists"][0].keys() == ARTIST_FIELDS


async def test_details_are_bare_and_whole(platform):
    artist = await platform.read(f"/artists/{ARTIST.id}/details")
    assert artist.keys() == ARTIST_FIELDS
    release = await platform.read(f"/releases/{ALBUM.id}/details")
    assert release.keys() - {"version"} == RELEASE_FIELDS
    assert (release["label"], release["artist"]) == (ALBUM.label.name, artist)
    track = await platform.read(f"/tracks/{TRACK.id}/details")
    assert track.keys() - {"version"} == TRACK_FIELDS
    assert (track["release"], track["duration"]) == (release, TRACK.duration)


async def test_releases_of_an_artist_by_type(platform):
    everything = await platform.read(f"/artists/{ARTIST.id}/releases", {"pageSize": 2, "page": 2})
    assert (len(everything["releases"]), everything["totalItems"]) == (2, 5)
    singles = await platform.read(f"/artists/{ARTIST.id}/releases", {"type": "single"})
    assert [release["type"] for release in singles["releases"]] == ["single"]
    assert code_of(await platform.read(f"/artists/{ARTIST.id}/releases", {"type": "opera"}, 400)) == 1006


async def test_tracks_of_a_release(platform):
    tree = await platform.read(f"/releases/{ALBUM.id}/tracks")
    assert [track["id"] for track in tree["tracks"]] == [track.id for track in TRACKS]


@pytest.mark.parametrize(("noun", "q"), [("artist", "paper"), ("release", "paper lanternists"), ("track", "paper")])
async def test_searches(platform, noun, q):
    tree = await platform.read(f"/{noun}s/search", {"q": q})
    assert tree["totalItems"] >= 1
    assert tree[f"{noun}s"]
    assert code_of(await platform.read(f"/{noun}s/search", {}, 400)) == 1001


@pytest.mark.parametrize("path", ["/artists/1/details", "/releases/1/details", "/tracks/1/download"])
async def test_what_is_not_there(platform, path):
    assert code_of(await platform.read(path, status=404)) == 2001


@pytest.mark.parametrize(("noun", "known"), [("release", ALBUM.id), ("track", TRACK.id)])
async def test_batches_keep_their_order_and_name_what_is_missing(platform, noun, known):
    path, wanted = f"/{noun}s/details/batch", {f"{noun}Ids": ["1", known, "x"], "showErrors": True}
    tree = await platform.send("POST", path, wanted)
    assert [each["id"] for each in tree[f"{noun}s"]] == [known]
    assert [(error["index"], error["code"]) for error in tree["errors"]] == [(0, 2001), (2, 2001)]
    assert "errors" not in await platform.send("POST", path, {f"{noun}Ids": ["1", known]})
    assert code_of(await platform.send("POST", path, {f"{noun}Ids": known}, 400)) == 1002


async def test_a_download_url_is_good_for_an_hour(platform):
    tree = await platform.read(f"/tracks/{TRACK.id}/download")
    assert tree.keys() == {"url", "expiresAt"}
    assert tree["expiresAt"] == "2027-01-15T09:00:00Z"
    async with platform.session.get(tree["url"]) as answer:
        assert (answer.status, answer.content_type) == (200, "audio/mpeg")
    platform.clock.advance(3601)
    async with platform.session.get(tree["url"]) as answer:
        assert answer.status == 403


async def test_usage_types(platform):
    tree = await platform.read("/usage-types")
    assert tree.keys() == {"status", "usageTypes"}
    assert all(usage.keys() == {"id", "name", "description"} for usage in tree["usageTypes"])


# Playlists


async def test_a_playlist_keeps_its_order_and_counts(platform):
    made = await platform.playlist("3", "1")
    assert (made["trackCount"], made["visibility"], made["userId"]) == (2, "private", None)
    platform.clock.advance(60)
    added = [song("2", image="https://x.example/i.jpg"), song("3")]
    grown = await platform.send("POST", f"/playlists/{made['id']}/tracks", {"tracks": added})
    assert [(track["position"], track["trackId"]) for track in grown["tracks"]] == [
        (1, "3"),
        (2, "1"),
        (3, "2"),
        (4, "3"),
    ]
    assert (grown["trackCount"], grown["tracks"][2]["image"]) == (4, "https://x.example/i.jpg")
    assert (grown["createdAt"], grown["modifiedAt"]) == ("2027-01-15T08:00:00Z", "2027-01-15T08:01:00Z")


async def test_a_playlist_is_renamed_and_keeps_its_tracks(platform):
    made = await platform.playlist("1")
    changed = await platform.send("PUT", f"/playlists/{made['id']}", {"name": "Walk", "visibility": "public"})
    assert (changed["name"], changed["visibility"], changed["tracks"]) == ("Walk", "public", made["tracks"])


async def test_playlists_of_one_user(platform):
    await platform.playlist()
    mine = await platform.send("POST", "/playlists?userId=7", {"name": "Mine", "description": "d"}, 201)
    assert (await platform.read("/playlists"))["totalItems"] == 2
    tree = await platform.read("/playlists", {"userId": "7"})
    assert (tree["playlists"], mine["userId"]) == ([mine], "7")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, 1001),
        ({"name": 5}, 1002),
        ({"name": "x", "description": "d" * 501}, 1003),
        ({"name": "x", "visibility": "secret"}, 1006),
        ({"name": "x", "tracks": "1"}, 1002),
        ({"name": "x", "tracks": [song(), {"trackId": "1"}, song(tempo="fast"), song(title=1), 5]}, 1008),
    ],
)
async def test_playlists_that_are_refused(platform, body, code):
    tree = await platform.send("POST", "/playlists", body, 400)
    assert code_of(tree) == code
    if code == 1008:
        assert [error["index"] for error in tree["error"]["errors"]] == [1, 2, 3, 4]
    assert (await platform.read("/playlists"))["totalItems"] == 0


@pytest.mark.parametrize(
    ("method", "end", "body"), [("PUT", "", {"name": "x"}), ("POST", "/tracks", {"tracks": [song()]})]
)
async def test_a_playlist_that_is_not_there(platform, method, end, body):
    assert code_of(await platform.send(method, f"/playlists/nope{end}", body, 404)) == 2001


# Interactive radio


async def tune_in(platform, **more):
    playlist = await platform.playlist(TRACKS[1].id, "unknown", TRACKS[0].id)
    wanted = {"userId": "7", "playlistIds": [playlist["id"]], **more}
    return await platform.send("POST", "/interactive-radio/sessions", wanted, 201)


def event(kind, track_id=TRACK.id):
    return {"trackId": track_id, "eventType": kind, "timestamp": "2027-01-15T08:00:00Z", "durationPlayed": 3}


async def test_a_session_runs_out_of_skips(platform):
    session = await tune_in(platform)
    assert session.keys() == {"sessionId", "userId", "ruleset", "skipsRemaining", "createdAt"}
    assert (session["ruleset"], session["skipsRemaining"]) == ("dmca", 6)
    path = f"/interactive-radio/sessions/{session['sessionId']}"
    first, second, third = [await platform.read(f"{path}/next-track") for _ in range(3)]
    assert [each["track"]["id"] for each in (first, second, third)] == [TRACKS[1].id, TRACKS[0].id, TRACKS[1].id]
    assert first["skipAllowed"] is True
    async with platform.session.get(first["streamUrl"]) as answer:
        assert (await answer.text()).startswith("#EXTM3U")
    played = [event("start"), *[event("skip")] * 5]
    assert await platform.send("POST", f"{path}/events", {"events": played}, 202) == ""
    assert (await platform.read(f"{path}/next-track"))["skipAllowed"] is True
    refused = await platform.send("POST", f"{path}/events", {"events": [event("skip"), event("skip")]}, 400)
    assert [(error["index"], error["code"]) for error in refused["error"]["errors"]] == [(1, 2002)]
    await platform.send("POST", f"{path}/events", {"events": [event("skip")]}, 202)
    assert (await platform.read(f"{path}/next-track"))["skipAllowed"] is False


async def test_a_session_that_was_deleted_is_gone(platform):
    path = f"/interactive-radio/sessions/{(await tune_in(platform, ruleset='gvl', country='GB'))['sessionId']}"
    async with platform.request("DELETE", path) as answer:
        assert (answer.status, await answer.read()) == (204, b"")
    assert code_of(await platform.read(f"{path}/next-track", status=404)) == 2001
    assert code_of(await platform.send("POST", f"{path}/events", {"events": [event("start")]}, 404)) == 2001
    async with platform.request("DELETE", path) as answer:
        assert answer.status == 404


@pytest.mark.parametrize(
    ("wanted", "status", "code"),
    [
        ({"userId": "7"}, 400, 1001),
        ({"userId": "7", "playlistIds": []}, 400, 1003),
        ({"userId": "7", "playlistIds": [5]}, 400, 1002),
        ({"userId": "7", "playlistIds": ["nope"]}, 404, 2001),
        ({"userId": "7", "playlistIds": ["playlist-789001"], "ruleset": "none"}, 400, 1006),
        ({"userId": "7", "playlistIds": ["playlist-789001"], "country": "GBR"}, 400, 1002),
        ({"userId": "7", "playlistIds": ["playlist-789001"]}, 404, 2002),
    ],
)
async def test_sessions_that_are_refused(platform, wanted, status, code):
    await platform.playlist("unknown")
    assert code_of(await platform.send("POST", "/interactive-radio/sessions", wanted, status)) == code


async def test_events_that_are_refused(platform):
    path = f"/interactive-radio/sessions/{(await tune_in(platform))['sessionId']}/events"
    bad = [
        event("rewind"),
        event("start", "5"),
        {**event("start"), "timestamp": "2027-13-01T00:00:00Z"},
        event("pause"),
    ]
    tree = await platform.send("POST", path, {"events": bad}, 400)
    assert [(error["index"], error["code"]) for error in tree["error"]["errors"]] == [(0, 1002), (1, 2001), (2, 1002)]


# Offline devices


async def authorise(platform, /, device, status=200, user="7", **more):
    path = "/users/7/unlimitedStreaming/offline"
    return await platform.send("POST", path, {"deviceId": device, **more}, status, user=user)


async def test_devices_up_to_the_limit(platform):
    first = await authorise(platform, "d0", deviceName="Phone", platform="ios")
    assert first == {
        "deviceId": "d0",
        "deviceName": "Phone",
        "platform": "ios",
        "status": "authorised",
        "authorisedAt": "2027-01-15T08:00:00Z",
    }
    for number in range(1, MAX_DEVICES):
        await authorise(platform, f"d{number}")
    assert code_of(await authorise(platform, "one-too-many", 400)) == 1003
    platform.clock.advance(60)
    again = await authorise(platform, "d0", deviceName="Old phone")
    assert (again["deviceName"], again["authorisedAt"]) == ("Old phone", first["authorisedAt"])
    tree = await platform.read("/users/7/unlimitedStreaming/devices", user="7")
    assert [device["deviceId"] for device in tree["devices"]] == [f"d{number}" for number in range(MAX_DEVICES)]
    assert await platform.read("/users/7/unlimitedStreaming/offline/d0", user="7") == again
    assert code_of(await platform.read("/users/7/unlimitedStreaming/offline/d9", status=404, user="7")) == 2001


async def test_devices_of_other_users_are_none_of_mine(platform):
    assert "Access to resource denied" in await authorise(platform, "d0", 403, user="8")
    assert "Not authorised" in await platform.read("/users/7/unlimitedStreaming/devices", status=401)


async def test_a_device_of_an_unknown_platform(platform):
    assert code_of(await authorise(platform, "d0", 400, platform="abacus")) == 1006


# Users and subscriptions


async def test_a_user_is_created_once(platform):
    fields = {"email": "jane@example.com", "password": "p", "country": "gb", "firstName": "Jane", "lastName": "Smith"}
    user = await platform.fill_in("/users", fields, 201)
    assert user.keys() == {"id", "email", "firstName", "lastName", "country", "createdAt"}
    assert (user["email"], user["country"]) == ("jane@example.com", "GB")
    assert code_of(await platform.fill_in("/users", fields, 409)) == 2003


@pytest.mark.parametrize(
    ("fields", "code"),
    [({"email": "x"}, 1002), ({"country": "GBR"}, 1002), ({"password": ""}, 1001)],
)
async def test_users_that_are_refused(platform, fields, code):
    fields = {"email": "a@b.example", "password": "p", "country": "GB"} | fields
    assert code_of(await platform.fill_in("/users", fields, 400)) == code


async def test_a_subscription(platform):
    tree = await platform.subscribe()
    assert tree.keys() == {"subscriptionId", "userId", "productId", "status", "startDate", "endDate"}
    assert (tree["userId"], tree["status"], tree["endDate"]) == ("7", "active", "2027-02-14")


@pytest.mark.parametrize(
    ("end", "code"), [("2027-02-16", 1003), ("2027-01-14", 1003), ("2027-02-30", 1002), ("20270215", 1002)]
)
async def test_subscriptions_that_are_refused(platform, end, code):
    fields = {"userId": "7", "productId": "monthly", "startDate": "2027-01-15", "endDate": end}
    assert code_of(await platform.fill_in("/subscriptions", fields, 400, user="7")) == code


# Sales


async def test_a_sale_answers_in_xml_and_fills_the_locker(platform):
    root = await platform.credit(releaseId=ALBUM.id)
    purchase = root.find("purchase")
    assert purchase.get("id")
    assert purchase.findtext("purchaseDate") == "2027-01-15T08:00:00Z"
    ids = [track.get("id") for track in purchase.iter("track")]
    assert ids == [track.id for track in TRACKS]
    locker = await platform.read("/users/7/locker", user="7")
    assert locker.keys() == {"status", "page", "pageSize", "totalItems", "releases", "tracks"}
    assert [release["id"] for release in locker["releases"]] == [ALBUM.id]
    assert [track["id"] for track in locker["tracks"]] == ids
    assert locker["totalItems"] == 1


async def test_a_sale_that_arrives_twice_is_two_sales(platform):
    first, second = await platform.credit(trackId=TRACK.id), await platform.credit(trackId=TRACK.id, price="0")
    assert first.find("purchase").get("id") != second.find("purchase").get("id")
    state = await platform.state()
    assert [(sale["user"], sale["total"]) for sale in state["purchases"]] == [("7", 9.99), ("7", 0.0)]
    assert len((await platform.read("/users/7/locker", user="7"))["tracks"]) == 1


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({}, 400, "1001"),
        ({"trackId": "1"}, 404, "2001"),
        ({"trackId": TRACK.id, "releaseId": "5"}, 404, "2001"),
        ({"trackId": TRACK.id, "price": "-1"}, 400, "1003"),
        ({"trackId": TRACK.id, "price": "0.999"}, 400, "1003"),
        ({"trackId": TRACK.id, "currency": "XXX"}, 400, "1006"),
    ],
)
async def test_sales_that_are_refused(platform, fields, status, code):
    root = await platform.credit(status=status, **fields)
    assert (root.get("status"), root.find("error").get("code")) == ("error", code)
    assert (await platform.state())["purchases"] == []


async def test_a_locker_in_pages(platform):
    for release_id in list(CATALOGUE.releases)[:3]:
        await platform.credit(releaseId=release_id)
    tree = await platform.read("/users/7/locker", {"page": 2, "pageSize": 2}, user="7")
    assert (tree["page"], tree["totalItems"], len(tree["releases"])) == (2, 3, 1)
    assert {track["release"]["id"] for track in tree["tracks"]} == {tree["releases"][0]["id"]}


async def refund(platform, noun, purchase_id, status=200, user="7"):
    body = {"userId": user, "purchaseId": purchase_id, "reason": "mistake"}
    return await platform.send("POST", f"/sales/refund/{noun}", body, status)


@pytest.mark.parametrize(("noun", "id_"), [("release", ALBUM.id), ("track", TRACK.id)])
async def test_a_refund_empties_the_locker_once(platform, noun, id_):
    other = {"release": "track", "track": "release"}[noun]
    purchase_id = (await platform.credit(**{f"{noun}Id": id_})).find("purchase").get("id")
    assert code_of(await refund(platform, noun, "1", 404)) == 2001
    assert code_of(await refund(platform, noun, purchase_id, 404, user="8")) == 2001
    assert code_of(await refund(platform, other, purchase_id, 404)) == 2001
    assert (await refund(platform, noun, purchase_id))["purchaseId"] == purchase_id
    assert code_of(await refund(platform, noun, purchase_id, 400)) == 3017
    assert (await platform.read("/users/7/locker", user="7"))["totalItems"] == 0


async def test_a_refund_after_the_month_was_reported(platform):
    purchase_id = (await platform.credit(trackId=TRACK.id)).find("purchase").get("id")
    platform.clock.advance(20 * 86_400)
    assert code_of(await refund(platform, "track", purchase_id, 400)) == 2002
