"""Requests and answers as the vendor's live pages print them, in this project's own keeping.

A request is a call of a method beside the verb, the address (signature left out) and the body that the page has for it;
where a page has no example, the address and the parameters that it lists.
"""

# ruff: noqa: E501 - addresses stay on one line

from datetime import UTC, date, datetime
from decimal import Decimal

from sevendigital_async import StreamLog
from sevendigital_async.models import PlaybackEvent, PlaylistTag, PlaylistTrackInput

API = "https://api.7digital.com/1.2"
STREAM = "https://stream.svc.7digital.net"
MEDIA = "https://media.geo.7digital.com/media"
RADIO = "https://7digital-skippi.radio.7digital.net/listeningSession"
PREVIEWS = "https://previews.7digital.com"

PLAYED = datetime(2021, 5, 10, 11, 39, 28, 898120, tzinfo=UTC)
AGENT = "Device version 3, App version 6"
SUBSCRIBER = StreamLog(
    "673059",
    PLAYED,
    "141732543",
    None,
    6,
    "EE",
    release_id="64705",
    format_id="33",
    play_mode="online",
    user_agent=AGENT,
)
CATALOGUE = StreamLog(
    "673059",
    PLAYED,
    "141732543",
    None,
    12,
    "EE",
    release_id="64705",
    format_id="33",
    end_reason="naturalEnd",
    user_agent="Device",
)
PREVIEW = StreamLog(
    "673059", PLAYED, "141732543", None, 0, "EE", play_mode="online", play_type="view", user_agent=AGENT
)
NO_YOU_GIRLS = PlaylistTrackInput("5495893", "No You Girls", "Franz Ferdinand", source="7digital")
EVERYTHING = PlaylistTrackInput(
    "1",
    "t",
    "a",
    source="s",
    audio_url="https://x.example/1",
    image="https://x.example/1.jpg",
    version="v",
    artist_id="2",
    release_id="3",
    release_title="r",
    release_version="w",
    release_artist_id="4",
    release_artist="b",
)
EVENT = PlaybackEvent("123", "start", PLAYED, playlist_id="9", format_id="26")
SKIP = PlaybackEvent("123", "skip", PLAYED, playlist_id="9")
MIDNIGHT = "2021-09-11T00:00:00Z"

