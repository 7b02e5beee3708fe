"""Signing one request: ours, authlib's, oauthlib's, and the HMAC alone as the lower bound.

The other libraries get an encoded query; ours encodes the query and returns the final URL.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import time
from collections.abc import Callable, Mapping

from attrs import frozen
from authlib.oauth1 import ClientAuth
from oauthlib.oauth1 import Client

from sevendigital_async import Credentials, UserToken
from sevendigital_async.session.request import JSON, Request, base_string, new_nonce, sign

from .report import Report, Row, Target
from .scale import Scale
from .timing import median_wall, repeated, run_in_turn, times_as_long

CREDENTIALS = Credentials("benchmark-key", "benchmark-secret")
USER = UserToken("benchmark-token", "benchmark-token-secret")
ORIGIN = "https://api.7digital.com"

OURS, AUTHLIB, OAUTHLIB, FLOOR = "sign", "authlib ClientAuth.prepare", "oauthlib Client.sign", "hmac alone"
SHARE_OF_AUTHLIB = 0.35


@frozen
class Case:
    """A request to sign; ``encoded_query`` is its query as in the URL."""

    name: str
    request: Request
    encoded_query: str
    user: UserToken | None

    @property
    def url(self) -> str:
        """The whole URL."""
        return f"{self.request.url}?{self.encoded_query}" if self.encoded_query else self.request.url


CASES = (
    Case(
        "batch of logs, partner",
        Request("POST", f"{ORIGIN}/logging/catalogue", body=b"[]", content_type=JSON),
        "",
        None,
    ),
    Case(
        "search with a query, user",
        Request(
            "GET",
            f"{ORIGIN}/release/search",
            query=(("q", "AC/DC (it's) 1,2 é"), ("country", "GB"), ("page", "1"), ("pageSize", "20")),
        ),
        "q=AC%2FDC%20%28it%27s%29%201%2C2%20%C3%A9&country=GB&page=1&pageSize=20",
        USER,
    ),
)


@frozen
class Size:
    """Requests per side and round, and the number of rounds."""

    requests: int
    rounds: int


SIZES: Mapping[Scale, Size] = {
    Scale.FULL: Size(2_000, 15),
    Scale.QUICK: Size(1_000, 7),
    Scale.SMALLEST: Size(10, 1),
}


def run(scale: Scale) -> Report:
    """Check that all sides give the same signature, then measure them in turn."""
    size = SIZES[scale]
    rows: list[Row] = []
    targets: list[Target] = []
    samples: dict[str, list[float]] = {}
    for case in CASES:
        signers = _signers(case)
        _check(case, signers[AUTHLIB])
        _check(case, signers[OAUTHLIB])
        timings = run_in_turn({name: repeated(signer, size.requests) for name, signer in signers.items()}, size.rounds)
        for name, side in timings.items():
            samples[f"{case.name}: {name}"] = [timing.wall / size.requests * 1e6 for timing in side]
            rows.append(
                {
                    "request": case.name,
                    "side": name,
                    "µs": median_wall(side) / size.requests * 1e6,
                    "of authlib": times_as_long(side, timings[AUTHLIB]),
                }
            )
        share = times_as_long(timings[OURS], timings[AUTHLIB])
        targets.append(Target(f"{OURS} / {AUTHLIB}, {case.name}", share, at_most=SHARE_OF_AUTHLIB))
    title = f"one request signed, {size.requests:,} times a round, median of {size.rounds} rounds"
    return Report("sign", title, rows, targets, samples, chart="µs", labels=("side", "request"))


def _signers(case: Case) -> dict[str, Callable[[], str]]:
    """Return one function per side that signs the case once and returns the Authorization header."""
    request, url, user = case.request, case.url, case.user
    method = request.http_method
    authlib = ClientAuth(
        CREDENTIALS.consumer_key,
        CREDENTIALS.consumer_secret,
        token=user.token if user else None,
        token_secret=user.secret if user else None,
    )
    oauthlib = Client(
        CREDENTIALS.consumer_key,
        CREDENTIALS.consumer_secret,
        user.token if user else None,
        user.secret if user else None,
    )
    text = base_string(method, request.url, request.query).encode()
    key = f"{CREDENTIALS.consumer_secret}&{user.secret if user else ''}".encode()

    def headers() -> dict[str, str]:
        return {"Content-Type": request.content_type} if request.content_type else {}

    def ours() -> str:
        signed = sign(request, CREDENTIALS, user, nonce=new_nonce(), timestamp=int(time.time()))
        return signed.headers["Authorization"]

    return {
        OURS: ours,
        AUTHLIB: lambda: authlib.prepare(method, url, headers(), b"")[1]["Authorization"],
        OAUTHLIB: lambda: oauthlib.sign(url, method, None, headers())[1]["Authorization"],
        FLOOR: lambda: base64.b64encode(hmac.digest(key, text, hashlib.sha1)).decode(),
    }


def _check(case: Case, signer: Callable[[], str]) -> None:
    """Sign with the nonce and the timestamp of another signer, and compare the signatures."""
    theirs = dict(re.findall(r'(\w+)="([^"]*)"', signer()))
    signed = sign(
        case.request,
        CREDENTIALS,
        case.user,
        nonce=theirs["oauth_nonce"],
        timestamp=int(theirs["oauth_timestamp"]),
    )
    ours = dict(re.findall(r'(\w+)="([^"]*)"', signed.headers["Authorization"]))
    if ours != theirs:
        raise AssertionError(f"signatures of {case.name} differ")
