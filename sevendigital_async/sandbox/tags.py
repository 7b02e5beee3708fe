"""The tags of the shop's artists and releases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from attrs import frozen

from .answers import Tree
from .catalogue import CATALOGUE, Artist, Release
from .trees import SHOP_URL


@frozen
class Tag:
    """A tag; ``parent`` is the id of a broader one."""

    id: str
    parent: str | None = None

    @property
    def name(self) -> str:
        return self.id.replace("-", " ")


_GENRES = (
    Tag("rock"),
    Tag("indie-rock", "rock"),
    Tag("electronic"),
    Tag("ambient", "electronic"),
    Tag("folk"),
    Tag("sea-shanty", "folk"),
    Tag("jazz"),
)
_DECADES = tuple(Tag(f"{year}s") for year in (1990, 2000, 2010, 2020, 2090))

TAGS: Mapping[str, Tag] = {tag.id: tag for tag in (*_GENRES, *_DECADES)}
"""Every tag, by its id."""


def tags_of_artist(artist: Artist) -> Sequence[Tag]:
    """Return an artist's tags: a genre, the broader one that it belongs to, and one more."""
    number = int(artist.id)
    genre, other = _GENRES[number % len(_GENRES)], _GENRES[number * 3 % len(_GENRES)]
    broader = [TAGS[genre.parent]] if genre.parent else []
    return list(dict.fromkeys((genre, *broader, other)))


def tags_of_release(release: Release) -> Sequence[Tag]:
    return [*tags_of_artist(release.artist), TAGS[f"{release.release_date.year // 10 * 10}s"]]


RELEASE_COUNTS = Counter(tag.id for release in CATALOGUE.releases.values() for tag in tags_of_release(release))
"""How many releases have a tag, by its id."""


def has_all_tags(tags: Iterable[Tag], wanted: Iterable[str]) -> bool:
    return {tag.id for tag in tags}.issuperset(wanted)


def tag_tree(tag: Tag) -> Tree:
    """Describe a tag by the names of the OpenAPI file."""
    return {
        "id": tag.id,
        "name": tag.name,
        "parentId": tag.parent,
        "url": f"{SHOP_URL}/tags/{tag.id}",
        "count": RELEASE_COUNTS[tag.id],
    }


def tag_element(tag: Tag) -> Tree:
    """Describe a tag by the names of the guide."""
    return {"id": tag.id, "text": tag.name, "url": f"{SHOP_URL}/tags/{tag.id}", "count": RELEASE_COUNTS[tag.id]}
