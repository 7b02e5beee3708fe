"""``sevendigital ship``: reports the plays in a file."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

import typer
from attrs import frozen

from ...client import SevenDigital
from ...config import LIMITS_VARIABLE
from ...errors import ConfigurationError
from ...models import LogKind
from ...monitoring import WorkerMonitor
from ...sources import Format, ReadOptions
from ..atomic_file import refuse_database
from ..options import (
    ClientOptions,
    JsonSummaryOption,
    TokensOption,
    check_finite,
    check_spool_name,
    read_client_options,
    with_options,
)
from ..output import ExitError, echo, echo_json
from ..process import SignalWatcher
from ..ship.display import open_display
from ..ship.inputs import Input, check_first_line, output_files, parse_mapping
from ..ship.options import ShipOptions, Synchronous, choose_spool, make_monitor, read_tokens, spool_directory
from ..ship.reject_file import RejectFile, output_path
from ..ship.report import Report
from ..ship.run import ShipRun

HELP = """Report the plays in FILEs to the service: JSON lines, CSV or Parquet, plain or compressed (gzip, zstd, bz2,
xz), recognised by their content. A FILE is a path, a pattern such as 'logs/*.jsonl', "-" for standard input, or a
topic: kafka://broker:9092/topic?group=plays.

\b
Example of a line of JSON, of which only trackId and timestamp are required:
  {"trackId": "123", "timestamp": "2026-01-31T20:15:00Z", "userId": "7",
   "clientId": "phone", "durationPlayed": 30, "country": "GB"}

CSV and Parquet have the same names as columns, or those that "sevendigital journal export" writes, or others that --map
names. A field or column "kind" gives the kind of each play; plays without it are of --kind.

The live dialect requires more: userId, country, durationPlayed and userAgent for all kinds, releaseId and formatId for
catalogue and subscriber plays, playMode for preview and subscriber plays, endReason for catalogue plays.

The input is streamed and sent in batches within the documented limits. When the service fails, plays are sent again.
Blank lines are skipped. Progress and errors go to standard error, the summary to standard output.

Plays are kept in a spool, a file beside FILE, until they are delivered. If a run is interrupted, even by kill -9 or a
power cut, the same command continues where it stopped: no line is skipped, and none is put twice.

\b
Examples:
  sevendigital ship plays.jsonl --kind preview
  zcat plays.gz | sevendigital ship - --kind subscriber --tokens tokens.json
  sevendigital ship plays.jsonl --kind preview --spool memory
  sevendigital ship 'logs/*.csv.gz' --spool plays.db --map trackId=track,kind=type
  sevendigital ship --follow /var/log/plays.jsonl --kind preview
  sevendigital ship "kafka://broker:9092/plays?group=shipper" --kind preview

--follow reads files as they grow, until a signal: lines are sent when they are complete, files may be rotated (renamed,
copied and truncated, compressed), appear and vanish. A topic is read until a signal, too.

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

Several FILEs or a pattern need --spool, because all share one. What is plainly not a file of plays ends the run with
one message before anything is sent or made.

A run stops after --patience seconds without a delivery (not with --follow or Kafka), and at SIGINT or SIGTERM. It then
reads no further, delivers what it has read for up to --drain seconds, and prints the summary; a second signal ends it
at once. For a pipe, --linger is added to --patience, because an incomplete batch waits that long.

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

PROGRESS_INTERVAL = 5.0
DEFAULT_PATIENCE = 300.0
MAX_SECONDS = 1e9
MAX_DAYS = 100_000.0

GARBAGE_COLLECTION_THRESHOLD = 50_000
"""Objects made, less those that are gone, after which the garbage collector looks at the new ones."""

app = typer.Typer(rich_markup_mode=None)


@frozen
class InputOptions:
    """How the input is read."""

    format: Format | None
    columns: Mapping[str, str] | None
    follow: bool
    poll: float
    dead_letter_topic: str | None


def _number_option(text: str, metavar: str, longest: float) -> object:
    return typer.Option(min=0, max=longest, callback=check_finite, metavar=metavar, help=text)


def read_input_options(
    *,
    format_: Annotated[
        Format | None,
        typer.Option("--format", show_default="by the content", help="Format of the files."),
    ] = None,
    map_: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="FIELD=COLUMN,...",
            help="Columns or fields with other names, such as trackId=track,timestamp=played_at.",
            show_default=False,
        ),
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Read files as they grow, until a signal.")] = False,
    poll: Annotated[
        float, _number_option("Look for changes of followed files at least this often.", "SECONDS", MAX_SECONDS)
    ] = 1.0,
    dead_letter_topic: Annotated[
        str | None,
        typer.Option(metavar="TOPIC", help="Send bad messages to this topic instead of a file.", show_default=False),
    ] = None,
) -> InputOptions:
    """Read the options that say how the input is read."""
    return InputOptions(format_, parse_mapping(map_ or ()), follow, poll, dead_letter_topic)


