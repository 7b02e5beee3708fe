"""``sevendigital dead-letters``: plays that were not delivered and are not tried again on their own."""

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
from ...quantity import pluralize
from ...shipping.spools.inspector import DeadLetterState, SpoolInspector, StoredDeadLetter
from ...shipping.spools.registry import safe_location
from ..options import (
    JsonOption,
    JsonSummaryOption,
    KindOption,
    SinceOption,
    SpoolOption,
    UntilOption,
    inspect_spool,
    parse_time_or_age,
    with_options,
)
from ..output import echo, echo_json, echo_message, one_line
from ..tables import wrap

HELP = """List, replay or discard dead letters: plays that a shipper does not send again on its own.

Buried plays were refused by the service, or grew too old. Held plays were sent without a response, so that the service
may or may not have them.
"""

FILTERS_HELP = (
    "Filters can be combined. --since and --until compare when a play was buried or held. --reason matches any\n"
    "part of the reason, ignoring case.\n"
)

LIST_HELP = f"""List dead letters, oldest first.

{FILTERS_HELP}
\b
Examples:
  sevendigital dead-letters list --spool plays.jsonl.spool
  sevendigital dead-letters list --spool plays.db --state held --since 7d --json

\b
Exit codes:
  0  the matching dead letters are listed; there may be none
  1  wrong usage, or the spool cannot be read
"""

SHOW_HELP = """Show one dead letter with its body.

\b
Examples:
  sevendigital dead-letters show 17 --spool plays.jsonl.spool

\b
Exit codes:
  0  it is printed
  1  there is no dead letter with this number, or the spool cannot be read
"""

REPLAY_HELP = f"""Make dead letters wait for delivery again; the next run with this spool sends them.

A play that is in doubt may reach the service twice; the journal records it as in doubt. Give numbers, or --all with
filters. No shipper may have the spool open.

{FILTERS_HELP}
\b
Examples:
  sevendigital dead-letters replay 17 18 --spool plays.jsonl.spool
  sevendigital dead-letters replay --all --reason "unknown track" --spool plays.db

\b
Exit codes:
  0  the plays wait for delivery
  1  wrong usage, not confirmed, or the spool is in use or cannot be written
"""

DISCARD_HELP = f"""Discard dead letters: they are never sent.

Discarded plays still count as buried, and the journal records that they were discarded. Give numbers, or --all with
filters. No shipper may have the spool open.

{FILTERS_HELP}
\b
Examples:
  sevendigital dead-letters discard 17 18 --spool plays.jsonl.spool
  sevendigital dead-letters discard --all --state held --spool plays.db

\b
Exit codes:
  0  the plays are discarded
  1  wrong usage, not confirmed, or the spool is in use or cannot be written
"""

app = typer.Typer(help=HELP, no_args_is_help=True, rich_markup_mode=None)


@frozen(kw_only=True)
class DeadLetterFilter:
    """Selects dead letters: by what is not None, and by numbers unless there are none; ``until`` is exclusive."""

    ids: frozenset[str] = frozenset()
    kind: LogKind | None = None
    state: DeadLetterState | None = None
    reason: str | None = None
    code: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    in_doubt: bool | None = None
    limit: int | None = None

    async def find(self, inspector: SpoolInspector) -> AsyncIterator[StoredDeadLetter]:
        """Iterate over the matching dead letters of a spool, oldest first."""
        found = 0
        async for letter in inspector.dead_letters(kind=self.kind, state=self.state):
            if self.matches(letter):
                yield letter
                found += 1
                if found == self.limit:
                    return

    def matches(self, letter: StoredDeadLetter) -> bool:
        """Compare a dead letter with all criteria but kind and state, which the spool compares."""
        return (
            (not self.ids or letter.id in self.ids)
            and (self.reason is None or self.reason.casefold() in letter.reason.casefold())
            and (self.code is None or letter.code == self.code)
            and (self.since is None or letter.at >= self.since)
            and (self.until is None or letter.at < self.until)
            and (self.in_doubt is None or letter.in_doubt is self.in_doubt)
        )


