"""Options that several commands have, and what the commands make of them."""

from __future__ import annotations

import functools
import inspect
import math
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from attrs import evolve, field, frozen

from ..config import (
    BASE_URL_VARIABLE,
    DIALECT_VARIABLE,
    KEY_VARIABLE,
    SECRET_VARIABLE,
    Credentials,
    Dialect,
    Settings,
    UserToken,
)
from ..errors import ConfigurationError
from ..models import LogKind
from ..models.readers import parse_datetime
from .output import one_line

if TYPE_CHECKING:
    from ..client import SevenDigital
    from ..shipping.spools.inspector import SpoolInspector

USER_TOKEN_VARIABLE = "SEVENDIGITAL_USER_TOKEN"  # noqa: S105 - the variable's name, not its value
USER_SECRET_VARIABLE = "SEVENDIGITAL_USER_SECRET"  # noqa: S105 - as above

DialectOption = Annotated[
    Dialect,
    typer.Option(
        "--dialect",
        envvar=DIALECT_VARIABLE,
        case_sensitive=False,
        help="The API as in the published contract (openapi) or as in the vendor's live pages (live).",
    ),
]
TokensOption = Annotated[
    Path | None,
    typer.Option(
        "--tokens",
        metavar="FILE",
        help='Tokens of users, a JSON object: {"USER_ID": {"token": "...", "secret": "..."}, ...}.',
    ),
]
SpoolOption = Annotated[
    str, typer.Option("--spool", metavar="SPOOL", help="The spool: a file such as plays.jsonl.spool, or redis://...")
]
KindOption = Annotated[LogKind | None, typer.Option("--kind", help="Only plays of this kind.")]
SinceOption = Annotated[
    str | None,
    typer.Option("--since", metavar="WHEN", help="Only from this time on: 2026-11-01, 2026-11-01T08:30Z, or 7d (ago)."),
]
UntilOption = Annotated[str | None, typer.Option("--until", metavar="WHEN", help="Only before this time.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")]
JsonSummaryOption = Annotated[bool, typer.Option("--json", help="Print the summary as one JSON object.")]


T = TypeVar("T")


def with_options(parameter: str, read: Callable[..., Any]) -> Callable[[Callable[..., T]], Callable[..., T]]:
    """Give a command the options of ``read`` in place of ``parameter``, which receives what ``read`` returns."""

    def decorate(command: Callable[..., T]) -> Callable[..., T]:
        options = inspect.signature(read, eval_str=True).parameters

        @functools.wraps(command)
        def run(**values: Any) -> T:
            values[parameter] = read(**{name: values.pop(name) for name in options})
            return command(**values)

        parameters: list[inspect.Parameter] = []
        for own in inspect.signature(command, eval_str=True).parameters.values():
            parameters += options.values() if own.name == parameter else [own]
        parameters.sort(key=lambda one: one.kind)
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {one.name: one.annotation for one in parameters}
        return run

    return decorate


# -- the service --


@frozen
class ClientOptions:
    """How to reach the service, from options or the environment."""

    key: str
    secret: str = field(repr=False)
    base_url: str | None
    settings: Settings

    def open_client(self, *, limits: str | None = None, prefer_xml: bool = False) -> SevenDigital:
        """Make a client; close it."""
        from ..client import SevenDigital  # noqa: PLC0415 - `operations` and `--help` need no HTTP client

        credentials = Credentials.from_env({KEY_VARIABLE: self.key, SECRET_VARIABLE: self.secret})
        return SevenDigital(
            credentials.consumer_key,
            credentials.consumer_secret,
            base_url=self.base_url or None,
            limits=limits or None,
            settings=evolve(self.settings, prefer_xml=self.settings.prefer_xml or prefer_xml),
        )


