"""The streaming platform, media delivery and OAuth: what leaves, and what is made of the responses."""

import contextlib
from datetime import UTC, date, datetime
from decimal import Decimal
from urllib.parse import parse_qs, urlsplit

import attrs
import orjson
import pytest
from support import paths
from support.rows import each_row

from sevendigital_async import DecodeError, InvalidArgumentError, UserToken
from sevendigital_async.config import DEFAULT_HOSTS, Dialect
from sevendigital_async.models import (
    DeviceStatus,
    OAuthToken,
    Page,
    PlaybackEvent,
    PlaybackEventType,
    Playlist,
    PlaylistTrackInput,
    ReleaseType,
    Ruleset,
    SubscriptionState,
    Visibility,
)
from sevendigital_async.operations import REGISTRY
from sevendigital_async.resources.media import Media
from sevendigital_async.resources.media_handle import MediaHandle as Handle
from sevendigital_async.resources.oauth import OAuth
from sevendigital_async.resources.platform import Platform
from sevendigital_async.session.decode import decode
from sevendigital_async.session.document import parse
from sevendigital_async.session.request import build_request

SPEC = paths.SPEC / "streaming-platform.openapi.yml"
NOON = datetime(2026, 5, 28, 12, tzinfo=UTC)
TRACK = PlaylistTrackInput("1", "Hero & Co", "Skillet")


class Wire:
    """A fake client: keeps the requests, and decodes the same response for each."""

    def __init__(self, answer=b""):
        self.answer = answer
        self.requests = []
        self.user = None

    def request(self, operation, arguments):
        binding = operation.binding(Dialect.OPENAPI)
        request = build_request(operation, binding, DEFAULT_HOSTS[binding.host], arguments)
        self.requests.append(request)
        return request

    async def call(self, operation, /, **arguments):
        self.request(operation, arguments)
        return decode(operation, parse(self.answer, None), optional=operation.binding(Dialect.OPENAPI).optional)

    def media_of(self, operation, /, **arguments):
        def sign_url():
            request = self.request(operation, arguments)
            return f"{request.url}?{'&'.join('='.join(pair) for pair in request.query)}"

        return Handle(None, sign_url)

    def as_user(self, token):
        self.user = token
        return self


def decoded(name, answer, *, strict=False):
    return decode(REGISTRY.find(name), parse(answer, None), strict=strict)


# --- requests


