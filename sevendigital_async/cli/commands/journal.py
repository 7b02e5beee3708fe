"""``sevendigital journal``: the record of which play was delivered when, as CSV or compared with another list."""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated

import typer

from ...quantity import pluralize
from ..atomic_file import AtomicFile
from ..options import (
    JsonOption,
    KindOption,
    SinceOption,
    SpoolOption,
    UntilOption,
    inspect_spool,
    parse_duration,
    parse_time_or_age,
    with_options,
)
from ..output import STANDARD_OUTPUT, ExitCode, ExitError, LineLimit, echo, echo_json
from ..reports.export import JournalFilter, OutcomeFilter, export
from ..reports.reconciliation import Difference, Reconciliation, VendorRows, Verdict, reconcile
from ..tables import wrap

HELP = "Export the journal of a spool, or compare it with another list of plays."

EXPORT_HELP = """Write the journal as CSV with a row for each play, in the format of the compliance tests.

The first column is KIND. The fields of the play follow: USERID, COUNTRY, TRACKID, RELEASEID, FORMATID, CLIENTID,
USERAGENT, DATETIMEPLAYED, TOTALTIMEPLAYED, PLAYMODE, ENDREASON, PLAYTYPE (some of them exist in the live dialect only).
The last columns are about the delivery: REQUESTID, DELIVEREDAT, ANSWER, INDOUBT, OUTCOME. Values are written as they
were put; a spreadsheet may read some of them as formulas.

--since and --until compare DELIVEREDAT. An existing file is replaced only with --force, and the new file appears
when it is complete. The spool may be in use by a shipper.

\b
Examples:
  sevendigital journal export --spool plays.jsonl.spool --out plays.csv
  sevendigital journal export --spool plays.db --kind preview \\
    --since 2026-11-01 --until 2026-12-01 --out november.csv
  sevendigital journal export --spool plays.db --outcome in-doubt --out -

\b
Exit codes:
  0  the file is written
  1  wrong usage, the spool cannot be read, or the file cannot be written
"""

RECONCILE_HELP = """Compare the journal with another list of plays, row by row.

FILE is a CSV with a line of headers, such as the service's own list or an earlier export. Columns are matched by their
headers, ignoring case and punctuation, and those that both sides have are compared: times as instants (equal within
--tolerance), seconds as numbers. A play that is listed twice must be listed twice on both sides.

\b
  missing    delivered according to the journal, but not in FILE, or less often
  extra      in FILE, but not in the journal, or less often; "in doubt" if the
             journal has the play as in doubt: it may have been reported twice
  different  the same play with different values
  unreadable the time in FILE is not an ISO 8601 time; not counted otherwise

Row numbers of FILE are those of a spreadsheet, where the headers are row 1. Row numbers of the journal are those of an
export with the same options.

\b
Examples:
  sevendigital journal reconcile --spool plays.jsonl.spool --against theirs.csv
  sevendigital journal reconcile --spool plays.db --kind preview \\
    --since 2026-11-01 --against theirs.csv --json

\b
Exit codes:
  0  the lists are equal
  1  wrong usage, or a list cannot be read
  3  the lists are not equal
"""

app = typer.Typer(help=HELP, no_args_is_help=True, rich_markup_mode=None)


def read_journal_filter(
    *, kind: KindOption = None, since: SinceOption = None, until: UntilOption = None
) -> JournalFilter:
    """Read which entries of the journal to use."""
    return JournalFilter(kind, parse_time_or_age(since, "--since"), parse_time_or_age(until, "--until"))


@app.command("export", help=EXPORT_HELP, short_help="Write the journal as CSV.", no_args_is_help=True)
@with_options("entries", read_journal_filter)
def export_journal(
    *,
    spool: SpoolOption,
    out: Annotated[str, typer.Option("--out", metavar="FILE", help="File to write; - is standard output.")],
    entries: JournalFilter,
    outcome: Annotated[
        OutcomeFilter, typer.Option("--outcome", help="Only entries with this outcome.")
    ] = OutcomeFilter.DELIVERED,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
) -> None:
    file = AtomicFile(out, force=force)

    async def run() -> int:
        async with inspect_spool(spool) as inspector:
            await inspector.status()  # fails before there is a file if the spool cannot be read
            with file:
                return await export(entries.read(inspector), outcome, file)

    number = asyncio.run(run())
    if out != STANDARD_OUTPUT:
        echo(f"{pluralize(number)} written to {out}")


@app.command(
    "reconcile", help=RECONCILE_HELP, short_help="Compare it with another list of plays.", no_args_is_help=True
)
@with_options("entries", read_journal_filter)
def reconcile_journal(
    *,
    spool: SpoolOption,
    against: Annotated[str, typer.Option("--against", metavar="FILE", help="The other list, a CSV.")],
    entries: JournalFilter,
    tolerance: Annotated[
        str,
        typer.Option("--tolerance", metavar="TIME", help="Times that differ by no more are equal: 500ms, 1.5s."),
    ] = "0s",
    json: JsonOption = False,
) -> None:
    max_difference = parse_duration(tolerance, "--tolerance")
    limits = {verdict: LineLimit(echo, f"more {verdict} plays are not shown; --json shows all") for verdict in Verdict}

    def show(difference: Difference) -> None:
        if json:
            echo_json(difference.as_json())
        else:
            limits[difference.finding.verdict](wrap(difference.as_text(), sys.stdout))

    async def check_spool() -> None:
        async with inspect_spool(spool) as inspector:
            await inspector.status()

    async def run() -> Reconciliation:
        async with inspect_spool(spool) as inspector:
            return await reconcile(entries.read(inspector), theirs, show, file_name=against, tolerance=max_difference)

    asyncio.run(check_spool())
    # Opened outside of the event loop: within it, Ctrl-C would not interrupt the opening of a named pipe.
    with VendorRows(against) as theirs:
        result = asyncio.run(run())
    if json:
        echo_json(result.as_json())
    else:
        for line in result.as_text().splitlines():
            echo(wrap(line, sys.stdout))
    if not result.is_equal:
        raise ExitError(f"the journal and {against} are not equal: {result.difference}", ExitCode.REJECTED)
