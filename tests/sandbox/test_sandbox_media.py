"""The sandbox's media and the OAuth flow: bytes, ranges, licences, redirects, tokens."""

from __future__ import annotations

import io
import zipfile
from typing import Any, NamedTuple
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import orjson
import pytest
from defusedxml.ElementTree import fromstring
from support.probe import FORM, JSON, XML, ManualClock, Probe, open_session
from support.rows import each_row

from sevendigital_async.config import UserToken
from sevendigital_async.sandbox import Sandbox
from sevendigital_async.sandbox.catalogue import CATALOGUE
from sevendigital_async.sandbox.ranges import media_response
from sevendigital_async.sandbox.recordings import FORMATS, recording
from sevendigital_async.sandbox.state.lockers import MAX_DOWNLOADS
from sevendigital_async.sandbox.state.tokens import MAX_ACCESS_TOKENS

EP = next(release for release in CATALOGUE.releases.values() if release.type == "ep")
TRACK = CATALOGUE.tracks_of(EP)[1]
OTHER = next(track for track in CATALOGUE.tracks.values() if track.release is not EP)
LICENCE = {"trackId": TRACK.id, "releaseId": EP.id, "formatId": "17"}
BODY = recording(TRACK, FORMATS["17"]).make_bytes()


class Got(NamedTuple):
    status: int
    headers: Any
    body: bytes


class Player(Probe):
    """Fetches media without following redirects."""

    async def fetch(self, path, params=None, *, headers=None, user="7", signed=True):
        query = f"?{urlencode(params)}" if params else ""
        headers = {"Accept": "*/*", **(headers or {})}
        url = path + query
        if signed:
            url, headers, _ = self.oauth(user=user).sign(self.sandbox.base_url + path + query, headers=headers)
        async with self.session.get(url, headers=headers, allow_redirects=False) as answer:
            return Got(answer.status, answer.headers, await answer.read())

    async def follow(self, path, params=None, **more):
        first = await self.fetch(path, params, **more)
        assert first.status == 302, first
        return await self.fetch(first.headers["Location"], signed=False)

    async def buy(self, user="7", **item):
        body = urlencode({"userId": user, "currency": "GBP", "price": "1.00", **item})
        async with self.request(
            "POST", "/sales/credit-item", body=body, headers={"Content-Type": FORM}, user=user
        ) as got:
            assert got.status == 200, await got.text()
            return fromstring(await got.text()).find("purchase").get("id")

    async def subscribe(self, user="7"):
        fields = {"userId": user, "productId": "p", "startDate": "2027-01-15", "endDate": "2027-02-14"}
        headers = {"Content-Type": FORM}
        async with self.request("POST", "/subscriptions", body=urlencode(fields), headers=headers, user=user) as got:
            assert got.status == 201

    async def remaining(self, user="7"):
        async with self.session.get(self.sandbox.base_url + "/_sandbox/state") as answer:
            locker = (await answer.json())["lockers"][user]
        return [owned["remainingDownloads"] for owned in locker]


@pytest.fixture
async def player():
    clock = ManualClock()  # 2027-01-15T08:00:00Z
    async with Sandbox(clock=clock) as sandbox, open_session() as session:
        yield Player(sandbox, session, clock)


def problem(got):
    """Return the code of an error, in whichever form it came."""
    if got.status == 302:
        return int(parse_qs(urlsplit(got.headers["Location"]).query)["errorCode"][0])
    if got.headers["Content-Type"].startswith(XML):
        return int(fromstring(got.body.decode()).find("error").get("code"))
    assert got.headers["Content-Type"].startswith(JSON), got
    return orjson.loads(got.body)["error"]["code"]


# Bytes and ranges


