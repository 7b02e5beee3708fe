"""``sevendigital sandbox``: a 7digital on this machine, until somebody stops it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from ...config import BASE_URL_VARIABLE, KEY_VARIABLE, SECRET_VARIABLE
from ...sandbox import Faults, Sandbox
from ..output import say
from ..process import SignalWatcher
from ..ship.options import read_tokens

HELP = """Run a sandbox of the API on this machine, in the foreground, until SIGINT or SIGTERM.

It checks signatures, keeps to the documented limits, and remembers every play it accepts. When it listens it prints
its address, the key and secret it accepts, and where to look.

\b
Examples:
  sevendigital sandbox --port 7700
  sevendigital sandbox --fault 500:10% --fault 429:5% --latency 200ms
  sevendigital sandbox --fault poison:12345 --user-tokens

\b
Faults (--fault, as often as you like; rates as 10% or 0.1):
  503:RATE                   that status, any of 4xx and 5xx
  disconnect-before:RATE     hangs up before the request is worked on
  disconnect-after:RATE      hangs up after it was worked on: the answer is lost
  slow-body:RATE             the answer trickles
  poison:TRACK_ID            refuses plays of this track, with their position
  poison-unindexed:TRACK_ID  the same without saying which play it was

Every user has a token, "sandbox-token-USER" with the secret "sandbox-secret-USER"; --tokens adds others.

\b
Exit codes:
  0  stopped by SIGINT or SIGTERM
  1  wrong usage, or the port cannot be had
"""


def sandbox(
    *,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Where to listen; 0 picks a free port.")] = 7700,
    host: Annotated[str, typer.Option(help="Address of this machine to listen on.")] = "127.0.0.1",
    fault: Annotated[
        list[str] | None, typer.Option(metavar="SPEC", help="Trouble to make, such as 503:10%; repeatable.")
    ] = None,
    latency: Annotated[
        str | None, typer.Option(metavar="SPEC", help="Delay of every answer: 200ms, 1.5s or 2ms-1500ms.")
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed brings the same faults in the same order.")] = 0,
    tokens: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help='Users\' tokens: a JSON object, user id to {"token": ..., "secret": ...}.'),
    ] = None,
    managed_users: Annotated[
        bool,
        typer.Option(
            "--managed-users/--user-tokens",
            help="Take catalogue and subscriber plays from the partner alone, or demand a user's token.",
        ),
    ] = True,
) -> None:
    """Serve until stopped."""
    server = Sandbox(
        port=port,
        host=host,
        faults=Faults.parse(fault or [], latency=latency, seed=seed),
        managed_users=managed_users,
        tokens=read_tokens(tokens) if tokens else {},
    )
    asyncio.run(_serve(server))


async def _serve(server: Sandbox) -> None:
    with SignalWatcher() as interruptions:
        async with server:
            say(welcome(server))
            await interruptions.first.wait()


def welcome(server: Sandbox) -> str:
    """Say how to reach a running sandbox."""
    url, credentials = server.base_url, server.credentials
    return f"""\
The sandbox listens on {url}

consumer key     {credentials.consumer_key}
consumer secret  {credentials.consumer_secret}

export {BASE_URL_VARIABLE}={url}
export {KEY_VARIABLE}={credentials.consumer_key}
export {SECRET_VARIABLE}={credentials.consumer_secret}

what arrived     {url}/  (a page)
                 {url}/_sandbox/logs  (JSON lines)
                 {url}/_sandbox/stats
Ctrl-C stops it."""
