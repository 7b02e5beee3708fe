"""``sevendigital dead-letters``: plays that wait for a person."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Annotated, Any

import orjson
import typer
from attrs import frozen

from ...errors import ConfigurationError
from ...models import LogKind
from ...models.stream_log import wire_time
from ...shipping.spools.inspector import DeadLetterState, SpoolInspector, StoredDeadLetter
from ...shipping.spools.registry import shown
from ..output import (
    JsonOption,
    KindOption,
    Opened,
    SinceOption,
    SpoolOption,
    UntilOption,
    complain,
    moment,
    one_line,
    say,
    say_json,
)


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
    place: DeadLetterState | None = None
    reason: str | None = None
    code: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    in_doubt: bool | None = None
    limit: int | None = None

    async def of(self, archive: SpoolInspector) -> AsyncIterator[StoredDeadLetter]:
        """Find them, oldest first.

        Raises:
            SpoolError: The spool can't be read.
        """
        found = 0
        async for letter in archive.dead_letters(kind=self.kind, state=self.place):
            if self.fits(letter):
                yield letter
                found += 1
                if found == self.limit:
                    return

    def fits(self, letter: StoredDeadLetter) -> bool:
        """Tell whether it is one of them, whatever its kind and place."""
        return (
            (not self.ids or letter.id in self.ids)
            and (self.reason is None or self.reason.casefold() in letter.reason.casefold())
            and (self.code is None or letter.code == self.code)
            and (self.since is None or letter.at >= self.since)
            and (self.until is None or letter.at < self.until)
            and (self.in_doubt is None or letter.in_doubt is self.in_doubt)
        )


def as_json(letter: StoredDeadLetter) -> dict[str, Any]:
    """Return a play as a tree; its body is an object, or text if it is not what it was."""
    return {
        "id": letter.id,
        "kind": letter.kind.value,
        "place": letter.state.value,
        "at": wire_time(letter.at),
        "code": letter.code,
        "reason": letter.reason,
        "in_doubt": letter.in_doubt,
        "log": _body(letter),
    }


def as_lines(letter: StoredDeadLetter) -> str:
    """Return a play as one line."""
    body = _body(letter)
    doubt = "in doubt" if letter.in_doubt else ""
    code = "" if letter.code is None else f" ({letter.code})"
    play = f"track {body.get('trackId')}, {body.get('timestamp')}" if isinstance(body, Mapping) else "?"
    return one_line(
        f"{letter.id:>8}  {letter.kind:<10}  {letter.state:<6}  {wire_time(letter.at)[:19]}Z  {doubt:<8}  {play}"
        f"  {letter.reason}{code}"
    )


def as_text(letter: StoredDeadLetter) -> str:
    """Return a play as a few lines, with its body."""
    facts = {
        "number": letter.id,
        "kind": letter.kind.value,
        "place": letter.state.value,
        "set aside": wire_time(letter.at),
        "in doubt": "yes: the service may have it" if letter.in_doubt else "no",
        "code": "-" if letter.code is None else str(letter.code),
        "reason": letter.reason,
        "body": letter.body.decode(errors="backslashreplace"),
    }
    return "\n".join(f"{name:<11} {one_line(fact)}" for name, fact in facts.items())


def _body(letter: StoredDeadLetter) -> Any:
    try:
        return orjson.loads(letter.body)
    except orjson.JSONDecodeError:
        return letter.body.decode(errors="backslashreplace")


HELP = """Look after plays that were set aside: buried ones, which the service refused for good or which grew too old,
and held ones, of which nobody knows whether the service has them.
"""

FILTERS = """The filters can be combined. --since and --until are about when a play was set aside; --reason finds
any part of the reason, in upper or lower case.
"""

LIST_HELP = f"""List plays that were set aside, oldest first.

{FILTERS}
\b
Examples:
  sevendigital dead-letters list --spool plays.jsonl.spool
  sevendigital dead-letters list --spool plays.db --place held --since 7d --json