SENT = {
    "browse_artists": (
        lambda p: p.catalogue.browse_artists("B", page_size=5),
        "GET /artists/browse?letter=B&page=1&pageSize=5",
        None,
    ),
    "artist_releases": (
        lambda p: p.catalogue.artist_releases("a/b", type=ReleaseType.EP, page=2),
        "GET /artists/a%2Fb/releases?type=ep&page=2",
        None,
    ),
    "releases_batch": (
        lambda p: p.catalogue.releases_batch(iter(["1", "2"]), show_errors=True),
        "POST /releases/details/batch",
        {"releaseIds": ["1", "2"], "showErrors": True},
    ),
    "tracks_batch": (
        lambda p: p.catalogue.tracks_batch(("1",)),
        "POST /tracks/details/batch",
        {"trackIds": ["1"]},
    ),
    "create_session": (
        lambda p: p.radio.create_session(user_id="u", playlist_ids={"p"}, ruleset=Ruleset.DMCA, country="GB"),
        "POST /interactive-radio/sessions",
        {"userId": "u", "playlistIds": ["p"], "ruleset": "dmca", "country": "GB"},
    ),
    "delete_session": (lambda p: p.radio.delete_session("s"), "DELETE /interactive-radio/sessions/s", None),
    "post_events": (
        lambda p: p.radio.post_events(
            "s",
            events=[
                PlaybackEvent("1", PlaybackEventType.START, NOON, 0),
                PlaybackEvent("1", "somethingNew", NOON),
            ],
        ),
        "POST /interactive-radio/sessions/s/events",
        {
            "events": [
                {"trackId": "1", "eventType": "start", "timestamp": "2026-05-28T12:00:00Z", "durationPlayed": 0},
                {"trackId": "1", "eventType": "somethingNew", "timestamp": "2026-05-28T12:00:00Z"},
            ]
        },
    ),
    "authorise": (
        lambda p: p.offline_devices.authorise("u", device_id="d", platform="ios"),
        "POST /users/u/unlimitedStreaming/offline",
        {"deviceId": "d", "platform": "ios"},
    ),
    "device status": (
        lambda p: p.offline_devices.status("u", device_id="d"),
        "GET /users/u/unlimitedStreaming/offline/d",
        None,
    ),
    "credit_item": (
        lambda p: p.sales.credit_item(user_id="u", currency="USD", price=Decimal("0.00"), release_id="1"),
        "POST /sales/credit-item",
        {"userId": "u", "currency": "USD", "price": "0.00", "releaseId": "1"},
    ),
    "credit_item in round figures": (
        lambda p: p.sales.credit_item(user_id="u", currency="JPY", price=Decimal("1E+3"), track_id="2"),
        "POST /sales/credit-item",
        {"userId": "u", "currency": "JPY", "price": "1000", "trackId": "2"},
    ),
    "refund_release": (
        lambda p: p.sales.refund_release(user_id="u", purchase_id="b"),
        "POST /sales/refund/release",
        {"userId": "u", "purchaseId": "b"},
    ),
    "refund_track": (
        lambda p: p.sales.refund_track(user_id="u", purchase_id="b", reason="no"),
        "POST /sales/refund/track",
        {"userId": "u", "purchaseId": "b", "reason": "no"},
    ),
    "create playlist": (
        lambda p: p.playlists.create("Run", visibility=Visibility.PUBLIC, tracks=[TRACK], user_id="u"),
        "POST /playlists?userId=u",
        {
            "name": "Run",
            "visibility": "public",
            "tracks": [{"trackId": "1", "title": "Hero & Co", "artist": "Skillet"}],
        },
    ),
    "update playlist": (
        lambda p: p.playlists.update("p", description=""),
        "PUT /playlists/p",
        {"description": ""},
    ),
    "add_tracks": (
        lambda p: p.playlists.add_tracks("p", tracks=[attrs.evolve(TRACK, audio_url="file://x", image="http://i")]),
        "POST /playlists/p/tracks",
        {
            "tracks": [
                {
                    "trackId": "1",
                    "title": "Hero & Co",
                    "artist": "Skillet",
                    "audioUrl": "file://x",
                    "image": "http://i",
                }
            ]
        },
    ),
    "create subscription": (
        lambda p: p.subscriptions.create(
            user_id="u", product_id="m", start_date=date(2026, 5, 28), end_date=date(2026, 6, 28)
        ),
        "POST /subscriptions",
        {"userId": "u", "productId": "m", "startDate": "2026-05-28", "endDate": "2026-06-28"},
    ),
    "create user": (
        lambda p: p.users.create(email="a@b", password="p&w", country="GB", first_name="J"),
        "POST /users",
        {"email": "a@b", "password": "p&w", "country": "GB", "firstName": "J"},
    ),
    "subscription_hls": (
        lambda p: p.streaming.subscription_hls("1", client_id="d"),
        "GET /streaming/subscription/1/hls?clientId=d",
        None,
    ),
}


@pytest.mark.parametrize("case", SENT)
async def test_what_leaves(case):
    act, line, body = SENT[case]
    wire = Wire()
    with contextlib.suppress(DecodeError):  # the response is empty: only the request matters here
        await act(Platform(wire))
    (request,) = wire.requests
    query = "&".join(f"{name}={value}" for name, value in request.query)
    path = request.url.removeprefix("https://api.7digital.com")
    assert f"{request.http_method} {path}" + (f"?{query}" if query else "") == line
    sent = dict(request.form) if request.form else request.body and orjson.loads(request.body)
    assert sent == body


