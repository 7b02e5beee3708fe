"""``sevendigital ship``: a file of plays to the service."""

from __future__ import annotations

import asyncio
import enum
import sys
from pathlib import Path
from typing import Annotated

import typer
from attrs import evolve

from ...client import SevenDigital
from ...config import BASE_URL_VARIABLE, KEY_VARIABLE, LIMITS_VARIABLE, SECRET_VARIABLE, Credentials, Dialect, Settings
from ...models import LogKind
from ..connection import DialectName
from ..output import ExitError, check_place, finite, say, say_json
from ..process import SignalWatcher
from ..ship.display import display_on
from ..ship.options import ShipOptions, Synchronous, place_for, read_tokens
from ..ship.reject_file import RejectFile, beside
from ..ship.report import Report
from ..ship.run import ShipRun
from ..ship.source import Source

HELP = """Report the plays in FILE, one JSON object a line; "-" reads standard input.

\b
A line looks like this; all but trackId and timestamp may be left out:
  {"trackId": "123", "timestamp": "2026-01-31T20:15:00Z", "userId": "7",
   "clientId": "phone", "durationPlayed": 30, "country": "GB"}

The live dialect demands more, by kind: userId, country, durationPlayed and userAgent of all, releaseId and formatId of
catalogue and subscriber plays, playMode of preview and subscriber plays, endReason of catalogue plays.

The file is streamed, sent in batches within the documented limits, and tried again while the service has trouble.
Blank lines are skipped. Progress and trouble go to standard error, the summary to standard output.

Plays are kept in a file beside FILE, the spool, until they are delivered. Whatever stops a run, also kill -9 and a
power cut: the same command goes on where it stopped, and no line is left out or put twice.

\b
Examples:
  sevendigital ship plays.jsonl --kind preview
  zcat plays.gz | sevendigital ship - --kind subscriber --tokens tokens.json
  sevendigital ship plays.jsonl --kind preview --spool memory

\b
What is kept:
  FILE.spool     plays that wait; those that the service refused for good
                 ("buried") or that may have reached it ("held"), for
                 sevendigital dead-letters; and what became of every play, for
                 sevendigital journal
  FILE.rejected  bad lines, which are reported as FILE:LINE: reason

A spool is used again by every later run; plays that one run left are sent by the next, and counted apart. For
standard input it is stdin.spool in the current directory; what a pipe has given cannot be read again, so lines that
were read and not put are in stdin.unsent.

With --spool memory nothing outlives the run: FILE.rejected has the buried plays as well, FILE.unsent has plays that
were not delivered, those in doubt first, and lines that were not read are named for --from-line. FILE.rejected and
FILE.unsent never overwrite a file: if a name is taken, a number is added to it.

The last line of FILE may still be being written: if it has no line feed and is not a play, it is left for the next
run, and the exit code is 4. The last line of a pipe is final.

A run without a single delivery for --patience seconds stops, and so does one that gets SIGINT or SIGTERM: it reads no
further, delivers what was read within --drain seconds, and reports. It ends within the sum of both. A second signal
stops at once. For a pipe, --linger comes on top, because an incomplete batch may wait that long.

FILE.rejected and FILE.unsent can be read by their owner only. The last line on standard error says why an exit code is
not 0.

\b
Exit codes, the first that applies:
  1  wrong usage or configuration; or the service refused the key, the secret or
     the signature; or the spool or leftovers could not be written
  4  something still waits or is held, or the input was not read to its end
  3  something was rejected or buried
  0  everything was delivered
"""

PLAIN_LINE_EVERY = 5.0
MOST_SECONDS = 1e9
MOST_DAYS = 100_000.0


class InDoubt(enum.StrEnum):
    """What becomes of plays whose answer was lost."""

    RESEND = "resend"
    HOLD = "hold"


