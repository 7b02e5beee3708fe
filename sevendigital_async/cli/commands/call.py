"""``sevendigital call`` and ``sevendigital sign-url``: any operation of the API."""

from __future__ import annotations

import asyncio
import enum
import sys
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated

import attrs
import typer

from ...client import ApiClient
from ...config import Dialect, UserToken
from ...errors import ConfigurationError
from ...operations import Content, Operation
from ...resources.media_handle import MediaHandle
from ..arguments import complete_argument, complete_operation, find_operation, read_arguments
from ..atomic_file import refuse_database
from ..options import ClientOptions, read_client_options, read_user_token, with_options
from ..output import STANDARD_OUTPUT, echo, echo_bytes, echo_json, write_bytes

CALL_HELP = """Call any operation of the API and print its response as JSON.

Write arguments as key=value, with names as in Python (page_size) or as on the wire (pageSize). If an argument travels
as JSON, its value is read as JSON. @FILE is replaced by the content of a file. `sevendigital operations` lists the
operations.

\b
Examples:
  sevendigital call classic.releases.search q="quiet harbour" country=GB page_size=5
  sevendigital call platform.playlists.create name=Run tracks='[{"trackId": "5500011", "title": "A", "artist": "B"}]'
  sevendigital call classic.releases.details release_id=1100001 country=GB --xml
  sevendigital call platform.streaming.preview track_id=5500011 --out clip.mp3

\b
Exit codes:
  0  the call succeeded
  1  wrong usage or configuration, or the service refused the call
"""

SIGN_URL_HELP = """Print a signed URL for a GET operation, for example for a media player. Nothing is sent.

The URL contains a signature, so keep it secret. The service accepts it once, within a few minutes.

\b
Example:
  sevendigital sign-url platform.streaming.preview track_id=5500011

\b
Exit codes:
  0  the URL is printed
  1  wrong usage or configuration
"""

app = typer.Typer(rich_markup_mode=None)


def complete_pair(context: typer.Context, incomplete: str) -> list[str]:
    """Complete ``key=value`` for the shell."""
    given = context.params
    dialect = given.get("dialect")
    known = dialect if isinstance(dialect, Dialect) else Dialect.OPENAPI
    return complete_argument(given.get("operation") or "", given.get("arguments") or (), incomplete, known)


OperationArgument = Annotated[
    str, typer.Argument(metavar="OPERATION", help="Its dotted name or id.", autocompletion=complete_operation)
]
PairsArgument = Annotated[
    list[str] | None, typer.Argument(metavar="KEY=VALUE", help="Its arguments.", autocompletion=complete_pair)
]


@app.command("call", help=CALL_HELP, no_args_is_help=True)
@with_options("user", read_user_token)
@with_options("client_options", read_client_options)
def call(
    operation: OperationArgument,
    arguments: PairsArgument = None,
    *,
    xml: Annotated[bool, typer.Option("--xml", help="Ask for XML, and print the response unchanged.")] = False,
    raw: Annotated[bool, typer.Option("--raw", help="Print the response unchanged.")] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write media to this file; an interrupted download is resumed. - is standard output.",
        ),
    ] = None,
    client_options: ClientOptions,
    user: UserToken | None,
) -> None:
    found = find_operation(operation)
    values = read_arguments(found, arguments or [], client_options.settings.dialect)
    if found.content is Content.MEDIA and out is None:
        raise ConfigurationError(f"{found.name} returns media: give a file with --out FILE")
    if found.content is not Content.MEDIA and out is not None:
        raise ConfigurationError(f"{found.name} does not return media: --out does not apply")
    to_stdout = out is not None and str(out) == STANDARD_OUTPUT
    if to_stdout and sys.stdout.isatty():
        raise ConfigurationError("standard output is a terminal: redirect it, or name a file with --out")
    if out is not None:
        refuse_database(out)

    async def make() -> object:
        async with client_options.open_client(prefer_xml=xml) as client:
            api = client.as_user(user) if user else client
            return await _execute(api, found, values, raw=raw or xml, out=out)

    answer = asyncio.run(make())
    if out is not None and not to_stdout:
        echo_json({"file": str(out), "bytes": out.stat().st_size})
    elif isinstance(answer, bytes):
        echo_bytes(answer)
    elif isinstance(answer, str):
        echo(answer.rstrip("\n"))
    elif answer is not None:
        echo_json(answer, default=as_json, indent=True)


@app.command("sign-url", help=SIGN_URL_HELP, no_args_is_help=True)
@with_options("user", read_user_token)
@with_options("client_options", read_client_options)
def sign_url(
    operation: OperationArgument,
    arguments: PairsArgument = None,
    *,
    client_options: ClientOptions,
    user: UserToken | None,
) -> None:
    found = find_operation(operation)
    values = read_arguments(found, arguments or [], client_options.settings.dialect)
    client = client_options.open_client()
    echo((client.as_user(user) if user else client).sign_url(found, **values))


async def _execute(
    client: ApiClient, operation: Operation, values: Mapping[str, object], *, raw: bool, out: Path | None
) -> object:
    if out is not None:
        media = client.media_of(operation, **values)
        await (_stream(media) if str(out) == STANDARD_OUTPUT else media.download(to=out))
        return None
    if raw:
        return await client.raw(operation, **values)
    return await client.call(operation, **values)


async def _stream(media: MediaHandle) -> None:
    """Write media to standard output as they arrive, until its reader has enough."""
    async with media as response:
        async for chunk in response:
            if not await asyncio.to_thread(write_bytes, chunk):
                return


def as_json(value: object) -> object:
    """Convert a value that orjson cannot; fields without a value are left out."""
    if attrs.has(type(value)):
        fields = {field.name: getattr(value, field.name) for field in attrs.fields(type(value))}  # type: ignore[arg-type]
        return {name: content for name, content in fields.items() if content is not None and content != ()}
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, enum.Enum):
        return value.value
    raise TypeError(f"cannot write {type(value).__name__} as JSON")
