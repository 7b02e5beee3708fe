"""From the bytes of a page to models: ours, and pydantic and msgspec with the same fields under the same names."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import orjson
from attrs import frozen

from sevendigital_async.models import Release
from sevendigital_async.operations.classic.releases import SEARCH_RELEASES
from sevendigital_async.session.decode import decode
from sevendigital_async.session.document import parse

from .catalogue import PAGE, SIZE
from .optional import present
from .report import Report, Row, Target
from .scale import Scale
from .timing import median_wall, repeated, run_in_turn, times_as_long

OURS = "sevendigital_async"
PYDANTIC_JSON, PYDANTIC_TREE = "pydantic, model_validate_json", "pydantic, orjson and model_validate"
PYDANTIC_BARE = "pydantic, only the fields of this page"
MSGSPEC = "msgspec, only the fields of this page"
FLOOR = "orjson alone, no models"


@frozen
class Size:
    """Pages per side and round, and the number of rounds."""

    pages: int
    rounds: int


SIZES: Mapping[Scale, Size] = {Scale.FULL: Size(500, 21), Scale.QUICK: Size(200, 9), Scale.SMALLEST: Size(2, 1)}


def run(scale: Scale) -> Report:
    """Check that all decoders return the same values, then measure them in turn."""
    size = SIZES[scale]
    decoders: dict[str, Callable[[], object]] = {OURS: _ours, FLOOR: lambda: orjson.loads(PAGE)}
    notes = []
    if present("pydantic"):
        from . import pydantic_models

        decoders |= {
            PYDANTIC_JSON: pydantic_models.from_json,
            PYDANTIC_TREE: pydantic_models.from_tree,
            PYDANTIC_BARE: pydantic_models.bare_from_json,
        }
    else:
        notes.append("pydantic: skipped, not installed")
    if present("msgspec"):
        from . import msgspec_models

        decoders[MSGSPEC] = msgspec_models.from_json
    else:
        notes.append("msgspec: skipped, not installed")
    for name in decoders.keys() - {FLOOR}:
        _check(name, decoders[name]())
    timings = run_in_turn({name: repeated(decoder, size.pages) for name, decoder in decoders.items()}, size.rounds)
    rows: list[Row] = [
        {
            "side": name,
            "µs a page": median_wall(side) / size.pages * 1e6,
            "of ours": times_as_long(side, timings[OURS]),
        }
        for name, side in timings.items()
    ]
    targets = [
        Target(f"{OURS} / {name}", times_as_long(timings[OURS], timings[name]), at_most=0.65)
        for name in (PYDANTIC_JSON, PYDANTIC_TREE)
        if name in timings
    ]
    samples = {name: [timing.wall / size.pages * 1e6 for timing in side] for name, side in timings.items()}
    title = f"{SIZE} releases from {len(PAGE):,} bytes, {size.pages} pages a round, median of {size.rounds} rounds"
    return Report("decode", title, rows, targets, samples, notes, chart="µs a page")


def _ours() -> tuple[Release, ...]:
    page = decode(SEARCH_RELEASES, parse(PAGE, "application/json"))
    return page.items  # type: ignore[attr-defined]


def _check(name: str, releases: object) -> None:
    read = [(release.id, str(release.price.amount), release.artist.name) for release in releases]  # type: ignore[attr-defined]
    if read != [(release.id, str(release.price.amount), release.artist.name) for release in _ours()]:  # type: ignore[union-attr]
        raise AssertionError(f"{name} returns other values than ours")