\b
Exit codes:
  0  they are listed, if there are any
  1  wrong usage, or the spool can't be read
"""

SHOW_HELP = """Show one play that was set aside, with its body.

\b
Examples:
  sevendigital dead-letters show 17 --spool plays.jsonl.spool

\b
Exit codes:
  0  here it is
  1  there is none of that number, or the spool can't be read
"""

REPLAY_HELP = f"""Let plays that were set aside wait for delivery again; the next run with that spool sends them.

What is in doubt may reach the service for a second time then, and the journal says so. Give numbers, or --all with
filters. No shipper may have the spool open.

{FILTERS}
\b
Examples:
  sevendigital dead-letters replay 17 18 --spool plays.jsonl.spool
  sevendigital dead-letters replay --all --reason "unknown track" --spool plays.db

\b
Exit codes:
  0  done
  1  wrong usage, not confirmed, or the spool is in use or can't be written
"""

DROP_HELP = f"""Let go of plays that were set aside: they are not sent any more.

They stay counted as buried, and the journal tells that they were dropped. Give numbers, or --all with filters. No
shipper may have the spool open.

{FILTERS}
\b
Examples:
  sevendigital dead-letters drop 17 18 --spool plays.jsonl.spool
  sevendigital dead-letters drop --all --place held --spool plays.db

\b
Exit codes:
  0  done
  1  wrong usage, not confirmed, or the spool is in use or can't be written
