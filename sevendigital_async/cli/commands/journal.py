"""``sevendigital journal``: what became of every play, for those who have to prove it."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from ..atomic_file import STANDARD_OUTPUT, AtomicFile
from ..output import (
    ExitCode,
    ExitError,
    FirstFew,
    JsonOption,
    KindOption,
    Opened,
    SinceOption,
    SpoolOption,
    UntilOption,
    duration,
    moment,
    say,
    say_json,
)
from ..reports.export import Outcome, export
from ..reports.reconciliation import Difference, Reconciled, Request, VendorRows, Verdict, reconcile

HELP = "What became of every play: the journal of a spool, to hand in or to compare."

EXPORT_HELP = """Write the journal as CSV, a row for each play, in the style of the compliance tests.

The columns: KIND, then what the play says (USERID, COUNTRY, TRACKID, CLIENTID, DATETIMEPLAYED, TOTALTIMEPLAYED, and
RELEASEID, FORMATID, USERAGENT, PLAYMODE, ENDREASON, PLAYTYPE, which only the live dialect has, each in its place),
then what is known of it: REQUESTID, DELIVEREDAT, ANSWER, INDOUBT and OUTCOME. Values are as they were put, for
a machine to read; a spreadsheet may take some for formulas.

--since and --until are about DELIVEREDAT. A file that is there is not replaced without --force; the file appears
when it is complete. A shipper may have the spool open meanwhile.

\b
Examples:
  sevendigital journal export --spool plays.jsonl.spool --out plays.csv
  sevendigital journal export --spool plays.db --kind preview \\
    --since 2026-11-01 --until 2026-12-01 --out november.csv
  sevendigital journal export --spool plays.db --outcome in-doubt --out -

\b
Exit codes:
  0  it is written
  1  wrong usage, the spool can't be read, or the file can't be written
"""

RECONCILE_HELP = """Compare the journal with somebody else's list of plays, row by row.

FILE is a CSV with a line of headers, such as the service's own list or an earlier export. Columns are found by their
headers, however they are spelled, and those that both sides have are compared: times as instants (equal within
--tolerance), seconds as numbers, doubles as often as they are there.

\b
  missing    in the journal as delivered, and not in FILE
  extra      in FILE, and not in the journal; it says so if the journal has the
             play in doubt, for then it may have been reported twice
  different  the same play with other values
  unreadable its time in FILE is not an ISO 8601 time; it counts as nothing else

Rows of FILE are counted as in a spreadsheet, its line of headers being the first; rows of the journal as in an export
with the same options.

\b
Examples:
  sevendigital journal reconcile --spool plays.jsonl.spool --against theirs.csv
  sevendigital journal reconcile --spool plays.db --kind preview \\
    --since 2026-11-01 --against theirs.csv --json

\b
Exit codes:
  0  they are equal
  1  wrong usage, or one of them can't be read
  3  they are not equal
"""

app = typer.Typer(help=HELP, no_args_is_help=True, rich_markup_mode=None)


@app.command("export", help=EXPORT_HELP, no_args_is_help=True)
def export_journal(
    *,
    spool: SpoolOption,
    out: Annotated[str, typer.Option("--out", metavar="FILE", help="Where to write; - for standard output.")],
    kind: KindOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    outcome: Annotated[Outcome, typer.Option("--outcome", help="Only what became of plays so.")] = Outcome.DELIVERED,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Write the file."""
    begin, end = moment(since, "--since"), moment(until, "--until")
    file = AtomicFile(out, force=force)

    async def run() -> int:
        async with Opened(spool) as archive:
            await archive.status()  # whatever is wrong with the spool is said before there is a file
            with file:
                return await export(archive.journal(kind=kind, since=begin, until=end), outcome, file)

    number = asyncio.run(run())
    if out != STANDARD_OUTPUT:
        say(f"{number:,} plays written to {out}")


@app.command("reconcile", help=RECONCILE_HELP, no_args_is_help=True)
def reconcile_journal(
    *,
    spool: SpoolOption,
    against: Annotated[str, typer.Option("--against", metavar="FILE", help="Their list, a CSV.")],
    kind: KindOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    tolerance: Annotated[
        str,
        typer.Option("--tolerance", metavar="TIME", help="By how much the times of a play may differ: 500ms, 1.5s."),
    ] = "0s",
    json: JsonOption = False,
) -> None:
    """Print the differences."""
    request = Request(kind, moment(since, "--since"), moment(until, "--until"), duration(tolerance, "--tolerance"))
    shown = {verdict: FirstFew(say, f"more {verdict} plays, not shown here; --json shows all") for verdict in Verdict}

    def tell(difference: Difference) -> None:
        if json:
            say_json(difference.as_json())
        else:
            shown[difference.finding.verdict](difference.as_text())

    async def look() -> None:
        async with Opened(spool) as archive:
            await archive.status()

    async def run() -> Reconciled:
        async with Opened(spool) as archive:
            return await reconcile(archive, theirs, request, tell, name=against)

    asyncio.run(look())
    # Opened outside of the loop: what waits for a pipe there would not hear of Ctrl-C.
    with VendorRows(against) as theirs:
        account = asyncio.run(run())
    if json:
        say_json(account.as_json())
    else:
        say(account.as_text())
    if not account.equal:
        raise ExitError(f"the journal and {against} are not equal: {account.difference}", ExitCode.REJECTED)
