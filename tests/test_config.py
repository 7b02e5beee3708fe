import pytest
from support.rows import each_row

from sevendigital_async import ConfigurationError, Credentials, Host, RateLimit, Settings, SevenDigital, UserToken
from sevendigital_async.config import check_origin

ENVIRONMENT = {"SEVENDIGITAL_CONSUMER_KEY": "key", "SEVENDIGITAL_CONSUMER_SECRET": "secret"}


def test_credentials_come_from_the_environment_when_asked():
    assert Credentials.from_env(ENVIRONMENT) == Credentials("key", "secret")


@pytest.mark.parametrize("name", ENVIRONMENT)
def test_a_missing_variable_is_named(name):
    with pytest.raises(ConfigurationError, match=name):
        Credentials.from_env({**ENVIRONMENT, name: " "})


def test_from_env_reads_the_base_url_too():
    client = SevenDigital.from_env({**ENVIRONMENT, "SEVENDIGITAL_BASE_URL": "http://127.0.0.1:8080/"})
    assert set(client._session.settings.origins.values()) == {"http://127.0.0.1:8080"}
    assert SevenDigital.from_env(ENVIRONMENT)._session.settings.origins[Host.API] == "https://api.7digital.com"


@pytest.mark.parametrize("value", ["", "  ", None, 7])
def test_credentials_are_not_empty(value):
    for make in (lambda: Credentials(value, "s"), lambda: Credentials("k", value), lambda: UserToken(value, "s")):
        with pytest.raises(ConfigurationError, match="non-empty"):
            make()


@each_row(
    "secret",
    [
        "hidden\n",
        "hidden\r\n",
        " hidden",
        "hidden\t",
        "hid\nden",
        "hid\0den",
        "\x1b[31mhidden",
        "hidden\u00a0",
        "\ufeffhidden",
        "hid\u200bden",
        "hidden\x7f",
        "hid\u2028den",
        "hid\ud800den",
    ],
)
def test_a_secret_that_was_not_copied_cleanly_is_refused_and_not_shown(secret):
    for name, make in {
        "consumer_key": lambda: Credentials(secret, "s"),
        "consumer_secret": lambda: SevenDigital("k", secret),
        "token": lambda: UserToken(secret, "s"),
        "secret": lambda: UserToken("t", secret),
        "SEVENDIGITAL_CONSUMER_KEY": lambda: SevenDigital.from_env(ENVIRONMENT | {"SEVENDIGITAL_CONSUMER_KEY": secret}),
        "SEVENDIGITAL_CONSUMER_SECRET": lambda: Credentials.from_env(
            ENVIRONMENT | {"SEVENDIGITAL_CONSUMER_SECRET": secret}
        ),
    }.items():
        with pytest.raises(ConfigurationError, match=f"^{name} .*; remove it$") as caught:
            make()
        assert "hid" not in str(caught.value)


def test_any_printable_secret_is_used_as_it_is():
    credentials = Credentials("k e y", "ß+/=%&é 1")
    assert (credentials.consumer_key, credentials.consumer_secret) == ("k e y", "ß+/=%&é 1")


@pytest.mark.parametrize(
    "url", ["https://h", "https://h:8443/prefix/", "http://localhost:1", "http://127.9.9.9:80", "http://[::1]:5"]
)
def test_usable_origins(url):
    assert check_origin(url) == url.rstrip("/")


@each_row(
    "url",
    [
        "h",
        "ftp://h",
        "https://",
        "https://u:p@h",
        "https://h?x=1",
        "https://h#x",
        "http://h",
        "http://10.0.0.1",
        "https://h:x",
        "",
    ],
)
def test_unusable_origins(url):
    with pytest.raises(ConfigurationError):
        check_origin(url)


def test_plain_http_elsewhere_can_be_allowed():
    assert Settings(base_url="http://10.0.0.1", allow_http=True).origins[Host.MEDIA] == "http://10.0.0.1"


def test_single_hosts_can_be_replaced():
    origins = Settings(hosts={Host.STREAM: "https://stream.example"}).origins
    assert origins[Host.STREAM] == "https://stream.example"
    assert origins[Host.API] == "https://api.7digital.com"


@each_row(
    ("limit", "current", "reset", "expected"),
    [
        ("4000", "100", "60", RateLimit(4000, 100, 60.0)),
        (" 4000 ", "4001", "0", RateLimit(4000, 4001, 0.0)),
        (None, "100", "60", None),
        ("4000", None, "60", None),
        ("4000", "100", None, None),
        ("-1", "100", "60", None),
        ("1e3", "100", "60", None),
        ("٤", "100", "60", None),
        ("9" * 30, "100", "60", None),
    ],
)
def test_rate_limit_headers(limit, current, reset, expected):
    given = {"x-ratelimit-limit": limit, "x-ratelimit-current": current, "x-ratelimit-reset": reset}
    assert RateLimit.from_headers({name: value for name, value in given.items() if value is not None}) == expected


def test_remaining_is_never_negative_and_time_passes():
    limit = RateLimit(10, 12, 60.0)
    assert (limit.remaining, limit.wait, limit.after(59).wait, limit.after(61).wait) == (0, 60, 1, 0)
    assert RateLimit().remaining is None
    assert RateLimit().wait == 0
