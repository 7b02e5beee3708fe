"""Playlists of the live dialect: what is sent arrives signed and complete, and every field of a response is read."""

import orjson
import pytest
from support.oauth import is_signed
from support.rawserver import answer, raw_server

from sevendigital_async import Dialect, InvalidArgumentError, InvalidRequestError, NotFoundError, SevenDigital
from sevendigital_async.models import Playlist, PlaylistTag, PlaylistTrack, PlaylistTrackInput
from sevendigital_async.sandbox import DEMO_KEY, DEMO_SECRET, Sandbox

BY_ID = PlaylistTrackInput("5495893")

TRACK = {
    "playlistItemId": "e1",
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
    "source": "7digital",
    "audioUrl": "https://x.example/1",
    "image": "https://x.example/1.jpg",
    "user": "mara",
}
WHOLE = {
    "playlist": {
        "id": "p",
        "name": "n",
        "tags": [{"name": "rock", "playlistPosition": 2, "hidden": True}, "pop"],
        "annotations": {"mood": "dark"},
        "partnerId": 1098,
        "_links": {"self": {"href": "https://api.example/1.2/playlists/p"}},
        "tracks": [TRACK],
    }
}
XML = """<response status="ok" version="1.2"><playlist id="p"><name>n</name>
<tags><tag><name>rock</name><playlistPosition>2</playlistPosition><hidden>true</hidden></tag></tags>
<annotations><annotation key="mood">dark</annotation></annotations></playlist></response>"""


def client_of(base_url, dialect=Dialect.LIVE, keys=("key", "secret")):
    return SevenDigital(*keys, base_url=base_url, dialect=dialect)


@pytest.mark.parametrize(
    ("act", "line", "body"),
    [
        (
            lambda p: p.create("n", tracks=[BY_ID], tags=["a&b"], annotations={"k é": "v"}, country="GB"),
            "POST /1.2/playlists?country=GB",
            {"name": "n", "tracks": [{"trackId": "5495893"}], "tags": [{"name": "a&b"}], "annotations": {"k é": "v"}},
        ),
        (
            lambda p: p.update("p", image="i", tags=[], country="GB", user_id="mara"),
            "POST /1.2/playlists/p/details?country=GB&userId=mara",
            {"image": "i", "tags": []},
        ),
        (
            lambda p: p.list(user_id="mara", tags=["a", "b c"]),
            "GET /1.2/user/playlists?userId=mara&page=1&tags=a%2Cb%20c",
            None,
        ),
        (
            lambda p: p.create_tags(["a&b", PlaylistTag(name="c")]),
            "POST /1.2/playlists/tags",
            {"tags": [{"name": "a&b"}, {"name": "c"}]},
        ),
        (lambda p: p.add_favourite("p", user_id="a b"), "PUT /1.2/playlists/p/favourites/a%20b", None),
        (lambda p: p.remove_favourite("p", user_id="7"), "DELETE /1.2/playlists/p/favourites/7", None),
    ],
)
async def test_requests_arrive_signed(act, line, body):
    content = '{"playlist":{"id":"p","name":"n"},"playlists":[],"tags":[{"name":"x"}]}'
    async with raw_server(answer(content)) as server, client_of(server.base_url) as client:
        await act(client.platform.playlists)
        [request] = server.requests
    head, _, sent = request.partition(b"\r\n\r\n")
    assert is_signed(request, server.base_url, "secret")
    assert head.decode().split(" HTTP/1.1")[0] == line
    assert (orjson.loads(sent) if sent else None) == body


async def answered(content, **headers) -> Playlist:
    async with raw_server(answer(content, **headers)) as server, client_of(server.base_url) as client:
        return await client.platform.playlists.read("p", country="GB")


async def test_every_field_of_an_answer_is_read():
    read = await answered(orjson.dumps(WHOLE))
    assert read.tags == (PlaylistTag(name="rock", playlist_position=2, hidden=True), PlaylistTag(name="pop"))
    assert (read.annotations, read.partner_id) == ({"mood": "dark"}, "1098")
    assert read.url == "https://api.example/1.2/playlists/p"
    assert read.tracks == (
        PlaylistTrack(
            id="e1",
            track_id="1",
            title="t",
            version="v",
            artist_id="2",
            artist="a",
            release_id="3",
            release_title="r",
            release_version="w",
            release_artist_id="4",
            release_artist="b",
            source="7digital",
            audio_url="https://x.example/1",
            image="https://x.example/1.jpg",
            user="mara",
        ),
    )


