"""What holds for every operation there is: any text arrives as it was given, and what must not be repeated is not."""

import re
from datetime import UTC, datetime
from typing import get_type_hints
from urllib.parse import parse_qsl, unquote

import orjson
import pytest
from attrs import evolve
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.arguments import sample
from support.oauth import is_signed
from support.rawserver import HANG_UP, answer, raw_server

from sevendigital_async import (
    APIError,
    Credentials,
    Dialect,
    RetryPolicy,
    SevenDigital,
    SignaturePlacement,
    StreamLog,
    TransportError,
    UserToken,
)
from sevendigital_async.models import PlaybackEvent
from sevendigital_async.operations import REGISTRY, Content, Operation, ParameterLocation, Safety
from sevendigital_async.session.request import build_request, sign

CREDENTIALS = Credentials("key", "s3cret&+ é")
USER = UserToken("tok/en+=~", "token secret/+%41")
ORIGIN = "https://api.example"
PATIENT = RetryPolicy(attempts=4, base=0.001, cap=0.001)

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60) | st.text("&=+%/?#;:@!$'()*,~ \"\\é✓😀\r\n\t\0")
LONG = st.builds(lambda text: (text * 500)[:500], TEXT.filter(bool))
ANY = TEXT | LONG
NASTY = "a&b=c+d%2Fe/f?g#h é✓😀 'x' \"y\" \\z\t"

NOTES = "tag"
"""The argument that travels as ``tag_KEY``, once for each key."""

FORMS = [
    (operation, dialect)
    for operation in REGISTRY
    for dialect, binding in operation.bindings.items()
    if dialect is Dialect.OPENAPI or binding != operation.bindings.get(Dialect.OPENAPI)
]
UNSAFE = [(operation, dialect) for operation, dialect in FORMS if operation.safety is Safety.UNSAFE]


def name_of(value) -> str:
    return value.name if isinstance(value, Operation) else value.value


each_form = pytest.mark.parametrize(("operation", "dialect"), FORMS, ids=name_of)
each_unsafe_form = pytest.mark.parametrize(("operation", "dialect"), UNSAFE, ids=name_of)

NOW = datetime.now(UTC)
LIVE_SAMPLES = {
    "logs": [
        StreamLog("1", NOW, "7", None, 0, "GB", release_id="2", format_id="3", end_reason="other", user_agent="a")
    ],
    "events": [PlaybackEvent("1", "start", NOW, playlist_id="2", format_id="3")],
}
LIVE_LOG = {
    "platform.logging.preview": {"release_id": None, "format_id": None, "end_reason": None, "play_mode": "online"},
    "platform.logging.subscriber": {"end_reason": None, "play_mode": "online"},
}
"""Fields in which the plays of two kinds differ from those of the third."""


def is_segment(text: str) -> bool:
    return bool(text.strip()) and text not in {".", ".."}


def texts_for(binding):
    """Make any texts for all of an operation's arguments, some of the optional ones left out."""
    texts = {argument.name: text_for(argument) for argument in binding.parameters}
    required = {argument.name for argument in binding.parameters if argument.required}
    return st.fixed_dictionaries(
        {name: text for name, text in texts.items() if name in required},
        optional={name: text for name, text in texts.items() if name not in required},
    )


def text_for(argument):
    if argument.wire == NOTES:
        return st.dictionaries(ANY, ANY, min_size=1, max_size=3)
    return ANY.filter(is_segment) if argument.location is ParameterLocation.PATH else ANY


def given_as(argument, text):
    return {"Key &=": text} if argument.wire == NOTES else text


def on_the_wire(binding, texts):
    """Return what a server must find, by place and wire name."""
    found = {}
    for argument in binding.parameters:
        text = texts.get(argument.name)
        if argument.wire == NOTES and text is not None:
            found |= {(argument.location.value, f"{NOTES}_{key}"): note for key, note in text.items()}
        elif text is not None:
            found[argument.location.value, argument.wire] = text
        elif argument.default is not None:
            found[argument.location.value, argument.wire] = argument.default
    return found