REQUESTS = {
    "browse_artists": (lambda p: p.catalogue.browse_artists("b"), f"GET {API}/artist/browse?letter=b&page=1", None),
    "artist_details": (lambda p: p.catalogue.artist_details("1"), f"GET {API}/artist/details?artistId=1", None),
    "artist_releases": (
        lambda p: p.catalogue.artist_releases("1", country="GB"),
        f"GET {API}/artist/releases?artistid=1&page=1&country=GB",
        None,
    ),
    "search_artists": (lambda p: p.catalogue.search_artists("x"), f"GET {API}/artist/search?q=x&page=1", None),
    "releases_batch": (
        lambda p: p.catalogue.releases_batch(["1", "2", "3"], show_errors=True),
        f"GET {API}/release/details/batch?releaseids=1,2,3&showerrors=true",
        None,
    ),
    "release_details": (
        lambda p: p.catalogue.release_details("1", usage_types=["download", "subscriptionstreaming"]),
        f"GET {API}/release/details?releaseid=1&usageTypes=download,subscriptionstreaming",
        None,
    ),
    "release_tracks": (
        lambda p: p.catalogue.release_tracks("1", page_size=50),
        f"GET {API}/release/tracks?releaseid=1&pageSize=50",
        None,
    ),
    "search_releases": (lambda p: p.catalogue.search_releases("x"), f"GET {API}/release/search?q=x&page=1", None),
    "search_tracks": (lambda p: p.catalogue.search_tracks("x"), f"GET {API}/track/search?q=x&page=1", None),
    "tracks_batch": (
        lambda p: p.catalogue.tracks_batch(["2146", "1347"], show_errors=True),
        f"GET {API}/track/details/batch?trackids=2146,1347&showerrors=true",
        None,
    ),
    "track_details": (lambda p: p.catalogue.track_details("1"), f"GET {API}/track/details?trackid=1", None),
    "create_session": (
        lambda p: p.radio.create_session(user_id="7", playlist_ids=["9"]),
        f"POST {RADIO}/start",
        {"userId": "7", "playlistIds": ["9"]},
    ),
    "delete_session": (lambda p: p.radio.delete_session("s"), f"DELETE {RADIO}/s", None),
    "next_track": (lambda p: p.radio.next_track("s"), f"GET {RADIO}/s/nextTrack", None),
    "started": (
        lambda p: p.radio.post_events("s", events=[EVENT]),
        f"POST {RADIO}/s/playStarted?trackId=123&playlistId=9&formatId=26",
        None,
    ),
    "skipped": (
        lambda p: p.radio.post_events("s", events=[SKIP]),
        f"POST {RADIO}/s/skip?trackId=123&playlistId=9",
        None,
    ),
    "clip": (lambda p: p.streaming.preview("123"), f"GET {PREVIEWS}/clip/123", None),
    "catalogue_hls": (
        lambda p: p.streaming.catalogue_hls("1", format_id="26", country="GB"),
        f"GET {STREAM}/stream/catalogue.m3u8?trackId=1&formatId=26&country=GB",
        None,
    ),
    "catalogue": (
        lambda p: p.streaming.catalogue("1", format_id="26", country="GB"),
        f"GET {STREAM}/stream/catalogue?trackId=1&formatId=26&country=GB",
        None,
    ),
    "locker_hls": (
        lambda p: p.streaming.locker_hls("1", format_id="26", country="GB", user_id="7"),
        f"GET {STREAM}/stream/locker.m3u8?trackId=1&formatId=26&country=GB&userId=7",
        None,
    ),
    "locker_stream": (
        lambda p: p.streaming.locker("1", format_id="26", country="GB", user_id="7"),
        f"GET {STREAM}/stream/locker?trackId=1&formatId=26&country=GB&userId=7",
        None,
    ),
    "subscription_hls": (
        lambda p: p.streaming.subscription_hls("123456", country="GB", user_id="1234", format_id="56"),
        f"GET {STREAM}/stream/subscription.m3u8?country=GB&userid=1234&trackid=123456&formatid=56",
        None,
    ),
    "subscription": (
        lambda p: p.streaming.subscription("1", country="GB", user_id="7", format_id="56", client_id="d"),
        f"GET {STREAM}/stream/subscription?trackId=1&formatId=56&country=GB&userId=7&clientId=d",
        None,
    ),
    "offline_hls": (
        lambda p: p.streaming.subscription_offline_hls("1", country="GB", user_id="7", format_id="56"),
        f"GET {STREAM}/offline/subscription.m3u8?trackId=1&formatId=56&country=GB&userId=7",
        None,
    ),
    "offline": (
        lambda p: p.streaming.subscription_offline("1", country="GB", user_id="7", format_id="56", client_id="d"),
        f"GET {STREAM}/offline/subscription?trackId=1&formatId=56&country=GB&userId=7&clientId=d",
        None,
    ),
    "authorise": (
        lambda p: p.offline_devices.authorise("141732543", device_id="e5ada89d", country="GB"),
        f"POST {API}/user/unlimitedStreaming/offline?country=GB&userId=141732543",
        {"offlineStatus": {"clientId": "e5ada89d", "offlineEnabled": True}},
    ),
    "unauthorise": (
        lambda p: p.offline_devices.authorise("7", device_id="d", offline_enabled=False),
        f"POST {API}/user/unlimitedStreaming/offline?userId=7",
        {"offlineStatus": {"clientId": "d", "offlineEnabled": False}},
    ),
    "device_status": (
        lambda p: p.offline_devices.status("7", device_id="d"),
        f"GET {API}/user/unlimitedStreaming/offline?userId=7&clientId=d",
        None,
    ),
    "devices": (lambda p: p.offline_devices.list("7"), f"GET {API}/user/offlineclients?userId=7", None),
    "purchase_zip": (
        lambda p: p.downloads.purchase("7", purchase_id="49193524", country="GB"),
        f"GET {MEDIA}/user/download/purchase?purchaseId=49193524&country=GB&userId=7",
        None,
    ),
    "release_zip": (
        lambda p: p.downloads.release("7", release_id="2"),
        f"GET {MEDIA}/user/download/release?releaseId=2&userId=7",
        None,
    ),
    "bought_track": (
        lambda p: p.downloads.track("7", track_id="1", release_id="2", format_id="17"),
        f"GET {MEDIA}/user/downloadtrack?releaseid=2&trackid=1&formatid=17&userid=7",
        None,
    ),
    "locker": (
        lambda p: p.sales.locker("7", country="GB", page_size=5, sort="purchaseDate desc"),
        f"GET {API}/user/locker?userId=7&country=GB&page=1&pageSize=5&sort=purchaseDate desc",
        None,
    ),
    "deliveritem": (
        lambda p: p.sales.credit_item(
            user_id="7",
            currency="GBP",
            price=Decimal("7.99"),
            release_id="2",
            track_id="1",
            country="GB",
            transaction_id="t-1",
        ),
        f"GET {API}/user/deliveritem?userId=7&releaseId=2&trackId=1&country=GB&transactionId=t-1&retailPrice=7.99&currency=GBP",
        None,
    ),
    "refund_release": (
        lambda p: p.sales.refund_release(user_id="7", purchase_id="49193524", release_id="87654"),
        f"DELETE {API}/user/purchase/49193524/release/87654",
        None,
    ),
    "refund_track": (
        lambda p: p.sales.refund_track(user_id="7", purchase_id="49193524", track_id="3"),
        f"DELETE {API}/user/purchase/49193524/track/3",
        None,
    ),
    "locker_with_filters": (
        lambda p: p.sales.locker("7", country="GB", release_id="1", track_id="2", purchase_id="3"),
        f"GET {API}/user/locker?userId=7&country=GB&page=1&releaseId=1&trackId=2&purchaseId=3",
        None,
    ),
    "playlists": (lambda p: p.playlists.list(country="GB"), f"GET {API}/playlists?country=GB&page=1", None),
    "my_playlists": (
        lambda p: p.playlists.list(user_id="7", country="GB"),
        f"GET {API}/user/playlists?userId=7&country=GB&page=1",
        None,
    ),
    "create_playlist": (
        lambda p: p.playlists.create("Summer Vibez", status="published", tracks=[NO_YOU_GIRLS], country="GB"),
        f"POST {API}/playlists?country=GB",
        {
            "name": "Summer Vibez",
            "status": "published",
            "tracks": [
                {
                    "trackId": "5495893",
                    "trackTitle": "No You Girls",
                    "artistAppearsAs": "Franz Ferdinand",
                    "source": "7digital",
                }
            ],
        },
    ),
    "update_playlist": (
        lambda p: p.playlists.update(
            "51ed5cfe", name="party time", visibility="private", status="published", country="GB"
        ),
        f"POST {API}/playlists/51ed5cfe/details?country=GB",
        {"name": "party time", "status": "published", "visibility": "private"},
    ),
    "add_tracks": (
        lambda p: p.playlists.add_tracks("51ed5cfe", tracks=[NO_YOU_GIRLS], country="GB"),
        f"POST {API}/playlists/51ed5cfe/tracks?country=GB",
        [
            {
                "trackId": "5495893",
                "trackTitle": "No You Girls",
                "artistAppearsAs": "Franz Ferdinand",
                "source": "7digital",
            }
        ],
    ),
    "add_tracks_by_id": (
        lambda p: p.playlists.add_tracks("51ed5cfe", tracks=[PlaylistTrackInput("5495893")], country="GB"),
        f"POST {API}/playlists/51ed5cfe/tracks?country=GB",
        [{"trackId": "5495893"}],
    ),
    "create_playlist_with_everything": (
        lambda p: p.playlists.create(
            "Everything",
            country="GB",
            image="https://x.example/$size$.jpg",
            tags=["rock", PlaylistTag(name="1990s")],
            annotations={"mood": "dark"},
            tracks=[EVERYTHING],
        ),
        f"POST {API}/playlists?country=GB",
        {
            "name": "Everything",
            "image": "https://x.example/$size$.jpg",
            "tags": [{"name": "rock"}, {"name": "1990s"}],
            "annotations": {"mood": "dark"},
            "tracks": [
                {
                    "trackId": "1",
                    "trackTitle": "t",
                    "trackVersion": "v",
                    "artistId": "2",
                    "artistAppearsAs": "a",
                    "releaseId": "3",
                    "releaseTitle": "r",
                    "releaseVersion": "w",
                    "releaseArtistId": "4",
                    "releaseArtistAppearsAs": "b",
                    "source": "s",
                    "audioUrl": "https://x.example/1",
                    "image": "https://x.example/1.jpg",
                }
            ],
        },
    ),
    "playlists_with_tags": (
        lambda p: p.playlists.list(status="published", tags=["rock", "1990s"], country="GB"),
        f"GET {API}/playlists?country=GB&page=1&status=published&tags=rock,1990s",
        None,
    ),
    "playlist_tags": (lambda p: p.playlists.tags(country="GB"), f"GET {API}/playlists/tags?country=GB", None),
    "create_playlist_tags": (
        lambda p: p.playlists.create_tags(["rock", PlaylistTag(name="pop")]),
        f"POST {API}/playlists/tags",
        {"tags": [{"name": "rock"}, {"name": "pop"}]},
    ),
    "add_favourite": (
        lambda p: p.playlists.add_favourite("p", user_id="a/b"),
        f"PUT {API}/playlists/p/favourites/a%2Fb",
        None,
    ),
    "remove_favourite": (
        lambda p: p.playlists.remove_favourite("p", user_id="7", country="GB"),
        f"DELETE {API}/playlists/p/favourites/7?country=GB",
        None,
    ),
    "read_playlist": (lambda p: p.playlists.read("p", country="GB"), f"GET {API}/playlists/p?country=GB", None),
    "playlist_details": (
        lambda p: p.playlists.details("p", country="GB"),
        f"GET {API}/playlists/p/details?country=GB",
        None,
    ),
    "playlist_tracks": (
        lambda p: p.playlists.tracks("p", page_size=500, country="GB"),
        f"GET {API}/playlists/p/tracks?page=1&pageSize=500&country=GB",
        None,
    ),
    "replace_playlist": (
        lambda p: p.playlists.replace("p", name="party time", tracks=[], country="GB"),
        f"POST {API}/playlists/p?country=GB",
        {"name": "party time", "tracks": []},
    ),
    "delete_playlist": (lambda p: p.playlists.delete("p", country="GB"), f"DELETE {API}/playlists/p?country=GB", None),
    "move_track": (
        lambda p: p.playlists.move_track("6141e9", playlist_track_id="618265", after="52cd88", country="GB"),
        f"POST {API}/playlists/6141e9/tracks/618265/move?country=GB",
        {"pos": "52cd88"},
    ),
    "move_track_to_front": (
        lambda p: p.playlists.move_track("p", playlist_track_id="e", country="GB"),
        f"POST {API}/playlists/p/tracks/e/move?country=GB",
        {"pos": "0"},
    ),
    "remove_track": (
        lambda p: p.playlists.remove_track("p", playlist_track_id="e", country="GB"),
        f"DELETE {API}/playlists/p/tracks/e?country=GB",
        None,
    ),
    "groups": (
        lambda p: p.playlists.groups("12345", country="GB"),
        f"GET {API}/user/playlists/groups?userId=12345&country=GB",
        None,
    ),
    "create_group": (
        lambda p: p.playlists.create_group("My Mix A", playlist_ids=["a"], user_id="12345", country="GB"),
        f"POST {API}/user/playlists/groups?userId=12345&country=GB",
        {"name": "My Mix A", "playlists": ["a"]},
    ),
    "group": (
        lambda p: p.playlists.group("5891c0", user_id="12345", country="GB"),
        f"GET {API}/user/playlists/groups/5891c0?userId=12345&country=GB",
        None,
    ),
    "add_to_group": (
        lambda p: p.playlists.add_to_group("5891c0", playlist_ids=["a"], user_id="12345", country="GB"),
        f"POST {API}/user/playlists/groups/5891c0?userId=12345&country=GB",
        {"playlists": ["a"]},
    ),
    "replace_group": (
        lambda p: p.playlists.replace_group("5891c0", name="B", playlist_ids=["a"], user_id="12345", country="GB"),
        f"PUT {API}/user/playlists/groups/5891c0?userId=12345&country=GB",
        {"name": "B", "playlists": ["a"]},
    ),
    "delete_group": (
        lambda p: p.playlists.delete_group("5891c0", user_id="12345", country="GB"),
        f"DELETE {API}/user/playlists/groups/5891c0?userId=12345&country=GB",
        None,
    ),
    "create_subscription": (
        lambda p: p.subscriptions.create(
            user_id="massivemusic-test-user",
            product_id="premium-unlimited-streaming",
            currency="GBP",
            recurring_fee=10,
            country="GB",
            activated_at=date(2021, 9, 11),
            start_date=date(2021, 9, 11),
            end_date=date(2021, 10, 11),
        ),
        f"POST {API}/user/unlimitedStreaming",
        {
            "userId": "massivemusic-test-user",
            "planCode": "premium-unlimited-streaming",
            "status": "active",
            "currency": "GBP",
            "recurringFee": "10",
            "country": "GB",
            "activatedAt": MIDNIGHT,
            "currentPeriodStartDate": MIDNIGHT,
            "expiryDate": "2021-10-11T00:00:00Z",
        },
    ),
    "subscription_status": (lambda p: p.subscriptions.status("7"), f"GET {API}/user/unlimitedStreaming?userId=7", None),
    "create_user": (
        lambda p: p.users.create(user_id="7", country="GB"),
        f"GET {API}/user/create?userId=7&country=GB",
        None,
    ),
    "transfer": (
        lambda p: p.content_delivery.transfer_media("1", format_id="45"),
        f"GET {STREAM}/media/transfer?trackId=1&formatId=45",
        None,
    ),
    "subscriber_log": (
        lambda p: p.logging.subscriber([SUBSCRIBER]),
        f"POST {API}/user/subscription/log?country=EE&userId=141732543",
        {
            "playLogItem": [
                {
                    "trackId": 673059,
                    "releaseId": 64705,
                    "formatId": 33,
                    "playMode": "online",
                    "dateTimePlayed": "2021-05-10T11:39:28.898120Z",
                    "totalTimePlayed": 6,
                    "userAgent": AGENT,
                }
            ]
        },
    ),
    "catalogue_log": (
        lambda p: p.logging.catalogue([CATALOGUE]),
        f"POST {API}/catalogue/log?country=EE&userId=141732543",
        {
            "playLogItem": [
                {
                    "endReason": "naturalEnd",
                    "userId": "141732543",
                    "userAgent": "Device",
                    "totalTimePlayed": 12,
                    "dateTimePlayed": "2021-05-10T11:39:28.898120Z",
                    "formatId": 33,
                    "releaseId": 64705,
                    "trackId": 673059,
                }
            ]
        },
    ),
    "preview_log": (
        lambda p: p.logging.preview([PREVIEW]),
        f"POST {API}/preview/log?country=EE",
        {
            "logs": [
                {
                    "userId": "141732543",
                    "country": "EE",
                    "trackId": 673059,
                    "dateTimePlayed": "2021-05-10T11:39:28.898120Z",
                    "totalTimePlayed": 0,
                    "userAgent": AGENT,
                    "playMode": "online",
                    "playType": "view",
                }
            ]
        },
    ),
}