"""

app = typer.Typer(help=HELP, no_args_is_help=True, rich_markup_mode=None)

Ids = Annotated[list[str] | None, typer.Argument(metavar="NUMBER", help="As listed.", show_default=False)]
PlaceOption = Annotated[DeadLetterState | None, typer.Option("--place", help="Only buried or only held ones.")]
ReasonOption = Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="Only with this in the reason.")]
CodeOption = Annotated[int | None, typer.Option("--code", metavar="N", help="Only with this code of the service.")]
DoubtOption = Annotated[
    bool | None, typer.Option("--in-doubt/--certain", help="Only those that the service may have, or surely has not.")
]
LimitOption = Annotated[int | None, typer.Option("--limit", min=1, metavar="N", help="No more than the first N.")]
AllOption = Annotated[bool, typer.Option("--all", help="All that the filters leave.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")]


@app.command("list", help=LIST_HELP, no_args_is_help=True)
def list_letters(
    *,
    spool: SpoolOption,
    kind: KindOption = None,
    place: PlaceOption = None,
    reason: ReasonOption = None,
    code: CodeOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    in_doubt: DoubtOption = None,
    limit: LimitOption = None,
    json: JsonOption = False,
) -> None:
    """Print them."""
    wanted = _wanted(kind, place, reason, code, since, until, in_doubt, limit)
    asyncio.run(_list(spool, wanted, json=json))


@app.command("show", help=SHOW_HELP, no_args_is_help=True)
def show(
    number: Annotated[str, typer.Argument(metavar="NUMBER", help="As listed.")],
    *,
    spool: SpoolOption,
    json: JsonOption = False,
) -> None:
    """Print one."""
    letter = asyncio.run(_look_up(spool, number))
    if json:
        say_json(as_json(letter))
    else:
        say(as_text(letter))


@app.command("replay", help=REPLAY_HELP, no_args_is_help=True)
def replay(
    ids: Ids = None,
    *,
    spool: SpoolOption,
    every: AllOption = False,
    kind: KindOption = None,
    place: PlaceOption = None,
    reason: ReasonOption = None,
    code: CodeOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    in_doubt: DoubtOption = None,
    limit: LimitOption = None,
    yes: YesOption = False,
    json: JsonOption = False,
) -> None:
    """Send them again."""
    filters = _wanted(kind, place, reason, code, since, until, in_doubt, limit)
    found = asyncio.run(_find(spool, _chosen(ids, filters, every=every)))
    doubtful = sum(found.values())
    _confirm(f"send {len(found):,} plays again, of which the service may have {doubtful:,}", found, yes=yes)
    done = asyncio.run(_replay(spool, found))
    words = f"{done:,} plays wait again, {doubtful:,} of them in doubt; the next run with {shown(spool)} sends them"
    if json:
        say_json({"replayed": done, "in_doubt": doubtful})
    else:
        say(words)


@app.command("drop", help=DROP_HELP, no_args_is_help=True)
def drop(
    ids: Ids = None,
    *,
    spool: SpoolOption,
    every: AllOption = False,
    kind: KindOption = None,
    place: PlaceOption = None,
    reason: ReasonOption = None,
    code: CodeOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    in_doubt: DoubtOption = None,
    limit: LimitOption = None,
    yes: YesOption = False,
    json: JsonOption = False,
) -> None:
    """Let go of them."""
    filters = _wanted(kind, place, reason, code, since, until, in_doubt, limit)
    found = asyncio.run(_find(spool, _chosen(ids, filters, every=every)))
    _confirm(f"let go of {len(found):,} plays for good", found, yes=yes)
    done = asyncio.run(_drop(spool, found))
    if json:
        say_json({"dropped": done})
    else:
        say(f"{done:,} plays dropped; the journal tells of them")


def _wanted(  # noqa: PLR0917 - the filters, in the order in which every command has them
    kind: LogKind | None,
    place: DeadLetterState | None,
    reason: str | None,
    code: int | None,
    since: str | None,
    until: str | None,
    in_doubt: bool | None,
    limit: int | None,
) -> Letters:
    return Letters(
        kind=kind,
        place=place,
        reason=reason,
        code=code,
        since=moment(since, "--since"),
        until=moment(until, "--until"),
        in_doubt=in_doubt,
        limit=limit,
    )


def _chosen(ids: list[str] | None, filters: Letters, *, every: bool) -> Letters:
    if bool(ids) is every:
        raise ConfigurationError("give the numbers of plays, or --all")
    if ids and filters != Letters():
        raise ConfigurationError("filters go with --all, not with numbers")
    return Letters(ids=frozenset(ids)) if ids else filters


def _confirm(what: str, found: Mapping[str, bool], *, yes: bool) -> None:
    if not found or yes:
        return
    if sys.stdin is None or not sys.stdin.isatty():
        raise ConfigurationError(f"this would {what}; say --yes if that is meant")
    if not typer.confirm(f"{what[0].upper()}{what[1:]}?", err=True):
        raise ConfigurationError("nothing was done")


async def _list(spool: str, wanted: Letters, *, json: bool) -> None:
    number = 0
    async with Opened(spool) as archive:
        async for letter in wanted.of(archive):
            number += 1
            if json:
                say_json(as_json(letter))
            else:
                say(as_lines(letter))
    if not json and not number:
        complain(f"nothing that was asked for is set aside in {shown(spool)}")


async def _look_up(spool: str, number: str) -> StoredDeadLetter:
    async with Opened(spool) as archive:
        async for letter in Letters(ids=frozenset([number]), limit=1).of(archive):
            return letter
    raise ConfigurationError(f"no play number {number} is set aside in {shown(spool)}")


async def _find(spool: str, wanted: Letters) -> Mapping[str, bool]:
    """Return the numbers of plays, and whether they are in doubt: there may be very many."""
    async with Opened(spool) as archive:
        found = {letter.id: letter.in_doubt async for letter in wanted.of(archive)}
    if missing := sorted(wanted.ids - found.keys()):
        raise ConfigurationError(
            f"no play number {', '.join(missing)} is set aside in {shown(spool)}; nothing was done"
        )
    return found


async def _replay(spool: str, found: Mapping[str, bool]) -> int:
    async with Opened(spool) as archive:
        return await archive.replay(list(found))


async def _drop(spool: str, found: Mapping[str, bool]) -> int:
    async with Opened(spool) as archive:
        return await archive.discard(list(found))
