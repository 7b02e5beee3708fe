"""Releases and tracks in the format of the streaming platform: in full, and without prices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import trees
from ..answers import Tree
from ..catalogue import HOME_CURRENCY, Release, Track

_OMITTED_FIELD = "price"


def release_tree(release: Release) -> Tree:
    tree = trees.release_tree(release, HOME_CURRENCY)
    return _without_price_and_nulls({**tree, "artist": trees.artist_tree(release.artist)})


def track_tree(track: Track) -> Tree:
    tree = trees.track_tree(track, HOME_CURRENCY)
    artist, release = trees.artist_tree(track.release.artist), release_tree(track.release)
    return _without_price_and_nulls({**tree, "artist": artist, "release": release})


def _without_price_and_nulls(tree: Mapping[str, Any]) -> Tree:
    return {name: value for name, value in tree.items() if value is not None and name != _OMITTED_FIELD}