MEDIA = {
    "preview": (lambda p: p.streaming.preview("1", format="mp3"), "/streaming/preview/1?format=mp3"),
    "catalogue": (lambda p: p.streaming.catalogue("1"), "/streaming/catalogue/1/progressive?"),
    "locker": (lambda p: p.streaming.locker("1"), "/streaming/locker/1/progressive?"),
    "subscription": (lambda p: p.streaming.subscription("1"), "/streaming/subscription/1/progressive?"),
    "offline": (lambda p: p.streaming.subscription_offline("1"), "/streaming/subscription/1/offline/progressive?"),
    "purchase": (lambda p: p.downloads.purchase("u", purchase_id="b"), "/users/u/downloads/purchases/b?"),
    "release": (lambda p: p.downloads.release("u", release_id="2"), "/users/u/downloads/releases/2?"),
    "track": (lambda p: p.downloads.track("u", track_id="1"), "/users/u/downloads/tracks/1?"),
    "transfer": (
        lambda p: p.content_delivery.transfer_media("1", format="flac", bitrate=1411),
        "/content-delivery/media-transfer?trackId=1&format=flac&bitrate=1411",
    ),
}


@each_row("case", MEDIA)
def test_media_of_the_platform(case):
    act, address = MEDIA[case]
    assert act(Platform(Wire())).url() == f"https://api.7digital.com{address}"


def test_media_delivery_has_hosts_of_its_own():
    media = Media(Wire())
    owned = {"track_id": "1", "release_id": "2", "format_id": "17"}
    files, streams = "https://media.geo.7digital.com/media", "https://stream.svc.7digital.net/media"
    assert media.download_track(**owned).url() == f"{files}/user/downloadtrack?trackId=1&releaseId=2&formatId=17"
    assert media.stream_track(**owned).url() == f"{streams}/user/streamtrack?trackId=1&releaseId=2&formatId=17"
    assert media.download_release("2", error_url="e").url() == f"{files}/user/download/release?releaseId=2&errorUrl=e"
    assert media.download_purchase("3", user_id="u").url() == f"{files}/user/download/purchase?purchaseId=3&userId=u"
    assert media.download(track_id="1", format_id="17").url() == f"{files}/track/download?trackId=1&formatId=17"
    wanted = f"{streams}/track/stream?trackId=1&country=DE"
    assert media.stream("1", country="DE").url() == media.stream_url(track_id="1", country="DE") == wanted


REFUSED = {
    "page_size": [
        lambda p: p.catalogue.browse_artists("B", page_size=101),
        lambda p: p.sales.locker("u", page_size=0),
        lambda p: p.playlists.list(page_size=101),
    ],
    "page": [lambda p: p.catalogue.search_tracks("x", page=0)],
    "letter": [lambda p: p.catalogue.browse_artists("")],
    "release_ids": [lambda p: p.catalogue.releases_batch([]), lambda p: p.catalogue.releases_batch("12")],
    "track_ids": [lambda p: p.catalogue.tracks_batch([])],
    "playlist_ids": [lambda p: p.radio.create_session(user_id="u", playlist_ids=[])],
    "events": [lambda p: p.radio.post_events("s", events=[])],
    "country": [
        lambda p: p.radio.create_session(user_id="u", playlist_ids=["p"], country="GBR"),
        lambda p: p.users.create(email="a@b", password="p", country="UK!"),
    ],
    "price": [
        lambda p: p.sales.credit_item(user_id="u", currency="USD", price=Decimal(-1)),
        lambda p: p.sales.credit_item(user_id="u", currency="USD", price=Decimal("1.999")),
    ],
    "name": [lambda p: p.playlists.create(" ")],
    "description": [
        lambda p: p.playlists.create("n", description="x" * 501),
        lambda p: p.playlists.update("p", description="x" * 501),
    ],
    "tracks": [lambda p: p.playlists.add_tracks("p", tracks=[])],
    "end_date": [
        lambda p: p.subscriptions.create(
            user_id="u", product_id="m", start_date=date(2026, 5, 28), end_date=date(2026, 6, 29)
        )
    ],
    "session_id": [lambda p: p.radio.next_track("..")],
}