def ship(
    file: Annotated[str, typer.Argument(metavar="FILE", help="Plays as JSON lines, or - for standard input.")],
    *,
    kind: Annotated[LogKind, typer.Option(help="How the plays came about; all lines are of one kind.")],
    base_url: Annotated[
        str | None,
        typer.Option(metavar="URL", envvar=BASE_URL_VARIABLE, help="One origin for all requests, such as a sandbox's."),
    ] = None,
    key: Annotated[str, typer.Option(envvar=KEY_VARIABLE, help="The consumer key.", show_default=False)] = "",
    secret: Annotated[
        str,
        typer.Option(
            envvar=SECRET_VARIABLE,
            show_default=False,
            help="The consumer secret; better given by the environment, for others can read command lines.",
        ),
    ] = "",
    dialect: DialectName = Dialect.OPENAPI,
    tokens: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help='Users\' tokens: a JSON object, user id to {"token": ..., "secret": ...}. '
            "Without it, catalogue and subscriber plays are signed by the partner alone.",
        ),
    ] = None,
    spool: Annotated[
        str | None,
        typer.Option(
            "--spool",
            metavar="SPOOL",
            show_default="FILE.spool",
            help="The file in which plays are kept until they are delivered, and where the journal is; "
            "or memory; or redis://host:6379/0, a backlog that many workers share.",
        ),
    ] = None,
    limits: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            envvar=LIMITS_VARIABLE,
            show_default=False,
            help="Redis in which all processes of this account keep the limits together, such as redis://host:6379/0.",
        ),
    ] = None,
    synchronous: Annotated[
        Synchronous,
        typer.Option(
            help="Plays in the spool survive a power cut (full), or at least a crash of the process (normal, faster)."
        ),
    ] = Synchronous.FULL,
    journal_days: Annotated[
        float,
        typer.Option(
            min=0,
            max=MOST_DAYS,
            callback=finite,
            metavar="DAYS",
            help="How long a file remembers what was delivered.",
        ),
    ] = 400.0,
    in_doubt: Annotated[
        InDoubt,
        typer.Option(help="Plays whose answer was lost: send again, which may double them, or hold for a person."),
    ] = InDoubt.RESEND,
    patience: Annotated[
        float,
        typer.Option(
            min=0,
            max=MOST_SECONDS,
            callback=finite,
            metavar="SECONDS",
            help="Stop after so long without a single delivery; --drain comes on top, and --linger for a pipe.",
        ),
    ] = 300.0,
    drain: Annotated[
        float,
        typer.Option(
            min=0,
            max=MOST_SECONDS,
            callback=finite,
            metavar="SECONDS",
            help="How long to go on delivering after a stop, of whatever sort.",
        ),
    ] = 30.0,
    linger: Annotated[
        float,
        typer.Option(
            min=0,
            max=MOST_SECONDS,
            callback=finite,
            metavar="SECONDS",
            help="How long an incomplete batch waits for more input.",
        ),
    ] = 5.0,
    from_line: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Begin with this line.",
            show_default="where the last run with this spool stopped",
        ),
    ] = None,
    rejected: Annotated[
        Path | None, typer.Option(metavar="PATH", help="In place of FILE.rejected.", show_default=False)
    ] = None,
    unsent: Annotated[
        Path | None, typer.Option(metavar="PATH", help="In place of FILE.unsent.", show_default=False)
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the summary as one JSON object.")] = False,
) -> None:
    """Ship one file."""
    credentials = Credentials.from_env({KEY_VARIABLE: key, SECRET_VARIABLE: secret})
    source = Source(file)
    order = ShipOptions(
        kind=kind,
        tokens=read_tokens(tokens) if tokens else None,
        spool=place_for(None if spool is None else check_place(spool), source),
        synchronous=synchronous,
        journal_days=journal_days,
        in_doubt=in_doubt.value,
        first_line=from_line,
        patience=patience,
        drain=drain,
        linger=linger,
    )
    client = SevenDigital(
        credentials.consumer_key,
        credentials.consumer_secret,
        base_url=base_url or None,
        limits=limits or None,
        settings=evolve(Settings().with_env(), dialect=dialect),
    )
    with (
        RejectFile(rejected or beside(source.name, ".rejected", regular=source.regular)) as rejected_lines,
        RejectFile(unsent or beside(source.name, ".unsent", regular=source.regular)) as unsent_plays,
    ):
        report = asyncio.run(_ship(order, client, source, rejected_lines, unsent_plays))
    if json:
        say_json(report.as_json())
    else:
        say(report.as_text(sys.stdout))
    if report.reason is not None:
        raise ExitError(report.reason, report.exit_code)


async def _ship(
    order: ShipOptions, client: SevenDigital, source: Source, rejected: RejectFile, unsent: RejectFile
) -> Report:
    async with client:
        with SignalWatcher() as interruptions, display_on(sys.stderr, every=PLAIN_LINE_EVERY) as display:
            shipment = ShipRun(
                order,
                client,
                source,
                rejected=rejected,
                unsent=unsent,
                display=display,
                interruptions=interruptions,
            )
            return await shipment.run()
