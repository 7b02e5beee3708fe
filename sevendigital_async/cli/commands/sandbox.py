"""``sevendigital sandbox``: a sandbox of the API on this machine."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from ...config import BASE_URL_VARIABLE, KEY_VARIABLE, SECRET_VARIABLE
from ...sandbox import Faults, Sandbox
from ..options import TokensOption
from ..output import echo
from ..process import SignalWatcher
from ..ship.options import read_tokens

HELP = """Run a sandbox of the API on this machine, in the foreground, until SIGINT or SIGTERM.

The sandbox checks signatures, enforces the documented limits, and keeps every play that it accepts. It prints its
address, the key and secret that it accepts, and where to see what arrived.

\b
Examples:
  sevendigital sandbox --port 7700
  sevendigital sandbox --fault 500:10% --fault 429:5% --latency 200ms
  sevendigital sandbox --fault poison:12345 --user-tokens

\b
Faults (--fault can be repeated; RATE is 10% or 0.1):
  503:RATE                   answers with this status, any 4xx or 5xx
  disconnect-before:RATE     closes the connection before it handles a request
  disconnect-after:RATE      closes it after that, so that the response is lost
  slow-body:RATE             sends the response a few bytes at a time
  poison:TRACK_ID            refuses plays of this track by their position
  poison-unindexed:TRACK_ID  refuses them without saying which play it was

Every user has a token: "sandbox-token-USER", secret "sandbox-secret-USER". --tokens adds others.

\b
Exit codes:
  0  stopped by SIGINT or SIGTERM
  1  wrong usage, or the port cannot be used
"""


app = typer.Typer(rich_markup_mode=None)


@app.command("sandbox", help=HELP)
def sandbox(
    *,
    port: Annotated[
        int, typer.Option(min=0, max=65535, metavar="PORT", help="Port to listen on; 0 chooses a free one.")
    ] = 7700,
    host: Annotated[str, typer.Option(metavar="HOST", help="Loopback address to listen on.")] = "127.0.0.1",
    fault: Annotated[
        list[str] | None, typer.Option(metavar="SPEC", help="A fault, such as 503:10%; can be repeated.")
    ] = None,
    latency: Annotated[
        str | None, typer.Option(metavar="SPEC", help="Delay every response: 200ms, 1.5s or 2ms-1500ms.")
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="The same seed gives the same faults in the same order.")] = 0,
    tokens: TokensOption = None,
    managed_users: Annotated[
        bool,
        typer.Option(
            "--managed-users/--user-tokens",
            help="Accept catalogue and subscriber plays signed by the partner alone, or require a user's token.",
        ),
    ] = True,
) -> None:
    server = Sandbox(
        port=port,
        host=host,
        faults=Faults.parse(fault or [], latency=latency, seed=seed),
        managed_users=managed_users,
        tokens=read_tokens(tokens) if tokens else {},
    )
    asyncio.run(_serve(server))


async def _serve(server: Sandbox) -> None:
    with SignalWatcher() as signals:
        async with server:
            echo(welcome(server))
            await signals.first_signal.wait()


def welcome(server: Sandbox) -> str:
    url, credentials = server.base_url, server.credentials
    return f"""\
The sandbox is listening on {url}

consumer key     {credentials.consumer_key}
consumer secret  {credentials.consumer_secret}

export {BASE_URL_VARIABLE}={url}
export {KEY_VARIABLE}={credentials.consumer_key}
export {SECRET_VARIABLE}={credentials.consumer_secret}

what arrived     {url}/  (web page)
                 {url}/_sandbox/logs  (JSON lines)
                 {url}/_sandbox/stats
Stop it with Ctrl-C."""
