"""Plays that were set aside: which of them, and how they look."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Any

import orjson
from attrs import frozen

from ..models import LogKind
from ..models.stream_log import wire_time
from ..shipping.archive import Archive, Place, SetAside
from .output import one_line


@frozen(kw_only=True)
class Letters:
    """Which plays.

    Attributes:
        ids: Their numbers; none for any.
        kind: Of the plays; None for any, here and below.
        place: Buried or held.
        reason: A part of the reason, in upper or lower case.
        code: The service's code.
        since: They were set aside then or later.
        until: They were set aside before.
        in_doubt: The service may have them.
        limit: No more than so many.
    """

    ids: frozenset[str] = frozenset()
    kind: LogKind | None = None
    place: Place | None = None
    reason: str | None = None
    code: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    in_doubt: bool | None = None
    limit: int | None = None

    async def of(self, archive: Archive) -> AsyncIterator[SetAside]:
        """Find them, oldest first.

        Raises:
            SpoolError: The spool can't be read.
        """
        found = 0
        async for letter in archive.set_aside(kind=self.kind, place=self.place):
            if self.fits(letter):
                yield letter
                found += 1
                if found == self.limit:
                    return

    def fits(self, letter: SetAside) -> bool:
        """Tell whether it is one of them, whatever its kind and place."""
        return (
            (not self.ids or letter.id in self.ids)
            and (self.reason is None or self.reason.casefold() in letter.reason.casefold())
            and (self.code is None or letter.code == self.code)
            and (self.since is None or letter.at >= self.since)
            and (self.until is None or letter.at < self.until)
            and (self.in_doubt is None or letter.in_doubt is self.in_doubt)
        )


def as_json(letter: SetAside) -> dict[str, Any]:
    """Return a play as a tree; its body is an object, or text if it is not what it was."""
    return {
        "id": letter.id,
        "kind": letter.kind.value,
        "place": letter.place.value,
        "at": wire_time(letter.at),
        "code": letter.code,
        "reason": letter.reason,
        "in_doubt": letter.in_doubt,
        "log": _body(letter),
    }


def as_lines(letter: SetAside) -> str:
    """Return a play as one line."""
    body = _body(letter)
    doubt = "in doubt" if letter.in_doubt else ""
    code = "" if letter.code is None else f" ({letter.code})"
    play = f"track {body.get('trackId')}, {body.get('timestamp')}" if isinstance(body, Mapping) else "?"
    return one_line(
        f"{letter.id:>8}  {letter.kind:<10}  {letter.place:<6}  {wire_time(letter.at)[:19]}Z  {doubt:<8}  {play}"
        f"  {letter.reason}{code}"
    )


def as_text(letter: SetAside) -> str:
    """Return a play as a few lines, with its body."""
    facts = {
        "number": letter.id,
        "kind": letter.kind.value,
        "place": letter.place.value,
        "set aside": wire_time(letter.at),
        "in doubt": "yes: the service may have it" if letter.in_doubt else "no",
        "code": "-" if letter.code is None else str(letter.code),
        "reason": letter.reason,
        "body": letter.body.decode(errors="backslashreplace"),
    }
    return "\n".join(f"{name:<11} {one_line(fact)}" for name, fact in facts.items())


def _body(letter: SetAside) -> Any:
    try:
        return orjson.loads(letter.body)
    except orjson.JSONDecodeError:
        return letter.body.decode(errors="backslashreplace")