def read_filters(
    *,
    kind: KindOption = None,
    state: Annotated[DeadLetterState | None, typer.Option("--state", help="Only buried or only held plays.")] = None,
    reason: Annotated[
        str | None, typer.Option("--reason", metavar="TEXT", help="Only with this in the reason.")
    ] = None,
    code: Annotated[int | None, typer.Option("--code", metavar="N", help="Only with this error code.")] = None,
    since: SinceOption = None,
    until: UntilOption = None,
    in_doubt: Annotated[
        bool | None,
        typer.Option("--in-doubt/--certain", help="Only plays that the service may have, or certainly does not have."),
    ] = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, metavar="N", help="Only the first N.")] = None,
) -> DeadLetterFilter:
    """Read the filters of a command."""
    return DeadLetterFilter(
        kind=kind,
        state=state,
        reason=reason,
        code=code,
        since=parse_time_or_age(since, "--since"),
        until=parse_time_or_age(until, "--until"),
        in_doubt=in_doubt,
        limit=limit,
    )


@with_options("filters", read_filters)
def read_selection(
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="NUMBER", help="Numbers from the list.", show_default=False)
    ] = None,
    *,
    select_all: Annotated[bool, typer.Option("--all", help="All dead letters that match the filters.")] = False,
    filters: DeadLetterFilter,
) -> DeadLetterFilter:
    """Read which dead letters to change: those with the given numbers, or all that match the filters."""
    if bool(ids) is select_all:
        raise ConfigurationError("give the numbers of dead letters, or --all")
    if ids and filters != DeadLetterFilter():
        raise ConfigurationError("filters apply with --all, not with numbers")
    return DeadLetterFilter(ids=frozenset(ids)) if ids else filters


YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]


@app.command("list", help=LIST_HELP, short_help="List dead letters.", no_args_is_help=True)
@with_options("filters", read_filters)
def list_dead_letters(*, spool: SpoolOption, filters: DeadLetterFilter, json: JsonOption = False) -> None:
    asyncio.run(_list(spool, filters, json=json))


@app.command("show", help=SHOW_HELP, short_help="Show one of them with its body.", no_args_is_help=True)
def show(
    number: Annotated[str, typer.Argument(metavar="NUMBER", help="A number from the list.")],
    *,
    spool: SpoolOption,
    json: JsonOption = False,
) -> None:
    letter = asyncio.run(_get(spool, number))
    if json:
        echo_json(as_json(letter))
    else:
        echo(as_text(letter))


@app.command("replay", help=REPLAY_HELP, short_help="Make them wait for delivery again.", no_args_is_help=True)
@with_options("selection", read_selection)
def replay(
    *, spool: SpoolOption, selection: DeadLetterFilter, yes: YesOption = False, json: JsonSummaryOption = False
) -> None:
    found = asyncio.run(_find(spool, selection))
    in_doubt = sum(found.values())
    _confirm(f"resends {pluralize(len(found))} ({in_doubt:,} may have been delivered)", found, yes=yes)
    done = asyncio.run(_replay(spool, found))
    if json:
        echo_json({"replayed": done, "in_doubt": in_doubt})
    elif not found:
        _report_no_match(spool)
    else:
        echo(
            f"waiting for delivery again: {pluralize(done)} ({in_doubt:,} in doubt);"
            f" sent by the next run with {safe_location(spool)}"
        )


@app.command("discard", help=DISCARD_HELP, short_help="Discard them: they are never sent.", no_args_is_help=True)
@with_options("selection", read_selection)
def discard(
    *, spool: SpoolOption, selection: DeadLetterFilter, yes: YesOption = False, json: JsonSummaryOption = False
) -> None:
    found = asyncio.run(_find(spool, selection))
    _confirm(f"discards {pluralize(len(found))} for good", found, yes=yes)
    done = asyncio.run(_discard(spool, found))
    if json:
        echo_json({"discarded": done})
    elif not found:
        _report_no_match(spool)
    else:
        echo(f"discarded: {pluralize(done)}; recorded in the journal of {safe_location(spool)}")


