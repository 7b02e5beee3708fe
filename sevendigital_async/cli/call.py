"""``sevendigital call``: any operation from the shell."""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated

import attrs
import typer

from ..client import ApiClient
from ..config import Dialect, Settings
from ..errors import ConfigurationError
from ..operations import Content, Operation
from .arguments import complete_operation, find_operation, read_arguments
from .connection import BaseUrl, DialectName, Key, Secret, Token, TokenSecret, acting_for, open_client
from .output import say, say_bytes, say_json

HELP = """Call any operation of the API and print its answer as JSON.

Arguments are written key=value, spelled as in Python (page_size) or as on the wire (pageSize). A value that travels as
JSON is read as JSON; @FILE stands for a file's content. `sevendigital operations` lists what there is.

\b
Examples:
  sevendigital call classic.releases.search q="abbey road" page_size=5
  sevendigital call platform.playlists.create name=Run tracks=@tracks.json
  sevendigital call classic.releases.details release_id=11700062 --xml
  sevendigital call platform.streaming.preview track_id=123 --out clip.mp3

\b
Exit codes:
  0  done
  1  wrong usage or configuration, or the service refused
"""


def call(
    operation: Annotated[
        str, typer.Argument(metavar="OPERATION", help="Its dotted name or id.", autocompletion=complete_operation)
    ],
    arguments: Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Its arguments.")] = None,
    *,
    xml: Annotated[bool, typer.Option("--xml", help="Ask for XML, and print it as it comes.")] = False,
    raw: Annotated[bool, typer.Option("--raw", help="Print the answer as it comes.")] = False,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Where media go; taken up if it broke off.")] = None,
    dialect: DialectName = Dialect.OPENAPI,
    base_url: BaseUrl = None,
    key: Key = "",
    secret: Secret = "",
    user_token: Token = "",
    user_secret: TokenSecret = "",
) -> None:
    """Make one call."""
    found = find_operation(operation)
    settings = attrs.evolve(Settings(prefer_xml=xml).with_env(), dialect=dialect)
    values = read_arguments(found, arguments or [], settings.dialect)
    if (found.content is Content.MEDIA) != (out is not None):
        raise ConfigurationError(
            f"{found.name} answers with media; say where they go with --out FILE"
            if out is None
            else f"{found.name} answers with words; --out is for media"
        )

    async def make() -> object:
        async with open_client(key, secret, base_url, settings) as client:
            return await _answer(acting_for(client, user_token, user_secret), found, values, raw=raw or xml, out=out)

    answer = asyncio.run(make())
    if out is not None:
        say_json({"file": str(out), "bytes": out.stat().st_size})
    elif isinstance(answer, bytes):
        say_bytes(answer)
    elif isinstance(answer, str):
        say(answer.rstrip("\n"))
    elif answer is not None:
        say_json(answer, default=as_json, indent=True)


async def _answer(
    client: ApiClient, operation: Operation, values: Mapping[str, object], *, raw: bool, out: Path | None
) -> object:
    if out is not None:
        await client.media_of(operation, **values).download(to=out)
        return None
    if raw:
        return await client.raw(operation, **values)
    return await client.call(operation, **values)


def as_json(value: object) -> object:
    """Turn what orjson doesn't know into what it does; fields without a value are left out."""
    if attrs.has(type(value)):
        fields = {field.name: getattr(value, field.name) for field in attrs.fields(type(value))}  # type: ignore[arg-type]
        return {name: content for name, content in fields.items() if content is not None and content != ()}
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, enum.Enum):
        return value.value
    raise TypeError(f"no JSON form of {type(value).__name__}")