def raw(http_method: str, target: str, headers: dict[str, str], body: bytes | None) -> bytes:
    lines = [f"{http_method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + (body or b"")


def arrived(request: bytes, binding) -> dict[tuple[str, str], str]:
    """Read a raw request's arguments as a server would, by place and wire name."""
    head, _, body = request.partition(b"\r\n\r\n")
    target = head.split(b" ")[1].decode()
    in_path, _, query = target.partition("?")
    pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/?#]+)", re.escape(binding.path))
    found = {("path", name): unquote(text) for name, text in re.fullmatch(pattern, in_path).groupdict().items()}
    pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    found |= {("query", name): text for name, text in pairs if not name.startswith("oauth_")}
    if b"content-type: application/x-www-form-urlencoded" in head.lower() and body:
        found |= {("form", name): text for name, text in parse_qsl(body.decode(), keep_blank_values=True)}
    elif b"content-type: application/json" in head.lower():
        tree = orjson.loads(body)
        tree = tree[binding.envelope] if binding.envelope else tree
        [only, *_] = [argument.wire for argument in binding.parameters if argument.location is ParameterLocation.JSON]
        tree = {only: tree} if binding.bare else tree
        found |= {("json", name): value for name, value in tree.items()}
    return found


@each_form
def test_any_text_in_any_argument_arrives_intact_and_signed(operation, dialect):
    binding = operation.binding(dialect)
    # Differences between dialects are tested separately.
    binding = evolve(binding, parameters=tuple(evolve(argument, write=None) for argument in binding.parameters))
    binding = evolve(binding, spread={}, variants={}, needs={})

    @settings(max_examples=10)
    @given(texts_for(binding), st.none() | st.just(USER), st.sampled_from(SignaturePlacement))
    @example(
        {argument.name: given_as(argument, NASTY) for argument in binding.parameters}, USER, SignaturePlacement.HEADER
    )
    @example(
        {argument.name: given_as(argument, (NASTY * 100)[:2000]) for argument in binding.parameters},
        None,
        SignaturePlacement.QUERY,
    )
    def check(texts, user, placement):
        request = build_request(operation, binding, ORIGIN, texts)
        signed = sign(request, CREDENTIALS, user, nonce="n0nce", timestamp=1_790_000_000, placement=placement)
        sent = raw(signed.http_method, signed.url.removeprefix(ORIGIN), signed.headers, signed.body)
        assert is_signed(sent, ORIGIN, CREDENTIALS.consumer_secret, user.secret if user else "")
        assert arrived(sent, binding) == on_the_wire(binding, texts)

    check()


@pytest.mark.parametrize("text", [NASTY, (NASTY * 100)[:2000], " leading and trailing ", "../../x", "%41%2F%"])
@pytest.mark.parametrize("placement", SignaturePlacement)
@pytest.mark.parametrize(
    "name",
    [
        "classic.artists.search",
        "classic.basket.apply_voucher",
        "classic.users.update",
        "platform.offline_devices.authorise",
        "platform.sales.refund_track",
    ],
)
async def test_it_arrives_over_the_wire(name, placement, text):
    operation = REGISTRY.find(name)
    binding = operation.binding(Dialect.OPENAPI)
    # Countries are checked.
    texts = {argument.name: "GB" if argument.name == "country" else text for argument in binding.parameters}
    async with (
        raw_server(answer(status="400 Bad Request")) as server,
        SevenDigital("key", CREDENTIALS.consumer_secret, base_url=server.base_url, signature=placement) as client,
    ):
        with pytest.raises(APIError, match=re.escape(operation.name)):
            await client.as_user(USER).call(operation, **texts)
        [request] = server.requests
    user_secret = USER.secret if operation.auth.value == "three-legged" else ""
    assert is_signed(request, server.base_url, CREDENTIALS.consumer_secret, user_secret)
    assert arrived(request, binding) == {
        (argument.location.value, argument.wire): texts[argument.name] for argument in binding.parameters
    }


async def call(client, operation, dialect) -> None:
    """Call an operation through its method, with made-up values for all that the method takes in a dialect."""
    method = client
    for part in operation.name.split("."):
        method = getattr(method, part)
    hints = get_type_hints(method)
    hints.pop("return")
    binding = operation.binding(dialect)
    wanted = [name for name in hints if binding.takes(name) or name == "request_token"]
    values = {name: sample(hints[name], name) for name in wanted}
    if dialect is Dialect.LIVE:
        values |= {name: value for name, value in LIVE_SAMPLES.items() if name in values}
        if operation.name in LIVE_LOG:
            values["logs"] = [evolve(log, **LIVE_LOG[operation.name]) for log in values["logs"]]
    pending = method(**values)
    if operation.content is Content.MEDIA:
        async with pending:
            pass
    else:
        await pending


@each_unsafe_form
async def test_a_server_that_hangs_up_sees_an_unsafe_operation_once(operation, dialect):
    async with (
        raw_server(HANG_UP) as server,
        SevenDigital("key", "secret", base_url=server.base_url, retry=PATIENT, dialect=dialect) as client,
    ):
        with pytest.raises(TransportError) as caught:
            await call(client.as_user(USER), operation, dialect)
        assert caught.value.maybe_sent
        assert len(server.requests) == 1


@each_unsafe_form
async def test_nor_does_an_error_of_the_service_repeat_it(operation, dialect):
    async with (
        raw_server(answer(status="503 Service Unavailable")) as server,
        SevenDigital("key", "secret", base_url=server.base_url, retry=PATIENT, dialect=dialect) as client,
    ):
        with pytest.raises(APIError):
            await call(client.as_user(USER), operation, dialect)
        assert len(server.requests) == 1