async def test_any_track_as_a_file(player):
    got = await player.fetch("/media/track/download", {"trackId": TRACK.id, "formatId": "17"})
    assert (got.status, got.body) == (200, BODY)
    assert 200_000 <= len(BODY) <= 400_004
    assert int(got.headers["Content-Length"]) == len(BODY)
    assert got.headers["Content-Type"] == "audio/mpeg"
    assert got.headers["Accept-Ranges"] == "bytes"
    assert got.headers["Content-Disposition"].startswith("attachment; filename=")
    assert "Content-Encoding" not in got.headers
    again = await player.fetch("/media/track/download", {"trackId": TRACK.id, "formatId": "17"})
    assert (again.headers["ETag"], again.headers["Last-Modified"]) == (
        got.headers["ETag"],
        got.headers["Last-Modified"],
    )
    flac = await player.fetch("/media/track/download", {"trackId": TRACK.id, "formatId": "45"})
    assert (flac.headers["Content-Type"], flac.body[:4]) == ("audio/flac", b"fLaC")
    assert flac.headers["ETag"] != got.headers["ETag"]


async def test_a_part_of_a_file(player):
    path, params = "/media/track/stream", {"trackId": TRACK.id, "formatId": "17"}
    whole = await player.fetch(path, params)
    tag, date = whole.headers["ETag"], whole.headers["Last-Modified"]
    assert whole.headers["Content-Disposition"].startswith("inline")
    for condition in ({}, {"If-Range": tag}, {"If-Range": date}):
        got = await player.fetch(path, params, headers={"Range": "bytes=1000-", **condition})
        assert (got.status, got.body) == (206, BODY[1000:])
        assert got.headers["Content-Range"] == f"bytes 1000-{len(BODY) - 1}/{len(BODY)}"
        assert got.headers["ETag"] == tag
    changed = await player.fetch(path, params, headers={"Range": "bytes=1000-", "If-Range": '"old"'})
    assert (changed.status, changed.body) == (200, BODY)
    beyond = await player.fetch(path, params, headers={"Range": f"bytes={len(BODY)}-"})
    assert (beyond.status, beyond.headers["Content-Range"]) == (416, f"bytes */{len(BODY)}")


@each_row(
    ("asked", "status", "body"),
    [
        ("bytes=0-0", 206, BODY[:1]),
        ("bytes=-5", 206, BODY[-5:]),
        ("bytes=-0", 416, b""),
        ("bytes=-9999999", 206, BODY),
        ("bytes=7-9999999", 206, BODY[7:]),
        ("Bytes = 3 - 4", 206, BODY[3:5]),
        ("bytes=9-3", 200, BODY),
        ("bytes=-", 200, BODY),
        ("bytes=0-1,3-4", 200, BODY),
        ("lines=1-2", 200, BODY),
        ("", 200, BODY),
    ],
)
def test_ranges(asked, status, body):
    delivery = media_response(recording(TRACK, FORMATS["17"]), asked, None)
    assert (delivery.status, delivery.body) == (status, body)


def test_file_names_that_are_not_ascii():
    track = next(track for track in CATALOGUE.tracks.values() if track.release.artist.name == "Æthel Voss")
    header = media_response(recording(track, FORMATS["17"]), None, None).headers["Content-Disposition"]
    assert 'filename="?thel Voss - ' in header
    assert "filename*=UTF-8''%C3%86thel%20Voss%20-%20" in header


# What users have bought


async def test_a_download_costs_one_of_those_left(player):
    await player.buy(trackId=TRACK.id)
    for left in reversed(range(MAX_DOWNLOADS)):
        got = await player.follow("/media/user/downloadtrack", LICENCE)
        assert (got.status, got.body) == (200, BODY)
        assert await player.remaining() == [left]
    got = await player.fetch("/media/user/downloadtrack", {**LICENCE, "errorUrl": "https://me.example/oops?a=1"})
    assert problem(got) == 2002
    assert got.headers["Location"].startswith("https://me.example/oops?a=1&errorCode=2002&errorMsg=No+licences")
    got = await player.fetch("/media/user/streamtrack", {**LICENCE, "formatId": "26"})
    assert (got.status, got.headers["Content-Type"]) == (200, "audio/mpeg")


