"""A small fictional record shop: the same artists, releases and tracks on every run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from uuid import UUID, uuid5

from attrs import frozen

HOME_CURRENCY = "GBP"

COUNTRY_NAMES: Mapping[str, str] = {
    "GB": "United Kingdom",
    "US": "United States",
    "DE": "Germany",
    "FR": "France",
    "IE": "Ireland",
    "ES": "Spain",
}
"""The names of the territories that have a store."""

CURRENCY_BY_COUNTRY: Mapping[str, str] = {"GB": "GBP", "US": "USD", "DE": "EUR", "FR": "EUR", "IE": "EUR", "ES": "EUR"}
"""The currency of each territory that has a store."""


@frozen
class Artist:
    """An artist; ``mbid`` is its MusicBrainz id."""

    id: str
    name: str
    sort_name: str
    mbid: str


@frozen
class Label:
    """A label."""

    id: str
    name: str


@frozen(kw_only=True)
class Release:
    """A release; ``pence`` is its price in hundredths of any currency, ``rrp_pence`` the one recommended."""

    id: str
    title: str
    version: str | None
    type: str
    artist: Artist
    release_date: date
    label: Label
    explicit: bool
    upc: str
    pence: int
    rrp_pence: int


@frozen(kw_only=True)
class Track:
    """A track of one release; ``pence`` is its price in hundredths of any currency."""

    id: str
    title: str
    version: str | None
    release: Release
    number: int
    duration: int
    explicit: bool
    isrc: str
    pence: int

    @property
    def rrp_pence(self) -> int:
        """The recommended price, always that of a single track."""
        return self.pence


@frozen
class Item:
    """What can be bought: a whole release, or one of its tracks."""

    release: Release
    track: Track | None

    @property
    def title(self) -> str:
        return (self.track or self.release).title

    @property
    def pence(self) -> int:
        return (self.track or self.release).pence

    @property
    def rrp_pence(self) -> int:
        return (self.track or self.release).rrp_pence


@frozen
class Catalogue:
    """All artists, releases and tracks, by id."""

    artists: Mapping[str, Artist]
    releases: Mapping[str, Release]
    tracks: Mapping[str, Track]
    tracks_by_release: Mapping[str, Sequence[Track]]

    def tracks_of(self, release: Release) -> Sequence[Track]:
        return self.tracks_by_release[release.id]


_ARTISTS = (
    "The Paper Lanternists",
    "Ottoline Grube",
    "Zoë & the Kestrels (it's) 1,2",
    "Brackish Choir",
    "DJ Umbrellastand",
    "The Tuesday Cartographers",
    "Señora Plankton",
    "Marrow & Thimble",
    "Gladys/Unplugged",
    "Seventeen Wet Herons",
    "Ivo Quillfeather",
    "The Lesser Tidepools",
    "Oslo Biscuit Authority",
    "Halvard Nøkk Trio",
    "Mint Parliament",
    "Æthel Voss",
)
_LABELS = ("Cinder Lane", "Ninth Kettle Recordings", "Loft & Gable", "Saltworks")
_RELEASE_TYPES = (("album", 11), ("single", 1), ("ep", 5), ("album", 9), ("compilation", 14))
_VERSIONS = (None, "Remastered", None, None, "Deluxe Edition")
_FIRST_WORDS = (
    "Velvet", "Borrowed", "Northern", "Paper", "Hollow", "Crooked", "Silver",
    "Midnight", "Patient", "Copper", "Distant", "Quiet", "Salted",
)  # fmt: skip
_SECOND_WORDS = (
    "Harbour", "Orchards", "Machines", "Weather", "Staircase", "Letters", "Satellites", "Gardens",
    "Engines", "Windows", "Rivers",
)  # fmt: skip
_FIRST_RELEASE_ID = 1_100_000
_FIRST_TRACK_ID = 5_500_000
_TRACK_PENCE = 99
_FIRST_RELEASE_DATE = date(1994, 2, 7)
_PREORDERS = {16: date(2099, 3, 6), 42: date(2099, 4, 3), 78: date(2099, 4, 24)}
"""Releases that are not available yet, whenever the sandbox runs."""
_MBID_NAMESPACE = UUID("7d190000-0000-4000-8000-000000000002")


def _title(number: int) -> str:
    # The lengths of the lists are coprime, so every pair occurs before one repeats.
    return f"{_FIRST_WORDS[number % len(_FIRST_WORDS)]} {_SECOND_WORDS[number % len(_SECOND_WORDS)]}"


def _artist(number: int, name: str) -> Artist:
    sort_name = f"{name[4:]}, The" if name.startswith("The ") else name
    return Artist(str(1_001 + number), name, sort_name, str(uuid5(_MBID_NAMESPACE, name)))


def _release(number: int, artist: Artist) -> Release:
    kind, size = _RELEASE_TYPES[number % len(_RELEASE_TYPES)]
    label = number % len(_LABELS)
    rrp_pence = min(_TRACK_PENCE * size, 999)
    on_sale = number % 8 == 5  # noqa: PLR2004 - some are
    return Release(
        id=str(_FIRST_RELEASE_ID + number),
        title=_title(number),
        version=_VERSIONS[number % len(_VERSIONS)],
        type=kind,
        artist=artist,
        release_date=_PREORDERS.get(number, _FIRST_RELEASE_DATE + timedelta(days=137 * number)),
        label=Label(str(31 + label), _LABELS[label]),
        explicit=number % 7 == 3,  # noqa: PLR2004 - some are
        upc=f"{50_550_000_000_000 + 7_919 * number:014d}",
        pence=rrp_pence * 4 // 5 if on_sale else rrp_pence,
        rrp_pence=rrp_pence,
    )


def _track(serial: int, number: int, release: Release) -> Track:
    return Track(
        id=str(_FIRST_TRACK_ID + serial),
        title=_title(3 * serial + 5),
        version="Live" if serial % 9 == 0 else None,
        release=release,
        number=number,
        duration=120 + 37 * serial % 240,
        explicit=release.explicit and number % 2 == 1,
        isrc=f"ZZSBX{release.release_date:%y}{serial:05d}",
        pence=_TRACK_PENCE,
    )


def _build_catalogue() -> Catalogue:
    artists = [_artist(number, name) for number, name in enumerate(_ARTISTS)]
    releases = [
        _release(len(_RELEASE_TYPES) * place + number, artist)
        for place, artist in enumerate(artists)
        for number in range(len(_RELEASE_TYPES))
    ]
    tracks: list[Track] = []
    tracks_by_release: dict[str, Sequence[Track]] = {}
    for index, release in enumerate(releases):
        size = _RELEASE_TYPES[index % len(_RELEASE_TYPES)][1]
        release_tracks = [_track(len(tracks) + number, number + 1, release) for number in range(size)]
        tracks_by_release[release.id] = release_tracks
        tracks.extend(release_tracks)
    return Catalogue(
        {artist.id: artist for artist in artists},
        {release.id: release for release in releases},
        {track.id: track for track in tracks},
        tracks_by_release,
    )


CATALOGUE = _build_catalogue()