@app.command("ship", help=HELP, no_args_is_help=True)
@with_options("client_options", read_client_options)
@with_options("worker", make_monitor)
@with_options("input_options", read_input_options)
def ship(
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILE", help="Files, patterns, - for standard input, or a kafka:// URL."),
    ],
    *,
    kind: Annotated[
        LogKind | None,
        typer.Option(help="Kind of plays that don't state a kind.", show_default="the plays have their kinds"),
    ] = None,
    input_options: InputOptions,
    client_options: ClientOptions,
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
        float, _number_option("Keep the journal of deliveries in a spool file for this time.", "DAYS", MAX_DAYS)
    ] = 400.0,
    in_doubt: Annotated[
        Literal["resend", "hold"],
        typer.Option(help="Plays whose response was lost: send them again, perhaps twice, or hold them."),
    ] = "resend",
    patience: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=MAX_SECONDS,
            callback=check_finite,
            metavar="SECONDS",
            help="Stop after this time without a delivery.",
            show_default="300; never with --follow or Kafka",
        ),
    ] = None,
    drain: Annotated[
        float,
        _number_option("Deliver what was read for up to this time after the run has stopped.", "SECONDS", MAX_SECONDS),
    ] = 30.0,
    linger: Annotated[
        float, _number_option("Let an incomplete batch wait this long for more input.", "SECONDS", MAX_SECONDS)
    ] = 5.0,
    from_line: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="N", help="Start at this line.", show_default="where the last run with this spool stopped"
        ),
    ] = None,
    rejected: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="Write rejected lines here instead of FILE.rejected.", show_default=False),
    ] = None,
    unsent: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="Write undelivered lines here instead of FILE.unsent.", show_default=False),
    ] = None,
    worker: WorkerMonitor,
    json: JsonSummaryOption = False,
) -> None:
    if "" in files:
        raise ConfigurationError("the name of a FILE is empty; use - for standard input")
    client = client_options.open_client(limits=limits)
    inputs = Input(tuple(files), input_options.follow)
    check_first_line(inputs, from_line)
    options = ShipOptions(
        kind=kind,
        tokens=read_tokens(tokens) if tokens else None,
        spool=choose_spool(None if spool is None else check_spool_name(spool), inputs),
        synchronous=synchronous,
        journal_days=journal_days,
        in_doubt=in_doubt,
        first_line=from_line,
        patience=DEFAULT_PATIENCE if patience is None and not inputs.is_endless else patience,
        drain=drain,
        linger=linger,
    )
    regular = inputs.is_rereadable and inputs.is_single
    with (
        _infrequent_garbage_collection(),
        RejectFile(
            _checked(rejected) or output_path(inputs.base_name, ".rejected", is_regular=regular)
        ) as rejected_lines,
        RejectFile(_checked(unsent) or output_path(inputs.base_name, ".unsent", is_regular=regular)) as unsent_plays,
    ):
        report = asyncio.run(
            _ship(options, client, inputs, input_options, rejected=rejected_lines, unsent=unsent_plays, worker=worker)
        )
    if json:
        echo_json(report.as_json())
    else:
        echo(report.as_text(sys.stdout))
    if report.reason is not None:
        raise ExitError(report.reason, report.exit_code)


def _checked(path: Path | None) -> Path | None:
    """Return the path of a file to make, as an option names it, if it can be one."""
    if path is not None and os.path.exists(path) and not os.path.isfile(path):  # noqa: PTH110, PTH113 - any text
        raise ConfigurationError(f"cannot write {path}: it is not a regular file")
    if path is not None:
        refuse_database(path)
    return path


@contextmanager
def _infrequent_garbage_collection() -> Iterator[None]:
    """Let the garbage collector run less often: plays are many objects, and none of them is in a cycle."""
    thresholds = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(GARBAGE_COLLECTION_THRESHOLD, *thresholds[1:])
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)


async def _ship(
    options: ShipOptions,
    client: SevenDigital,
    inputs: Input,
    input_options: InputOptions,
    *,
    rejected: RejectFile,
    unsent: RejectFile,
    worker: WorkerMonitor,
) -> Report:
    source = inputs.open(
        ReadOptions(input_options.format, input_options.columns, options.kind, options.first_line),
        directory=spool_directory(options.spool or ""),
        output_files=output_files(inputs, options.spool, rejected, unsent),
        poll=input_options.poll,
    )
    on_hangup = rejected.reopen if worker.is_active else None
    async with client, worker:
        with SignalWatcher(on_hangup) as signals, open_display(sys.stderr, interval=PROGRESS_INTERVAL) as display:
            run = ShipRun(
                options,
                client,
                inputs,
                source,
                rejected=rejected,
                unsent=unsent,
                display=display,
                signals=signals,
                worker=worker,
                dead_letter_topic=inputs.dead_letter_topic(input_options.dead_letter_topic),
            )
            return await run.run()