@pytest.mark.parametrize(("argument", "act"), [(name, act) for name, acts in REFUSED.items() for act in acts])
async def test_what_never_leaves(argument, act):
    wire = Wire()
    with pytest.raises(InvalidArgumentError) as caught:
        await act(Platform(wire))
    assert caught.value.argument == argument
    assert wire.requests == []


@each_row(
    ("make", "argument"),
    [
        (lambda: PlaybackEvent("", "start", NOON), "track_id"),
        (lambda: PlaybackEvent("1", "", NOON), "event_type"),
        (lambda: PlaybackEvent("1", "start", NOON.replace(tzinfo=None)), "timestamp"),
        (lambda: PlaybackEvent("1", "start", "2026-05-28T12:00:00Z"), "timestamp"),
        (lambda: PlaybackEvent("1", "start", NOON, -1), "duration_played"),
        (lambda: PlaybackEvent("1", "start", NOON, duration_played=True), "duration_played"),
        (lambda: PlaylistTrackInput("1", "", "a"), "title"),
        (lambda: PlaylistTrackInput("1", "t", " "), "artist"),
        (lambda: PlaylistTrackInput("1", "t", "a", source=""), "source"),
    ],
)
def test_objects_in_requests_are_checked_when_they_are_made(make, argument):
    with pytest.raises(InvalidArgumentError, match=argument) as caught:
        make()
    assert caught.value.argument == argument


# --- answers


@pytest.mark.parametrize(
    "answer",
    [
        b'{"status":"ok","releases":[{"id":"1"}],"errors":[{"code":2001,"message":"no","index":1}]}',
        b'{"items":{"releases":[{"id":1}],"errors":[{"code":"2001","message":"no","index":"1"}]}}',
        b"""<response status="ok"><items><releases><release id="1"/></releases>
        <errors><error index="1" code="2001"><errorMessage>no</errorMessage></error></errors></items></response>""",
    ],
)
def test_batches_in_each_shape(answer):
    batch = decoded("platform.catalogue.releases_batch", answer)
    assert [release.id for release in batch.releases] == ["1"]
    (error,) = batch.errors
    assert (error.index, error.code, error.message) == (1, 2001, "no")


@pytest.mark.parametrize(
    "answer",
    [
        b'{"status":"ok","tracks":[],"errors":null}',
        b'{"items":{"tracks":[],"errors":[]}}',
        b'{"items":{}}',
        b'<response status="ok"><items><tracks/><errors/></items></response>',
        b'<response status="ok"><items/></response>',
    ],
)
def test_a_batch_in_which_nothing_was_found(answer):
    batch = decoded("platform.catalogue.tracks_batch", answer)
    assert (batch.tracks, batch.errors) == ((), ())


def test_devices():
    one = {"deviceId": 7, "platform": "toaster", "status": "Authorised", "authorisedAt": "2026-05-01T10:00:00Z"}
    (device,) = decoded("platform.offline_devices.list", orjson.dumps({"devices": [one]}))
    assert (device.device_id, device.platform, device.status) == ("7", "toaster", DeviceStatus.AUTHORISED)
    assert device.authorised_at == datetime(2026, 5, 1, 10, tzinfo=UTC)
    assert decoded("platform.offline_devices.status", orjson.dumps(one)) == device
    assert decoded("platform.offline_devices.list", b'{"devices":[]}').items == ()
    live = decoded("platform.offline_devices.authorise", b'{"offlineStatus":{"clientId":"7","offlineEnabled":true}}')
    assert (live.device_id, live.offline_enabled) == ("7", True)