async def test_a_track_that_was_bought_twice_can_be_fetched_twice_as_often(player):
    await player.buy(trackId=TRACK.id)
    await player.buy(trackId=TRACK.id)
    await player.follow("/media/user/downloadtrack", LICENCE)
    await player.follow("/media/user/downloadtrack", LICENCE)
    assert await player.remaining() == [MAX_DOWNLOADS - 1] * 2


@pytest.mark.parametrize(
    ("path", "more"),
    [
        ("/media/user/download/release", {"releaseId": EP.id}),
        ("/media/user/download/purchase", {"purchaseId": None}),
        ("/users/7/downloads/releases/{release}", {}),
        ("/users/7/downloads/purchases/{purchase}", {}),
    ],
)
async def test_archives(player, path, more):
    purchase = await player.buy(releaseId=EP.id)
    params = {name: value or purchase for name, value in more.items()}
    got = await player.follow(path.format(release=EP.id, purchase=purchase), params)
    assert got.headers["Content-Type"] == "application/zip"
    assert ".zip" in got.headers["Content-Disposition"]
    with zipfile.ZipFile(io.BytesIO(got.body)) as archive:
        assert archive.testzip() is None
        assert len(archive.namelist()) == len(CATALOGUE.tracks_of(EP))
        assert archive.read(archive.namelist()[1]) == BODY
    assert set(await player.remaining()) == {MAX_DOWNLOADS - 1}


async def test_a_purchased_track_on_the_platform(player):
    await player.buy(trackId=TRACK.id)
    got = await player.follow(f"/users/7/downloads/tracks/{TRACK.id}")
    assert got.body == BODY
    other = await player.fetch(f"/users/7/downloads/tracks/{OTHER.id}")
    assert (other.status, problem(other)) == (404, 2002)
    assert (await player.fetch(f"/users/7/downloads/tracks/{TRACK.id}", user="8")).status == 403


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"trackId": ""}, 1001),
        ({"trackId": "x"}, 1002),
        ({"formatId": "mp3"}, 1002),
        ({"formatId": "9999"}, 2002),
        ({"releaseId": OTHER.release.id}, 2002),
        ({"country": "GBR"}, 1002),
    ],
)
async def test_errors_of_downloads_lead_to_the_error_page(player, change, code):
    await player.buy(trackId=TRACK.id)
    params = {**LICENCE, **change}
    got = await player.fetch("/media/user/downloadtrack", {**params, "errorUrl": "http://me.example/e"})
    assert problem(got) == code
    assert got.headers["Location"].startswith(f"http://me.example/e?errorCode={code}&errorMsg=")
    standard = await player.fetch("/media/user/downloadtrack", {**params, "errorUrl": "javascript:alert(1)"})
    assert standard.headers["Location"].startswith(f"{player.sandbox.base_url}/error?errorCode={code}")
    page = await player.fetch(standard.headers["Location"], signed=False)
    assert (page.status, str(code).encode() in page.body) == (200, True)
    assert await player.remaining() == [MAX_DOWNLOADS]


async def test_errors_without_an_error_page(player):
    streamed = await player.fetch("/media/track/stream", {"trackId": "1", "errorUrl": "http://me.example/e"})
    assert (streamed.status, problem(streamed)) == (404, 2001)
    params = {"trackId": "1", "formatId": "17"}
    assert (await player.fetch("/media/track/download", params)).status == 404
    assert (await player.fetch("/media/track/download", {**params, "errorUrl": "http://me.example/e"})).status == 302


async def test_managed_users_are_named_in_the_query():
    async with Sandbox(managed_users=True) as sandbox, open_session() as session:
        player = Player(sandbox, session)
        await player.buy(trackId=TRACK.id)
        assert (await player.follow("/media/user/downloadtrack", {**LICENCE, "userId": "7"}, user=None)).body == BODY
        assert problem(await player.fetch("/media/track/stream", {"trackId": TRACK.id}, user=None)) == 1001
        assert (
            await player.fetch("/media/track/stream", {"trackId": TRACK.id, "userId": "x"}, user=None)
        ).status == 200
        assert (await player.fetch(f"/streaming/locker/{TRACK.id}/hls", user=None)).status == 401


# The network that delivers


