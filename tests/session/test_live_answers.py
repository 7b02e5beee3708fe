"""Answers as the live pages print them become the models that the other dialect's answers become."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import orjson
from support.live_examples import GROUP, NO_YOU_GIRLS, PAGED, PLAYLIST, RELEASE, TRACK
from support.rows import each_row

from sevendigital_async import Dialect, SevenDigital
from sevendigital_async.models import Page, PlaybackEvent, PlaylistTrackInput
from sevendigital_async.operations import REGISTRY
from sevendigital_async.session.decode import decode
from sevendigital_async.session.document import parse

STATED = {"status": "ok", "version": "1.2"}
DELIVERED = b"""<?xml version="1.0"?>
<response status="ok" version="1.2"><purchase id="49193524"><purchaseDate>2021-09-11T10:54:35Z</purchaseDate>
<lockerReleases><lockerRelease><release id="496338"><title>Tonight</title></release><lockerTracks/></lockerRelease>
</lockerReleases></purchase></response>"""

DEVICE = b"""<response status="ok" version="1.2">
<offlineStatus><offlineEnabled>true</offlineEnabled><offlineMaxTrackCount>4000</offlineMaxTrackCount></offlineStatus>
</response>"""

ANSWERS = {
    "artist releases, enveloped": (
        "platform.catalogue.artist_releases",
        {**STATED, "schema": "x", "releases": {**PAGED, "releases": [RELEASE]}},
        lambda page: (page.total_items, page[0].id, page[0].artist.name) == (1, "496338", "Franz Ferdinand"),
    ),
    "release tracks, flat": (
        "platform.catalogue.release_tracks",
        {**PAGED, "tracks": [TRACK]},
        lambda page: (page.total_items, page[0].id, page[0].download.packages[0].id) == (1, "673059", "2"),
    ),
    "release details": (
        "platform.catalogue.release_details",
        {"release": RELEASE},
        lambda release: (release.id, release.title) == ("496338", "Tonight"),
    ),
    "track details": ("platform.catalogue.track_details", {"track": TRACK}, lambda track: track.duration == 222),
    "releases in batch": (
        "platform.catalogue.releases_batch",
        {"items": {"releases": [RELEASE], "errors": [{"itemId": 5, "code": 2001, "errorMessage": "not found"}]}},
        lambda batch: (batch.releases[0].id, batch.errors[0].item_id, batch.errors[0].code) == ("496338", "5", 2001),
    ),
    "tracks in batch": (
        "platform.catalogue.tracks_batch",
        {"items": {"tracks": [TRACK]}},
        lambda batch: (batch.tracks[0].id, batch.errors) == ("673059", ()),
    ),
    "search": (
        "platform.catalogue.search_tracks",
        {**STATED, "searchResults": {**PAGED, "searchResult": [{"type": "track", "score": 1.0, "track": TRACK}]}},
        lambda page: page[0].artist.id == "14643",
    ),
    "locker": (
        "platform.sales.locker",
        {**STATED, "locker": {"lockerReleases": {**PAGED, "lockerRelease": [{"release": RELEASE}]}}},
        lambda page: (page.total_items, page[0].release.id) == (1, "496338"),
    ),
    "credit item, XML whatever is asked for": (
        "platform.sales.credit_item",
        DELIVERED,
        lambda purchase: (purchase.purchase_id, purchase.locker_releases[0].release.id) == ("49193524", "496338"),
    ),
    "offline device, XML": (
        "platform.offline_devices.authorise",
        DEVICE,
        lambda device: (device.offline_enabled, device.offline_max_track_count) == (True, 4000),
    ),
    "offline device, JSON": (
        "platform.offline_devices.status",
        {**STATED, "offlineStatus": {"offlineEnabled": True, "offlineMaxTrackCount": 4000}},
        lambda device: device.offline_enabled is True,
    ),
    "devices": (
        "platform.offline_devices.list",
        {**STATED, "offlineClients": [{"clientId": "d", "offlineEnabled": True}]},
        lambda page: page[0].device_id == "d",
    ),
    "subscription": (
        "platform.subscriptions.create",
        {"streaming": {"level": "premium", "expiryDate": "2021-10-11T10:54:35Z"}},
        lambda made: (made.level, made.expiry_date) == ("premium", datetime(2021, 10, 11, 10, 54, 35, tzinfo=UTC)),
    ),
    "subscription status": (
        "platform.subscriptions.status",
        {"streaming": {"level": "premium", "expiryDate": "2021-10-11T10:54:35Z"}},
        lambda status: status.level == "premium",
    ),
    "playlist": (
        "platform.playlists.create",
        {"playlist": PLAYLIST},
        lambda made: (
            (made.id, made.tracks[0].id, made.tracks[0].track_id, made.visibility)
            == ("664daf0165c9a00484de697e", "664daf0165c9a00484de697c", "86729797", "private")
        ),
    ),
    "playlist, moved": (
        "platform.playlists.move_track",
        {"playlist": {"id": "p", "tracks": [{"playlistItemId": "52cd88", "trackId": "1", "artistAppearsAs": "MGMT"}]}},
        lambda moved: (moved.tracks[0].id, moved.tracks[0].artist) == ("52cd88", "MGMT"),
    ),
    "playlist tracks": (
        "platform.playlists.tracks",
        {**PAGED, "tracks": PLAYLIST["tracks"]},
        lambda page: (page.page_size, page[0].id) == (10, "664daf0165c9a00484de697c"),
    ),
    "playlists": (
        "platform.playlists.list",
        {**PAGED, "playlists": [PLAYLIST]},
        lambda page: page[0].name == "Summer Vibez",
    ),
    "playlist group": (
        "platform.playlists.group",
        {"playlistGroup": GROUP},
        lambda group: (
            (group.playlist_count, [each.id for each in group.playlists])
            == (2, ["557ff48c17cd7e1698668d49", "5891c01057abd1052cc2bf1b"])
        ),
    ),
    "playlist groups": (
        "platform.playlists.groups",
        {"playlistGroups": [GROUP]},
        lambda page: page[0].name == "My Mix A",
    ),
    "refund, as the page misprints it": (
        "platform.sales.refund_release",
        b'{"status":"ok","version":"1.2","purchaseId": "49193524"\n"releaseId": "87654"\n}\n}',
        lambda nothing: nothing is None,
    ),
}


@each_row("name", ANSWERS)
def test_answers_decode(name):
    operation, tree, holds = ANSWERS[name]
    known = REGISTRY.find(operation)
    made = decode(known, parse(tree if isinstance(tree, bytes) else orjson.dumps(tree), None))
    assert known.model is None or isinstance(made, Page if known.paged else known.model)
    assert holds(made)


def client_of(sandbox):
    key, secret = sandbox.credentials.consumer_key, sandbox.credentials.consumer_secret
    return SevenDigital(key, secret, base_url=sandbox.base_url, dialect=Dialect.LIVE)


# --- every method, there and back, against the sandbox; the partner signs alone, for users that it names


async def test_the_catalogue(sevendigital_sandbox):
    async with client_of(sevendigital_sandbox) as client:
        catalogue = client.platform.catalogue
        page = await catalogue.search_releases("a", page_size=5)
        release = await catalogue.release_details(page[0].id, country="GB")
        assert release.title == page[0].title
        tracks = await catalogue.release_tracks(release.id)
        ids = [track.id for track in tracks[:2]]
        batch = await catalogue.tracks_batch([*ids, "1"], show_errors=True)
        assert [track.id for track in batch.tracks] == ids
        assert [error.code for error in batch.errors] == [2001]
        assert (await catalogue.releases_batch([release.id])).releases[0].id == release.id
        assert (await catalogue.track_details(ids[0])).title == tracks[0].title
        assert (await catalogue.artist_details(release.artist.id)).name == release.artist.name
        for listed in (
            catalogue.artist_releases(release.artist.id),
            catalogue.browse_artists(release.artist.name[0]),
            catalogue.search_artists("a"),
            catalogue.search_tracks("a"),
        ):
            assert len(await listed) > 0
        async with client.platform.content_delivery.transfer_media(ids[0]) as media:
            assert len(await media.read()) > 1000


async def test_a_subscriber_and_a_buyer(sevendigital_sandbox):
    async with client_of(sevendigital_sandbox) as client:
        platform, now = client.platform, datetime.now(UTC)
        track = (await platform.catalogue.search_tracks("a"))[0]
        assert (await platform.users.create(user_id="mara", country="GB")).id == "mara"
        made = await platform.subscriptions.create(
            user_id="mara",
            product_id="premium-unlimited-streaming",
            currency="GBP",
            recurring_fee=999,
            country="GB",
            activated_at=now - timedelta(days=1),
            start_date=now.date(),
            end_date=now.date() + timedelta(days=9),
        )
        assert made.level == "premium"
        assert (await platform.subscriptions.status("mara")).status == "active"
        assert (await platform.offline_devices.authorise("mara", device_id="phone")).offline_enabled
        assert (await platform.offline_devices.status("mara", device_id="phone")).device_id == "phone"
        assert [each.device_id for each in await platform.offline_devices.list("mara")] == ["phone"]
        where = {"format_id": "26", "country": "GB", "user_id": "mara"}
        async with platform.streaming.subscription_offline(track.id, **where, client_id="phone") as audio:
            assert len(await audio.read()) > 1000
        for manifest in (
            platform.streaming.subscription_hls(track.id, **where),
            platform.streaming.subscription_offline_hls(track.id, **where),
            platform.streaming.catalogue_hls(track.id, **where),
        ):
            assert (await manifest).startswith("#EXTM3U")
        async with platform.streaming.preview(track.id) as clip:
            assert len(await clip.read()) > 1000
        assert not (
            await platform.offline_devices.authorise("mara", device_id="phone", offline_enabled=False)
        ).offline_enabled

        sold = await platform.sales.credit_item(
            user_id="mara",
            currency="GBP",
            price=Decimal("7.99"),
            release_id=track.release.id,
            country="GB",
            transaction_id="t-1",
        )
        [purchase] = sevendigital_sandbox.state()["purchases"]
        assert (purchase["user"], purchase["transactionId"]) == ("mara", "t-1")
        assert [each.release.id for each in await platform.sales.locker("mara", country="GB")] == [track.release.id]
        bought = {"release_id": track.release.id, "format_id": "17"}
        for media in (
            platform.downloads.track("mara", track_id=track.id, **bought),
            platform.downloads.release("mara", release_id=track.release.id),
            platform.downloads.purchase("mara", purchase_id=sold.purchase_id),
            platform.streaming.locker(track.id, **where),
        ):
            async with media as answer:
                assert len(await answer.read()) > 1000
        await platform.sales.refund_release(user_id="mara", purchase_id=sold.purchase_id, release_id=track.release.id)
        assert len(await platform.sales.locker("mara", country="GB")) == 0


async def test_playlists(sevendigital_sandbox):
    async with client_of(sevendigital_sandbox) as client:
        lists, here = client.platform.playlists, {"country": "GB"}
        made = await lists.create("Run", tracks=[NO_YOU_GIRLS], user_id="mara", status="draft", **here)
        assert (made.status, [track.title for track in made.tracks]) == ("draft", ["No You Girls"])
        longer = await lists.add_tracks(made.id, tracks=[NO_YOU_GIRLS] * 2, **here)
        first, second, third = (track.id for track in longer.tracks)
        moved = await lists.move_track(made.id, playlist_track_id=third, **here)
        assert [track.id for track in moved.tracks] == [third, first, second]
        moved = await lists.move_track(made.id, playlist_track_id=third, after=first, **here)
        assert [track.id for track in moved.tracks] == [first, third, second]
        await lists.remove_track(made.id, playlist_track_id=first, **here)
        assert [track.id async for track in lists.tracks(made.id, page_size=1, **here)] == [third, second]
        changed = await lists.update(made.id, name="Walk", visibility="public", **here)
        assert (changed.id, changed.name, changed.visibility) == (made.id, "Walk", "public")
        assert (await lists.details(made.id, **here)).name == "Walk"
        assert (await lists.read(made.id, **here)).track_count == 2
        assert [each.id for each in await lists.list(user_id="mara", **here)] == [made.id]
        assert len(await lists.list(**here)) == 0
        assert (await lists.replace(made.id, name="Dive", tracks=[NO_YOU_GIRLS], **here)).track_count == 1
        await lists.delete(made.id, **here)
        assert len(await lists.list(user_id="mara", **here)) == 0


async def test_groups_of_playlists(sevendigital_sandbox):
    async with client_of(sevendigital_sandbox) as client:
        lists, here, mine = client.platform.playlists, {"country": "GB"}, {"user_id": "mara", "country": "GB"}
        run, swim = [await lists.create(name, **here) for name in ("Run", "Swim")]
        group = await lists.create_group("Sport", playlist_ids=[run.id], **mine)
        assert [each.id for each in group.playlists] == [run.id]
        group = await lists.add_to_group(group.id, playlist_ids=[swim.id], **mine)
        assert group.playlist_count == 2
        group = await lists.replace_group(group.id, name="Rest", playlist_ids=[], **mine)
        assert (group.name, group.playlists) == ("Rest", ())
        assert [each.id for each in await lists.groups("mara", **here)] == [group.id]
        assert (await lists.group(group.id, **mine)).name == "Rest"
        await lists.delete_group(group.id, **mine)
        assert await lists.groups("mara", **here) == ()


async def test_radio(sevendigital_sandbox):
    async with client_of(sevendigital_sandbox) as client:
        found = (await client.platform.catalogue.search_tracks("a"))[0]
        entry = PlaylistTrackInput(found.id, found.title, found.artist.name)
        made = await client.platform.playlists.create("Radio", tracks=[entry], country="GB")
        radio = client.platform.radio
        session = await radio.create_session(user_id="mara", playlist_ids=[made.id])
        track = (await radio.next_track(session.session_id)).track
        now = datetime.now(UTC)
        begun = PlaybackEvent(track.id, "start", now, playlist_id=made.id, format_id="26")
        await radio.post_events(session.session_id, events=[begun])
        await radio.post_events(session.session_id, events=[PlaybackEvent(track.id, "skip", now, playlist_id=made.id)])
        [left] = sevendigital_sandbox.state()["radioSessions"]
        assert (left["played"], left["skipsRemaining"]) == (1, 5)
        await radio.delete_session(session.session_id)
        assert sevendigital_sandbox.state()["radioSessions"] == []
