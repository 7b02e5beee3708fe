"""``sevendigital call`` and ``sevendigital sign-url``: any operation of the API."""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated

import attrs
import orjson
import typer

from ...client import ApiClient
from ...config import Dialect, UserToken
from ...errors import ConfigurationError, InvalidArgumentError
from ...operations import REGISTRY, Content, Operation, Parameter, ParameterLocation
from ..options import Connection, connection, user, with_options
from ..output import say, say_bytes, say_json

CALL_HELP = """Call any operation of the API and print its response as JSON.

Write arguments as key=value, with names as in Python (page_size) or as on the wire (pageSize). If an argument travels
as JSON, its value is read as JSON. @FILE is replaced by the content of a file. `sevendigital operations` lists the
operations.

\b
Examples:
  sevendigital call classic.releases.search q="abbey road" page_size=5
  sevendigital call platform.playlists.create name=Run tracks=@tracks.json
  sevendigital call classic.releases.details release_id=11700062 --xml
  sevendigital call platform.streaming.preview track_id=123 --out clip.mp3

\b
Exit codes:
  0  the call succeeded
  1  wrong usage or configuration, or the service refused the call
"""

SIGN_URL_HELP = """Print a signed URL for a GET operation, for example for a media player. Nothing is sent.

The URL contains a signature, so keep it secret. The service accepts it once, within a few minutes.

\b
Example:
  sevendigital sign-url platform.streaming.preview track_id=123

\b
Exit codes:
  0  the URL is printed
  1  wrong usage or configuration
"""

app = typer.Typer(rich_markup_mode=None)


def find_operation(name: str) -> Operation:
    """Return the operation with a dotted name, or with an id that is unambiguous.

    Raises:
        InvalidArgumentError: No operation, or more than one, has that name.
    """
    try:
        return REGISTRY.find(name)
    except KeyError as error:
        raise InvalidArgumentError(
            f"{error.args[0]}; `sevendigital operations` lists all", argument="OPERATION"
        ) from None


def complete_operation(incomplete: str) -> list[str]:
    """Return the names of operations that begin like this, for the shell."""
    return [operation.name for operation in REGISTRY if operation.name.startswith(incomplete)]


OperationArgument = Annotated[
    str, typer.Argument(metavar="OPERATION", help="Its dotted name or id.", autocompletion=complete_operation)
]
PairsArgument = Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Its arguments.")]


@app.command("call", help=CALL_HELP, no_args_is_help=True)
@with_options("user", user)
@with_options("connection", connection)
def call(
    operation: OperationArgument,
    arguments: PairsArgument = None,
    *,
    xml: Annotated[bool, typer.Option("--xml", help="Ask for XML, and print the response unchanged.")] = False,
    raw: Annotated[bool, typer.Option("--raw", help="Print the response unchanged.")] = False,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write media to this file; an interrupted download is resumed.")
    ] = None,
    connection: Connection,
    user: UserToken | None,
) -> None:
    """Make one call."""
    found = find_operation(operation)
    values = read_arguments(found, arguments or [], connection.settings.dialect)
    if found.content is Content.MEDIA and out is None:
        raise ConfigurationError(f"{found.name} returns media: give a file with --out FILE")
    if found.content is not Content.MEDIA and out is not None:
        raise ConfigurationError(f"{found.name} does not return media: --out does not apply")

    async def make() -> object:
        async with connection.open_client(prefer_xml=xml) as client:
            api = client.as_user(user) if user else client
            return await _answer(api, found, values, raw=raw or xml, out=out)

    answer = asyncio.run(make())
    if out is not None:
        say_json({"file": str(out), "bytes": out.stat().st_size})
    elif isinstance(answer, bytes):
        say_bytes(answer)
    elif isinstance(answer, str):
        say(answer.rstrip("\n"))
    elif answer is not None:
        say_json(answer, default=as_json, indent=True)


@app.command("sign-url", help=SIGN_URL_HELP, no_args_is_help=True)
@with_options("user", user)
@with_options("connection", connection)
def sign_url(
    operation: OperationArgument, arguments: PairsArgument = None, *, connection: Connection, user: UserToken | None
) -> None:
    """Sign one URL."""
    found = find_operation(operation)
    values = read_arguments(found, arguments or [], connection.settings.dialect)
    client = connection.open_client()
    say((client.as_user(user) if user else client).sign_url(found, **values))


def read_arguments(operation: Operation, pairs: Iterable[str], dialect: Dialect) -> Mapping[str, object]:
    """Read ``key=value`` pairs.

    Keys are spelled as in Python or as on the wire. A value that travels as JSON is read as JSON where it is
    valid; ``@FILE`` is replaced by the content of a file.

    Raises:
        InvalidArgumentError: A pair has no key or no ``=``, its key is unknown or given twice, or its file cannot be
            read.
    """
    binding = operation.binding(dialect)
    bindings = (binding, *binding.variants.values())
    parameters = {parameter.name: parameter for each in bindings for parameter in each.parameters}
    for name in (*binding.spread, *binding.implied):
        parameters[name] = Parameter(name, name, ParameterLocation.JSON)
    known = {spelling: each for each in parameters.values() for spelling in (each.name, each.wire)}
    arguments: dict[str, object] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise InvalidArgumentError(f"{pair!r} must be key=value", argument=pair)
        parameter = known.get(key)
        if parameter is None:
            choice = ", ".join(parameters) or "no arguments"
            raise InvalidArgumentError(
                f"{operation.name} has no argument {key!r}; its arguments are {choice}", argument=key
            )
        if parameter.name in arguments:
            raise InvalidArgumentError(f"{key!r} is given twice", argument=key)
        arguments[parameter.name] = _value(parameter, value)
    return arguments


def _value(parameter: Parameter, text: str) -> object:
    if text.startswith("@"):
        try:
            text = Path(text[1:]).read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
            if isinstance(error, UnicodeDecodeError):
                reason = "the file is not UTF-8"
            raise InvalidArgumentError(
                f"{parameter.name}: cannot read {text[1:]}: {reason}", argument=parameter.name
            ) from None
    if parameter.location is not ParameterLocation.JSON:
        return text
    try:
        value: object = orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
    return text if isinstance(value, int | float) and not isinstance(value, bool) else value


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