def read_client_options(
    *,
    key: Annotated[
        str, typer.Option("--key", metavar="KEY", envvar=KEY_VARIABLE, help="The consumer key.", show_default=False)
    ] = "",
    secret: Annotated[
        str,
        typer.Option(
            "--secret",
            metavar="SECRET",
            envvar=SECRET_VARIABLE,
            show_default=False,
            help="The consumer secret. Prefer the environment variable: other users can read command lines.",
        ),
    ] = "",
    base_url: Annotated[
        str | None,
        typer.Option(
            "--base-url",
            metavar="URL",
            envvar=BASE_URL_VARIABLE,
            help="Send all requests to this address, such as a sandbox's.",
        ),
    ] = None,
    dialect: DialectOption = Dialect.OPENAPI,
) -> ClientOptions:
    return ClientOptions(key, secret, base_url, evolve(Settings().with_env(), dialect=dialect, trust_env=True))


def read_user_token(
    *,
    user_token: Annotated[
        str,
        typer.Option(
            "--user-token",
            metavar="TOKEN",
            envvar=USER_TOKEN_VARIABLE,
            show_default=False,
            help="Act for the user with this token.",
        ),
    ] = "",
    user_secret: Annotated[
        str,
        typer.Option(
            "--user-secret",
            metavar="SECRET",
            envvar=USER_SECRET_VARIABLE,
            show_default=False,
            help="The secret of the user's token.",
        ),
    ] = "",
) -> UserToken | None:
    """Return the token of the user to act for, if there is one."""
    if bool(user_token) != bool(user_secret):
        raise ConfigurationError("a user's token needs its secret: give both --user-token and --user-secret")
    return UserToken(user_token, user_secret) if user_token else None


# -- spools --


def check_spool_name(spool: str) -> str:
    """Return the name of a spool if the file system can have it."""
    if "://" not in spool:
        try:
            Path(spool).resolve().exists()
        except (OSError, ValueError, RuntimeError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise ConfigurationError(f"cannot use {one_line(spool)} as a spool: {reason}") from None
    return spool


@asynccontextmanager
async def inspect_spool(spool: str) -> AsyncIterator[SpoolInspector]:
    """Open a spool for reading, for the length of a block."""
    from ..shipping.spools.registry import open_inspector  # noqa: PLC0415 - only commands about spools need it

    inspector = open_inspector(check_spool_name(spool))
    try:
        yield inspector
    finally:
        await inspector.aclose()


# -- times and numbers --

AGE_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)(ms|s|m)?")
_SECONDS_PER_UNIT = {"ms": 0.001, "s": 1.0, "m": 60.0, None: 1.0}
MAX_DURATION = timedelta(days=1)
_AGE = re.compile(r"(\d{1,6})([mhdw])")


def parse_time_or_age(text: str | None, option: str, now: datetime | None = None) -> datetime | None:
    """Read a date, a date and time, or an age; UTC unless the text says otherwise.

    Args:
        text: Such as ``2026-11-01``, ``2026-11-01T08:30+01:00`` or ``7d``; None stays None.
        option: For the message.
        now: The current time; for tests.

    Raises:
        ConfigurationError: The text is none of these.
    """
    if text is None:
        return None
    try:
        if age := _AGE.fullmatch(text):
            return (now or datetime.now(UTC)) - timedelta(**{AGE_UNITS[age[2]]: int(age[1])})
        read = parse_datetime(text)
        return (read if read.tzinfo else read.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ConfigurationError(
            f"{option}: not a date or an age: {text!r}"
            " (use 2026-11-01, 2026-11-01T08:30+01:00, or 7d for 7 days ago; m, h, d, w)"
        ) from None


def parse_duration(text: str, option: str) -> timedelta:
    """Read a duration of up to a day, such as ``500ms``, ``1.5s`` or ``2m``; a number alone means seconds."""
    read = _DURATION.fullmatch(text)
    length = timedelta(seconds=float(read[1]) * _SECONDS_PER_UNIT[read[2]]) if read else None
    if length is None or length > MAX_DURATION:
        raise ConfigurationError(f"{option}: not a duration of up to a day: {text!r} (use 500ms, 1.5s or 2m)")
    return length


def check_finite(value: float | None) -> float | None:
    """Return a number that is neither NaN nor infinite."""
    if value is not None and not math.isfinite(value):
        raise typer.BadParameter(f"{value} is not a finite number")
    return value
