"""``sevendigital ship``: reports the plays in a file."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from ...client import SevenDigital
from ...config import LIMITS_VARIABLE
from ...models import LogKind
from ...monitoring import WorkerMonitor
from ..options import (
    Connection,
    JsonSummaryOption,
    TokensOption,
    check_finite,
    check_spool_name,
    connection,
    with_options,
)
from ..output import ExitError, say, say_json
from ..process import SignalWatcher
from ..ship.display import display_on
from ..ship.options import ShipOptions, Synchronous, monitor, read_tokens, spool_for
from ..ship.reject_file import RejectFile, beside
from ..ship.report import Report
from ..ship.run import ShipRun
from ..ship.source import Source

HELP = """Report the plays in FILE to the service. FILE has one JSON object per line; "-" is standard input.

\b
Example of a line, of which only trackId and timestamp are required:
  {"trackId": "123", "timestamp": "2026-01-31T20:15:00Z", "userId": "7",
   "clientId": "phone", "durationPlayed": 30, "country": "GB"}

The live dialect requires more: userId, country, durationPlayed and userAgent for all kinds, releaseId and formatId for
catalogue and subscriber plays, playMode for preview and subscriber plays, endReason for catalogue plays.

The file is streamed and sent in batches within the documented limits. When the service fails, plays are sent again.
Blank lines are skipped. Progress and errors go to standard error, the summary to standard output.

Plays are kept in a spool, a file beside FILE, until they are delivered. If a run is interrupted, even by kill -9 or a
power cut, the same command continues where it stopped: no line is skipped, and none is put twice.

\b
Examples:
  sevendigital ship plays.jsonl --kind preview
  zcat plays.gz | sevendigital ship - --kind subscriber --tokens tokens.json
  sevendigital ship plays.jsonl --kind preview --spool memory

\b
Files:
  FILE.spool     the spool: plays that wait; dead letters, which were refused by
                 the service ("buried") or may have reached it ("held"), see
                 sevendigital dead-letters; the journal of deliveries, see
                 sevendigital journal
  FILE.rejected  lines that are not plays, each reported as FILE:LINE: reason

Later runs use the same spool and first send what an earlier run left; the summary counts those plays separately. The
spool of standard input is stdin.spool in the current directory. A pipe cannot be read twice, so lines that were read
but not put are written to stdin.unsent.

With --spool memory, nothing outlives the run. FILE.rejected then has the buried plays, too, FILE.unsent has plays that
were not delivered, plays in doubt first, and the summary names the line for --from-line. Both files never overwrite
another one: if a name exists, a number is added to it.

If the last line of a file has no line feed and is not a play, it may still be being written. It is left for the next
run, and the exit code is 4. The last line of a pipe is final.

A run stops after --patience seconds without a delivery, and at SIGINT or SIGTERM. It then reads no further, delivers
what it has read for up to --drain seconds, and prints the summary; a second signal ends it at once. For a pipe,
--linger is added to --patience, because an incomplete batch waits that long.

With --http, or when systemd waits for messages (Type=notify), the run is a service: /healthz and /metrics are served,
systemd learns when it is ready and when it stops, and SIGHUP reopens FILE.rejected, for logrotate, and does not stop
the run.

Only their owner can read FILE.rejected and FILE.unsent. If the exit code is not 0, the last line on standard error
gives the reason.

\b
Exit codes; the first that applies:
  1  wrong usage or configuration; or the service refused the key, the secret or
     the signature; or the spool or one of the files could not be written
  4  some plays wait or are held, or the input was not read to its end
  3  some lines were rejected or some plays buried
  0  everything was delivered
