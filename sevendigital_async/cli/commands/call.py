"""``sevendigital sign-url``: a call as one URL."""

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
from attrs import evolve

from ...client import ApiClient
from ...config import Dialect, Settings
from ...errors import ConfigurationError, InvalidArgumentError
from ...operations import REGISTRY, Content, Operation, Parameter, ParameterLocation
from ..connection import BaseUrl, DialectName, Key, Secret, Token, TokenSecret, acting_for, open_client
from ..output import say, say_bytes, say_json


def find_operation(name: str) -> Operation:
    """Return the operation called ``name``: dotted, or its id where that is unambiguous.

    Raises:
        InvalidArgumentError: There is none, or more than one.
    """
    try:
        return REGISTRY.find(name)
    except KeyError as error:
        raise InvalidArgumentError(
            f"{error.args[0]}; `sevendigital operations` lists all", argument="OPERATION"
        ) from None


def complete_operation(incomplete: str) -> list[str]:
    """Return the operations whose name begins like this, for the shell."""
    return [operation.name for operation in REGISTRY if operation.name.startswith(incomplete)]


def read_arguments(operation: Operation, pairs: Iterable[str], dialect: Dialect) -> Mapping[str, object]:
    """Read ``key=value`` pairs.

    Keys may be spelled as in Python or as on the wire. What travels as JSON is read as JSON if it is any; ``@FILE``
    stands for a file's content.

    Raises:
        InvalidArgumentError: A pair is none, its key is unknown or given twice, or its file can't be read.
    """
    binding = operation.binding(dialect)
    forms = (binding, *binding.variants.values())
    taken = {argument.name: argument for form in forms for argument in form.parameters}
    apart = {name: Parameter(name, name, ParameterLocation.JSON) for name in (*binding.spread, *binding.implied)}
    known = {spelling: argument for argument in (*taken.values(), *apart.values()) for spelling in _spellings(argument)}
    arguments: dict[str, object] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise InvalidArgumentError(f"{pair!r} is not of the form key=value", argument=pair)
        argument = known.get(key)
        if argument is None:
            choice = ", ".join(dict.fromkeys(argument.name for argument in known.values())) or "nothing"
            raise InvalidArgumentError(f"{operation.name} takes no {key!r}; it takes {choice}", argument=key)
        if argument.name in arguments:
            raise InvalidArgumentError(f"{key!r} is given twice", argument=key)
        arguments[argument.name] = _value(argument, value)
    return arguments


def _spellings(argument: Parameter) -> tuple[str, str]:
    return argument.name, argument.wire


def _value(argument: Parameter, text: str) -> object:
    if text.startswith("@"):
        try:
            text = Path(text[1:]).read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            reason = "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else _words(error)
            raise InvalidArgumentError(
                f"{argument.name}: {text[1:]} can't be read: {reason}", argument=argument.name
            ) from None
    if argument.location is not ParameterLocation.JSON:
        return text
    try:
        value: object = orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
    return text if isinstance(value, int | float) and not isinstance(value, bool) else value


def _words(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


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


HELP = """Print a signed URL for an operation that is a GET, say for a player. Nothing is sent.

The URL holds a signature, so treat it as a secret; the service accepts it once, and for a few minutes.

\b
Example:
  sevendigital sign-url platform.streaming.preview track_id=123
"""


def sign_url(
    operation: Annotated[
        str, typer.Argument(metavar="OPERATION", help="Its dotted name or id.", autocompletion=complete_operation)
    ],
    arguments: Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Its arguments.")] = None,
    *,
    dialect: DialectName = Dialect.OPENAPI,
    base_url: BaseUrl = None,
    key: Key = "",
    secret: Secret = "",
    user_token: Token = "",
    user_secret: TokenSecret = "",
) -> None:
    """Sign one URL."""
    found = find_operation(operation)
    settings = evolve(Settings().with_env(), dialect=dialect)
    values = read_arguments(found, arguments or [], settings.dialect)
    client = acting_for(open_client(key, secret, base_url, settings), user_token, user_secret)
    say(client.sign_url(found, **values))