TRACK = {
    "id": 673059,
    "title": "No You Girls",
    "version": "",
    "artist": {"id": 14643, "name": "Franz Ferdinand", "appearsAs": "Franz Ferdinand"},
    "trackNumber": 1,
    "duration": 222,
    "popularity": 0.0,
    "download": {
        "releaseDate": "2009-01-26T00:00:00Z",
        "packages": [{"id": 2, "description": "standard", "price": {"currencyCode": "GBP", "sevendigitalPrice": 0.99}}],
    },
}
RELEASE = {
    "id": 496338,
    "title": "Tonight",
    "year": "2010",
    "artist": {"id": 14643, "name": "Franz Ferdinand"},
    "price": {"value": "9.49", "formattedPrice": "£9.49", "currency": {"code": "GBP", "value": "£"}},
}
PLAYLIST = {
    "id": "664daf0165c9a00484de697e",
    "name": "Summer Vibez",
    "status": "Published",
    "visibility": "Private",
    "tags": [{"name": "dance"}],
    "tracks": [
        {
            "id": "664daf0165c9a00484de697c",
            "trackId": "86729797",
            "source": "7digital",
            "audioUrl": "http://stream.svc.7digital.net/stream/catalogue?trackId=86729797",
            "dateAdded": "2024-05-22T08:38:25.5826017Z",
            "image": "",
        }
    ],
    "annotations": {},
    "lastUpdated": "2024-05-22T08:38:25.5826017Z",
    "partnerId": "13779",
}
GROUP = {
    "id": "5891c01057abd1052cc2bf1b",
    "name": "My Mix A",
    "playlistCount": 2,
    "lastUpdated": "2017-02-01T11:01:36.283Z",
    "_links": {"self": {"href": "http://api.7digital.com/1.2/user/playlists/groups/5891c01057abd1052cc2bf1b"}},
    "playlists": [
        {
            "id": "557ff48c17cd7e1698668d49",
            "name": "test",
            "trackCount": 10,
            "tags": [],
            "status": "Published",
            "visibility": "Private",
            "lastUpdated": "2015-06-16T10:04:09.314Z",
        },
        {"id": "5891c01057abd1052cc2bf1b"},
    ],
}
PAGED = {"page": 1, "pageSize": 10, "totalItems": 1}