async def test_so_is_an_answer_in_xml():
    read = await answered(XML, Content_Type="application/xml")
    assert read.tags == (PlaylistTag(name="rock", playlist_position=2, hidden=True),)
    assert read.annotations == {"mood": "dark"}


async def test_the_location_of_an_empty_answer_is_kept():
    location = "https://api.example/1.2/playlists/p"
    async with raw_server(answer(Location=location), answer()) as server, client_of(server.base_url) as client:
        changed = await client.platform.playlists.update("p", tags=["x"], annotations={"a": "b"}, country="GB")
        assert changed == Playlist(id="p", tags=(PlaylistTag(name="x"),), annotations={"a": "b"}, url=location)
        assert (await client.platform.playlists.update("p", name="n", country="GB")).url is None


@pytest.mark.parametrize(
    ("track", "words"),
    [
        (BY_ID, "needs title in the openapi dialect"),
        (PlaylistTrackInput("1", "t"), "needs artist in the openapi dialect"),
        (PlaylistTrackInput("1", "t", "a", release_id="2"), "release_id .* does not exist in the openapi dialect"),
    ],
)
async def test_the_openapi_file_asks_for_more_of_a_track_and_takes_less(track, words):
    async with raw_server(answer("{}")) as server, client_of(server.base_url, Dialect.OPENAPI) as client:
        for act in (
            lambda p: p.create("n", tracks=[track]),
            lambda p: p.add_tracks("p", tracks=[track]),
        ):
            with pytest.raises(InvalidArgumentError, match=words) as caught:
                await act(client.platform.playlists)
            assert caught.value.argument == "tracks"
    assert server.requests == []


@pytest.mark.parametrize("dialect", Dialect)
async def test_an_update_that_changes_nothing_is_refused(dialect):
    async with raw_server(answer()) as server, client_of(server.base_url, dialect) as client:
        with pytest.raises(InvalidArgumentError, match="nothing to change"):
            await client.platform.playlists.update("p")
    assert server.requests == []


async def test_the_sandbox_keeps_it_all():
    async with Sandbox() as sandbox, client_of(sandbox.base_url, keys=(DEMO_KEY, DEMO_SECRET)) as client:
        lists, here = client.platform.playlists, {"country": "GB"}
        made = await lists.create(
            "n",
            tracks=[PlaylistTrackInput("1", release_id="2", release_title="r")],
            tags=["rock"],
            annotations={"mood": "dark"},
            image="i",
            **here,
        )
        assert (made.image, made.annotations, [tag.name for tag in made.tags]) == ("i", {"mood": "dark"}, ["rock"])
        assert (made.tracks[0].release_id, made.tracks[0].release_title) == ("2", "r")
        changed = await lists.update(made.id, tags=["pop"], status="draft", **here)
        assert changed.url == f"{sandbox.base_url}/1.2/playlists/{made.id}"
        assert [each.id async for each in lists.list(tags=["pop"], status="draft", **here)] == [made.id]
        assert [each.id async for each in lists.list(tags=["pop", "rock"], **here)] == []
        made_tags = await lists.create_tags(["jazz", PlaylistTag(name="soul")], **here)
        assert [tag.name for tag in made_tags] == ["jazz", "soul"]
        assert [tag.name for tag in await lists.tags(**here)] == ["rock", "pop", "jazz", "soul"]
        await lists.add_favourite(made.id, user_id="mara", **here)
        assert sandbox.state()["playlists"][0]["favouriteOf"] == ["mara"]
        await lists.remove_favourite(made.id, user_id="mara", **here)
        with pytest.raises(NotFoundError):
            await lists.remove_favourite(made.id, user_id="mara", **here)
        for wrong in ({"tags": [1]}, {"annotations": {"a": 1}}):
            with pytest.raises(InvalidRequestError):
                await lists.update(made.id, **wrong, **here)