"""

PROGRESS_EVERY = 5.0
LONGEST_SECONDS = 1e9
LONGEST_DAYS = 100_000.0

app = typer.Typer(rich_markup_mode=None)


def _number(text: str, metavar: str, longest: float) -> object:
    return typer.Option(min=0, max=longest, callback=check_finite, metavar=metavar, help=text)


@app.command("ship", help=HELP, no_args_is_help=True)
@with_options("connection", connection)
@with_options("worker", monitor)
def ship(
    file: Annotated[str, typer.Argument(metavar="FILE", help="Plays as JSON lines, or - for standard input.")],
    *,
    kind: Annotated[LogKind, typer.Option(help="Kind of the plays, the same for all lines.")],
    connection: Connection,
    tokens: TokensOption = None,
    spool: Annotated[
        str | None,
        typer.Option(
            "--spool",
            metavar="SPOOL",
            show_default="FILE.spool",
            help="Where plays are kept until they are delivered: a file; memory; or redis://host:6379/0, which many "
            "processes can share.",
        ),
    ] = None,
    limits: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            envvar=LIMITS_VARIABLE,
            show_default=False,
            help="Redis where all processes of this account share the rate limits, such as redis://host:6379/0.",
        ),
    ] = None,
    synchronous: Annotated[
        Synchronous,
        typer.Option(help="What plays in the spool survive: a power cut (full), or a crash of the process (normal)."),
    ] = Synchronous.FULL,
    journal_days: Annotated[
        float, _number("How long a file keeps the journal of deliveries.", "DAYS", LONGEST_DAYS)
    ] = 400.0,
    in_doubt: Annotated[
        Literal["resend", "hold"],
        typer.Option(help="Plays whose answer was lost: send them again, perhaps twice, or hold them."),
    ] = "resend",
    patience: Annotated[float, _number("Stop after this time without a delivery.", "SECONDS", LONGEST_SECONDS)] = 300.0,
    drain: Annotated[
        float, _number("How long to deliver what was read after the run has stopped.", "SECONDS", LONGEST_SECONDS)
    ] = 30.0,
    linger: Annotated[
        float, _number("How long an incomplete batch waits for more input.", "SECONDS", LONGEST_SECONDS)
    ] = 5.0,
    from_line: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="N", help="Start at this line.", show_default="where the last run with this spool stopped"
        ),
    ] = None,
    rejected: Annotated[
        Path | None, typer.Option(metavar="PATH", help="In place of FILE.rejected.", show_default=False)
    ] = None,
    unsent: Annotated[
        Path | None, typer.Option(metavar="PATH", help="In place of FILE.unsent.", show_default=False)
    ] = None,
    worker: WorkerMonitor,
    json: JsonSummaryOption = False,
) -> None:
    """Ship one file."""
    client = connection.open_client(limits=limits)
    source = Source(file)
    options = ShipOptions(
        kind=kind,
        tokens=read_tokens(tokens) if tokens else None,
        spool=spool_for(None if spool is None else check_spool_name(spool), source),
        synchronous=synchronous,
        journal_days=journal_days,
        in_doubt=in_doubt,
        first_line=from_line,
        patience=patience,
        drain=drain,
        linger=linger,
    )
    with (
        RejectFile(rejected or beside(source.name, ".rejected", regular=source.regular)) as rejected_lines,
        RejectFile(unsent or beside(source.name, ".unsent", regular=source.regular)) as unsent_plays,
    ):
        report = asyncio.run(_ship(options, client, source, rejected_lines, unsent_plays, worker=worker))
    if json:
        say_json(report.as_json())
    else:
        say(report.as_text(sys.stdout))
    if report.reason is not None:
        raise ExitError(report.reason, report.exit_code)


async def _ship(
    options: ShipOptions,
    client: SevenDigital,
    source: Source,
    rejected: RejectFile,
    unsent: RejectFile,
    *,
    worker: WorkerMonitor,
) -> Report:
    on_hangup = rejected.reopen if worker.is_active else None
    async with client, worker:
        with SignalWatcher(on_hangup) as signals, display_on(sys.stderr, every=PROGRESS_EVERY) as display:
            run = ShipRun(
                options,
                client,
                source,
                rejected=rejected,
                unsent=unsent,
                display=display,
                signals=signals,
                worker=worker,
            )
            return await run.run()