def _confirm(what: str, found: Mapping[str, bool], *, yes: bool) -> None:
    if not found or yes:
        return
    if sys.stdin is None or not sys.stdin.isatty():
        raise ConfigurationError(f"this {what}; pass --yes to confirm")
    if not typer.confirm(f"This {what}. Continue?", err=True):
        raise ConfigurationError("not confirmed; nothing was changed")


async def _list(spool: str, filters: DeadLetterFilter, *, json: bool) -> None:
    is_empty = True
    async with inspect_spool(spool) as inspector:
        async for letter in filters.find(inspector):
            is_empty = False
            if json:
                echo_json(as_json(letter))
            else:
                echo(wrap(as_line(letter), sys.stdout))
    if is_empty and not json:
        _report_no_match(spool)


def _report_no_match(spool: str) -> None:
    echo_message(f"no dead letters match in {safe_location(spool)}")


async def _get(spool: str, number: str) -> StoredDeadLetter:
    async with inspect_spool(spool) as inspector:
        async for letter in DeadLetterFilter(ids=frozenset([number]), limit=1).find(inspector):
            return letter
    raise ConfigurationError(f"no dead letter {number} in {safe_location(spool)}")


async def _find(spool: str, selection: DeadLetterFilter) -> Mapping[str, bool]:
    """Return the numbers of dead letters and whether they are in doubt, without their bodies: there may be millions."""
    async with inspect_spool(spool) as inspector:
        found = {letter.id: letter.in_doubt async for letter in selection.find(inspector)}
    if missing := sorted(selection.ids - found.keys()):
        raise ConfigurationError(f"no dead letter {', '.join(missing)} in {safe_location(spool)}; nothing was changed")
    return found


async def _replay(spool: str, found: Mapping[str, bool]) -> int:
    async with inspect_spool(spool) as inspector:
        return await inspector.replay(list(found))


async def _discard(spool: str, found: Mapping[str, bool]) -> int:
    async with inspect_spool(spool) as inspector:
        return await inspector.discard(list(found))


def as_json(letter: StoredDeadLetter) -> dict[str, Any]:
    """Return a dead letter as JSON; its body is an object, or text if it is not valid JSON."""
    return {
        "id": letter.id,
        "kind": letter.kind.value,
        "state": letter.state.value,
        "at": wire_time(letter.at),
        "code": letter.code,
        "reason": letter.reason,
        "in_doubt": letter.in_doubt,
        "log": _body(letter),
    }


def as_line(letter: StoredDeadLetter) -> str:
    body = _body(letter)
    doubt = "in doubt" if letter.in_doubt else ""
    code = "" if letter.code is None else f" ({letter.code})"
    play = f"track {body.get('trackId')}, {body.get('timestamp')}" if isinstance(body, Mapping) else "?"
    return one_line(
        f"{letter.id:>8}  {letter.kind:<10}  {letter.state:<6}  {wire_time(letter.at)[:19]}Z  {doubt:<8}  {play}"
        f"  {letter.reason}{code}"
    )


def as_text(letter: StoredDeadLetter) -> str:
    facts = {
        "number": letter.id,
        "kind": letter.kind.value,
        "state": letter.state.value,
        "since": wire_time(letter.at),
        "in doubt": "yes, the service may have it" if letter.in_doubt else "no",
        "code": "-" if letter.code is None else str(letter.code),
        "reason": letter.reason,
        "body": letter.body.decode(errors="backslashreplace"),
    }
    return "\n".join(wrap(f"{name:<9} {one_line(fact)}", sys.stdout) for name, fact in facts.items())


def _body(letter: StoredDeadLetter) -> Any:
    try:
        return orjson.loads(letter.body)
    except orjson.JSONDecodeError:
        return letter.body.decode(errors="backslashreplace")