async def test_the_network_wants_no_credentials(player):
    await player.buy(trackId=TRACK.id)
    url = (await player.fetch("/media/user/downloadtrack", LICENCE)).headers["Location"]
    assert urlsplit(url).path.startswith("/_cdn/")
    assert (await player.fetch(url, headers={"Authorization": "OAuth x"}, signed=False)).status == 400
    assert (await player.fetch(url + "?oauth_token=x", signed=False)).status == 400
    part = await player.fetch(url, headers={"Range": "bytes=5-9"}, signed=False)
    assert (part.status, part.body) == (206, BODY[5:10])
    nowhere = f"{player.sandbox.base_url}/_cdn/00"
    for end in ("", ".m3u8", "/0.ts"):
        assert (await player.fetch(nowhere + end, signed=False)).status == 404
    player.clock.advance(2 * 3600 + 1)
    assert (await player.fetch(url, signed=False)).status == 403
    await player.fetch("/media/user/downloadtrack", LICENCE)
    assert (await player.fetch(url, signed=False)).status == 404


# Streams of the platform


async def test_preview_clips(player):
    mp3 = await player.fetch(f"/streaming/preview/{TRACK.id}")
    aac = await player.fetch(f"/streaming/preview/{TRACK.id}", {"format": "aac"})
    assert (mp3.headers["Content-Type"], aac.headers["Content-Type"]) == ("audio/mpeg", "audio/aac")
    assert len(mp3.body) == 60_000
    assert problem(await player.fetch(f"/streaming/preview/{TRACK.id}", {"format": "ogg"})) == 1006


async def test_a_manifest_names_the_pieces(player):
    got = await player.fetch(f"/streaming/catalogue/{TRACK.id}/hls")
    assert got.headers["Content-Type"] == "application/vnd.apple.mpegurl"
    lines = got.body.decode().splitlines()
    assert (lines[0], lines[-1]) == ("#EXTM3U", "#EXT-X-ENDLIST")
    assert sum(float(line[8:-1]) for line in lines if line.startswith("#EXTINF:")) == TRACK.duration
    urls = [line for line in lines if not line.startswith("#")]
    pieces = [await player.fetch(url, signed=False) for url in urls]
    whole = await player.fetch(f"/streaming/catalogue/{TRACK.id}/progressive")
    assert b"".join(piece.body for piece in pieces) == whole.body
    assert (await player.fetch(urls[0].replace("/0.ts", "/999.ts"), signed=False)).status == 404


@pytest.mark.parametrize("form", ["hls", "progressive"])
async def test_lockers_are_for_buyers(player, form):
    path = f"/streaming/locker/{TRACK.id}/{form}"
    assert problem(await player.fetch(path)) == 2002
    await player.buy(releaseId=EP.id)
    assert (await player.fetch(path)).status == 200


@pytest.mark.parametrize("form", ["hls", "progressive"])
async def test_subscriptions_are_for_subscribers(player, form):
    path = f"/streaming/subscription/{TRACK.id}/{form}"
    offline = f"/streaming/subscription/{TRACK.id}/offline/{form}"
    assert problem(await player.fetch(path)) == 2002
    await player.subscribe()
    assert (await player.fetch(path)).status == 200
    assert problem(await player.fetch(offline)) == 2002
    headers, body = {"Content-Type": JSON}, '{"deviceId": "d"}'
    await player.request("POST", "/users/7/unlimitedStreaming/offline", body=body, headers=headers, user="7")
    assert (await player.fetch(offline)).status == 200
    player.clock.advance(40 * 86_400)
    assert problem(await player.fetch(path)) == 2002


async def test_one_device_at_a_time(player):
    await player.subscribe()

    async def play(device):
        got = await player.fetch(f"/streaming/subscription/{TRACK.id}/hls", {"clientId": device})
        return got.status if got.status == 200 else problem(got)

    assert [await play("a"), await play("a"), await play("b")] == [200, 200, 3201]
    player.clock.advance(30)
    assert [await play("b"), await play("a")] == [200, 3201]


