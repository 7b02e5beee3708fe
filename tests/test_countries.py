"""Countries are ISO 3166-1 wherever a caller gives one, and anything in what the service answers."""

import re
from datetime import UTC, datetime

import orjson
import pytest
from support.rawserver import answer, raw_server
from support.rows import each_row

from sevendigital_async import (
    ConfigurationError,
    InvalidArgumentError,
    InvalidLogError,
    Settings,
    SevenDigital,
    StreamLog,
)
from sevendigital_async.cli import main
from sevendigital_async.config import Dialect
from sevendigital_async.countries import country_problem
from sevendigital_async.models.encoded_log import encoded_log
from sevendigital_async.models.stream_log import Window, checked_and_encoded
from sevendigital_async.operations import REGISTRY, ParameterLocation

MEANT = "did you mean GB?"
NOW = datetime.now(UTC)


@pytest.mark.parametrize("code", ["GB", "gb", "XK", "SS"])
def test_codes(code):
    assert country_problem(code) is None


@each_row(
    ("code", "end"),
    [
        ("UK", MEANT),
        ("uk", MEANT),
        ("GBR", MEANT),
        ("826", MEANT),
        (" GB", MEANT),
        ("United Kingdom", MEANT),
        ("germany", "did you mean DE?"),
        ("EL", "did you mean GR?"),
        ("ZZ", "not 'ZZ'"),
        ("United States", "not 'United States'"),
        ("", "not ''"),
        ("G" * 100, "such as GB"),
        (7, "such as GB"),
        (["GB"], "such as GB"),
    ],
)
def test_what_is_no_code_and_what_it_may_mean(code, end):
    assert country_problem(code).endswith(end)


def test_settings_and_the_environment():
    with pytest.raises(ConfigurationError, match=re.escape(MEANT)):
        Settings(country="UK")
    with pytest.raises(ConfigurationError, match=rf"SEVENDIGITAL_COUNTRY must .*{re.escape(MEANT)}"):
        Settings().with_env({"SEVENDIGITAL_COUNTRY": "UK"})


async def test_clients_and_their_views():
    with pytest.raises(ConfigurationError, match=re.escape(MEANT)):
        SevenDigital("key", "secret", settings=Settings(country="UK"))
    async with SevenDigital("key", "secret") as client:
        with pytest.raises(InvalidArgumentError, match=re.escape(MEANT)):
            client.with_options(country="UK")


async def test_arguments_of_calls_are_refused_before_a_request_is_sent():
    async with raw_server(answer()) as server, SevenDigital("key", "secret", base_url=server.base_url) as client:
        for call in (
            client.classic.releases.details("1", country="UK"),
            client.call(REGISTRY.find("classic.releases.details"), release_id="1", country="UK"),
        ):
            with pytest.raises(InvalidArgumentError, match=re.escape(MEANT)) as refused:
                await call
            assert refused.value.argument == "country"
    assert not server.requests


def test_every_operation_checks_its_countries():
    unchecked = {
        operation.name
        for operation in REGISTRY
        for dialect in Dialect
        if dialect in operation.bindings
        for each in operation.binding(dialect).parameters
        if each.wire.lower().endswith("country") and each.write is None and each.location is not ParameterLocation.PATH
    }
    # Plays are checked when they are put; one that is in a spool must not be refused here.
    assert all(name.startswith("platform.logging.") for name in unchecked)


def test_plays():
    log = StreamLog("1", NOW, country="UK")
    with pytest.raises(InvalidLogError, match=re.escape(MEANT)):
        log.check(NOW)
    with pytest.raises(InvalidLogError, match=re.escape(MEANT)):
        checked_and_encoded(log, Window.at(NOW))
    assert encoded_log(log.encode(), Window.at(NOW)) is None
    assert encoded_log(StreamLog("1", NOW, country="gb").encode(), Window.at(NOW)) is not None


async def test_answers_are_lenient():
    body = orjson.dumps({"countries": [{"countryCode": "UK"}]})
    async with (
        raw_server(answer(body)) as server,
        SevenDigital("key", "secret", base_url=server.base_url) as client,
    ):
        [country] = await client.classic.territories.countries()
    assert country.country_code == "UK"


def test_the_command(capsys, monkeypatch):
    monkeypatch.setenv("SEVENDIGITAL_CONSUMER_KEY", "key")
    monkeypatch.setenv("SEVENDIGITAL_CONSUMER_SECRET", "secret")
    assert main(["sign-url", "classic.tracks.details", "track_id=1", "country=UK"]) == 1
    assert MEANT in capsys.readouterr().err
    monkeypatch.setenv("SEVENDIGITAL_COUNTRY", "UK")
    assert main(["sign-url", "platform.streaming.preview", "track_id=1"]) == 1
    assert "SEVENDIGITAL_COUNTRY must be" in capsys.readouterr().err