@pytest.mark.parametrize(
    ("annotations", "wanted"),
    [
        ({"a": "b", "c": None}, {"a": "b"}),
        ([{"key": "a", "value": "b"}, {"key": "c", "value": "d"}], {"a": "b", "c": "d"}),
        ({"annotation": {"key": "a", "value": "b"}}, {"a": "b"}),
        ([], {}),
        ("", {}),
    ],
)
def test_annotations_in_each_shape(annotations, wanted):
    tree = {"playlist": {"id": "p", "annotations": annotations}}
    assert decoded("platform.playlists.read", orjson.dumps(tree)).annotations == wanted


def test_annotations_that_are_none():
    odd = b'{"playlist":{"id":"p","annotations":["a"]}}'
    assert decoded("platform.playlists.read", odd) == Playlist(id="p")
    with pytest.raises(DecodeError, match=r"annotations is a list, not an object"):
        decoded("platform.playlists.read", odd, strict=True)


def test_playlists_in_json_and_xml():
    bare = decoded(
        "platform.playlists.create",
        b'{"id":"p","name":"Run","visibility":"Private","userId":null,"tracks":[{"trackId":1,"title":"T","position":1}]}',
    )
    assert (bare.id, bare.visibility, bare.user_id) == ("p", Visibility.PRIVATE, None)
    wrapped = decoded("platform.playlists.update", b'{"playlist":{"id":"p","status":"Published"}}')
    assert (wrapped.id, wrapped.status, wrapped.tracks) == ("p", "Published", ())
    xml = decoded(
        "platform.playlists.add_tracks",
        b'<response status="ok"><playlist id="p"><name>Run</name><visibility>private</visibility>'
        b"<tracks><track><trackId>1</trackId><title>T</title><position>1</position></track></tracks>"
        b"</playlist></response>",
    )
    assert xml == bare
    page = decoded("platform.playlists.list", b'{"page":2,"pageSize":1,"totalItems":3,"playlists":[{"id":"p"}]}')
    assert isinstance(page, Page)
    assert (page.page, page.total_items, page[0].id) == (2, 3, "p")


def test_radio_and_subscriptions():
    session = decoded("platform.radio.create_session", b'{"sessionId":"s","ruleset":"gvl","skipsRemaining":0}')
    assert (session.session_id, session.ruleset, session.skips_remaining) == ("s", Ruleset.GVL, 0)
    track = decoded("platform.radio.next_track", b'{"track":{"id":1},"streamUrl":"https://x?sig=secret"}')
    assert (track.track.id, track.skip_allowed) == ("1", None)
    assert "secret" not in repr(track)
    subscription = decoded("platform.subscriptions.create", b'{"subscriptionId":"x","status":"active"}')
    assert (subscription.subscription_id, subscription.status) == ("x", SubscriptionState.ACTIVE)


DELIVERED = b"""<response status="ok" version="1.2"><purchase id="50454737">
<purchaseDate>2009-11-10T14:59:39Z</purchaseDate><lockerReleases><lockerRelease><release id="415019">
<title>Perfect</title></release><lockerTracks><lockerTrack><track id="4648051"/><remainingDownloads>15
</remainingDownloads></lockerTrack></lockerTracks></lockerRelease></lockerReleases></purchase></response>"""


def test_a_sale_comes_back_as_a_purchase():
    purchase = decoded("platform.sales.credit_item", DELIVERED)
    assert purchase.purchase_id == "50454737"
    (release,) = purchase.locker_releases
    assert (release.release.title, release.tracks[0].track.id) == ("Perfect", "4648051")


@pytest.mark.parametrize("answer", [b"", b'<response status="ok" version="1.2"/>', b"{}", b"OK"])
async def test_a_sale_may_come_back_as_nothing(answer):
    sales = Platform(Wire(answer)).sales
    assert await sales.credit_item(user_id="u", currency="USD", price=Decimal(1), track_id="1") is None


def test_a_purchase_that_does_not_fit_is_an_error_all_the_same():
    with pytest.raises(DecodeError, match=r"\$\.purchase\.id is a list"):
        decoded("platform.sales.credit_item", b'{"purchase":{"id":["1","2"],"purchaseDate":"soon"}}')