@pytest.mark.parametrize(
    ("params", "outcome"),
    [
        ({}, "audio/mpeg"),
        ({"format": "flac"}, "audio/flac"),
        ({"format": "aac", "bitrate": "192"}, "audio/aac"),
        ({"format": "flac", "bitrate": "128"}, 2002),
        ({"bitrate": "7"}, 1003),
        ({"bitrate": "fast"}, 1002),
        ({"format": "ogg"}, 1006),
        ({"trackId": "1"}, 2001),
    ],
)
async def test_media_transfer(player, params, outcome):
    got = await player.fetch("/content-delivery/media-transfer", {"trackId": TRACK.id, **params}, user=None)
    assert (got.headers["Content-Type"] if got.status == 200 else problem(got)) == outcome


# The OAuth flow


async def ask(player, path, *, token=None, accept=FORM, status=200, params=None):
    async with player.get(f"/1.2/oauth/{path}", params, accept=accept, token=token) as answer:
        text = await answer.text()
        assert answer.status == status, text
        if status != 200:
            return text
        if accept == FORM:
            assert answer.content_type == FORM
            return UserToken(*dict(parse_qsl(text)).values())
        pair = fromstring(text).find(f"oauth_{path.removesuffix('token')}_token")
        return UserToken(pair.findtext("oauth_token"), pair.findtext("oauth_token_secret"))


async def authorise(player, request_token, **more):
    return await player.fetch(
        f"{player.sandbox.base_url}/{player.sandbox.credentials.consumer_key}/oauth/authorise?"
        + urlencode({"oauth_token": request_token.token, **more}),
        signed=False,
    )


@pytest.mark.parametrize("accept", [XML, FORM, JSON])
async def test_from_a_request_token_to_a_purchase(player, accept):
    request_token = await ask(player, "requesttoken", accept=accept, params={"xoauth_client_identifier": "phone"})
    assert "not authorised" in await ask(player, "accesstoken", token=request_token, status=401)
    page = await authorise(player, request_token, oauth_callback="https://me.example/back?a=1", user="7")
    assert page.status == 302
    assert page.headers["Location"] == (
        f"https://me.example/back?a=1&oauth_token={request_token.token}&status=Authorised"
    )
    access_token = await ask(player, "accesstoken", token=request_token, accept=accept)
    assert access_token != request_token
    async with player.get("/users/7/locker", token=access_token) as answer:
        assert answer.status == 200
    async with player.get("/users/8/locker", token=access_token) as answer:
        assert answer.status == 403
    assert "refused" in await ask(player, "accesstoken", token=request_token, status=401)


async def test_tokens_are_good_for_what_they_are_meant_for(player):
    request_token = await ask(player, "requesttoken")
    async with player.get("/users/7/locker", token=request_token) as answer:
        assert answer.status == 401
    await ask(player, "accesstoken", token=player.sandbox.token_for("7"), status=401)
    await ask(player, "accesstoken", status=401)
    await ask(player, "accesstoken", token=UserToken(request_token.token, "wrong"), status=401)


async def test_an_access_token_too_many_pushes_out_the_oldest(player):
    tokens = []
    for _ in range(MAX_ACCESS_TOKENS + 1):
        request_token = await ask(player, "requesttoken")
        assert (await authorise(player, request_token)).status == 200
        tokens.append(await ask(player, "accesstoken", token=request_token))
    statuses = []
    for token in tokens:
        async with player.get("/users/500123/locker", token=token) as answer:
            statuses.append(answer.status)
    assert statuses == [401, *[200] * MAX_ACCESS_TOKENS]


async def test_the_page_refuses_what_it_does_not_know(player):
    assert (await authorise(player, UserToken("nobody", "knows"))).status == 401
    request_token = await ask(player, "requesttoken")
    assert (await authorise(player, request_token, oauth_callback="javascript:alert(1)")).status == 400
    elsewhere = f"{player.sandbox.base_url}/other-key/oauth/authorise?oauth_token={request_token.token}"
    assert (await player.fetch(elsewhere, signed=False)).status == 401