def test_manifests_are_text():
    assert decoded("platform.streaming.catalogue_hls", b"#EXTM3U\n") == "#EXTM3U\n"


# --- OAuth


TOKENS = {
    "XML": (
        b'<response status="ok" version="1.2"><oauth_request_token><oauth_token>T&amp;1</oauth_token>'
        b"<oauth_token_secret>S</oauth_token_secret></oauth_request_token></response>"
    ),
    "bare XML": (
        b"<oauth_access_token><oauth_token>T&amp;1</oauth_token><oauth_token_secret>S</oauth_token_secret>"
        b"</oauth_access_token>"
    ),
    "form": b"oauth_token=T%261&oauth_token_secret=S&oauth_callback_confirmed=true\n",
    "JSON": b'{"oauth_token":"T&1","oauth_token_secret":"S"}',
}


@pytest.mark.parametrize("form", TOKENS)
def test_tokens_come_in_several_forms(form):
    token = decoded("oauth.request_token", TOKENS[form])
    assert token == OAuthToken(token="T&1", secret="S")
    assert token.user_token == UserToken("T&1", "S")
    assert "T&1" not in repr(token)


@pytest.mark.parametrize("answer", [b"oauth_token=T", b"", b"<response status='ok'/>", b"oauth_token=T and so on"])
def test_half_a_token_is_none(answer):
    with pytest.raises(DecodeError, match=r"oauth\.access_token"):
        decoded("oauth.access_token", answer)


async def test_the_flow():
    wire = Wire(TOKENS["form"])
    oauth = OAuth(wire, consumer_key="a key", account_origin="https://account.7digital.com")
    token = await oauth.request_token(client_identifier="Jo's phone", country="GB")
    assert wire.requests[0].query == (("xoauth_client_identifier", "Jo's phone"), ("country", "GB"))
    page = urlsplit(oauth.authorise_url(token, callback="https://me/?a=1&b=2"))
    assert (page.netloc, page.path) == ("account.7digital.com", "/a%20key/oauth/authorise")
    assert parse_qs(page.query) == {"oauth_token": ["T&1"], "oauth_callback": ["https://me/?a=1&b=2"]}
    assert oauth.authorise_url("T") == "https://account.7digital.com/a%20key/oauth/authorise?oauth_token=T"
    assert await oauth.access_token(token) == token
    assert wire.user == UserToken("T&1", "S")
    assert wire.requests[1].url == "https://api.7digital.com/1.2/oauth/accesstoken"
    assert await oauth.access_token(UserToken("x", "y")) == token
    assert wire.user == UserToken("x", "y")


# --- the whole file


def leaves(thing):
    """Yield the single values in a tree or a model, spelled alike."""
    if attrs.has(type(thing)):
        thing = attrs.asdict(thing, recurse=False)
    if isinstance(thing, dict):
        for inner in thing.values():
            yield from leaves(inner)
    elif isinstance(thing, list | tuple):
        for inner in thing:
            yield from leaves(inner)
    elif isinstance(thing, datetime):
        yield thing.isoformat().replace("+00:00", "Z")
    elif thing is not None:
        yield str(thing)


def examples():
    if not SPEC.exists():
        return []
    from support.openapi import example, read  # noqa: PLC0415 - what it needs may be missing where the file is

    return [(stated.id, example(stated.answer)) for stated in read(SPEC) if stated.answer is not None]


@pytest.mark.skipif(not SPEC.exists(), reason="the API's own file is not here")
@pytest.mark.parametrize(("operation_id", "tree"), examples(), ids=lambda value: value if type(value) is str else "")
def test_every_example_decodes_with_no_value_lost(operation_id, tree):
    (operation,) = (one for one in REGISTRY if one.id == operation_id and one.name.startswith("platform."))
    value = decode(operation, parse(orjson.dumps(tree), "application/json"))
    assert set(leaves({name: inner for name, inner in tree.items() if inner != "ok"})) <= set(leaves(value))
