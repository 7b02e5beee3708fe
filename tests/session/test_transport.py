import copy
import inspect
import pickle

import aiohttp
import pytest
from aiohttp import client_exceptions
from support.rows import each_row
from yarl import URL

from sevendigital_async import ConnectError, DisconnectedError, RequestTimeoutError, TransportError, errors
from sevendigital_async.session.transport import transport_error

REQUEST = aiohttp.RequestInfo(
    URL("https://h/?oauth_signature=abc"), "GET", {"Authorization": "OAuth abc"}, URL("https://h")
)


class Key:
    host, port, ssl, is_ssl, proxy = "h", 443, True, True, None


ARGUMENTS = {
    client_exceptions.ClientResponseError: (REQUEST, ()),
    client_exceptions.ContentTypeError: (REQUEST, ()),
    client_exceptions.WSServerHandshakeError: (REQUEST, ()),
    client_exceptions.ClientHttpProxyError: (REQUEST, ()),
    client_exceptions.TooManyRedirects: (REQUEST, ()),
    client_exceptions.UnixClientConnectorError: ("/tmp/x", Key, OSError(2, "No such file")),
    client_exceptions.ServerFingerprintMismatch: (b"a", b"b", "h", 443),
    client_exceptions.ClientConnectorCertificateError: (Key, ValueError("self-signed")),
    client_exceptions.InvalidURL: ("https://h/?oauth_signature=abc",),
    client_exceptions.InvalidUrlClientError: ("https://h/?oauth_signature=abc",),
    client_exceptions.InvalidUrlRedirectClientError: ("https://h/?oauth_signature=abc",),
}

NEVER_SENT = {
    "ClientConnectorError",
    "ClientConnectorDNSError",
    "ClientConnectorSSLError",
    "ClientConnectorCertificateError",
    "ClientSSLError",
    "ClientProxyConnectionError",
    "UnixClientConnectorError",
    "ServerFingerprintMismatch",
    "ClientHttpProxyError",
    "ConnectionTimeoutError",
    "InvalidURL",
    "InvalidUrlClientError",
    "InvalidUrlRedirectClientError",
    "NonHttpUrlClientError",
    "NonHttpUrlRedirectClientError",
}


def every_error_of_aiohttp():
    for name, kind in inspect.getmembers(client_exceptions, inspect.isclass):
        if issubclass(kind, aiohttp.ClientError):
            yield pytest.param(name, kind, id=name)


@each_row(("name", "kind"), list(every_error_of_aiohttp()))
def test_every_error_of_aiohttp_has_its_counterpart(name, kind):
    if kind in ARGUMENTS:
        error = kind(*ARGUMENTS[kind])
    elif issubclass(kind, aiohttp.ClientConnectorError):
        error = kind(Key, OSError(111, "Connection refused"))
    else:
        error = kind("https://h/?oauth_signature=abc")
    ours = transport_error(error)
    assert isinstance(ours, TransportError)
    assert ours.maybe_sent is (name not in NEVER_SENT)
    assert isinstance(ours, ConnectError) is (name in NEVER_SENT)
    assert "abc" not in repr(ours) + repr(vars(ours))


@pytest.mark.parametrize(
    ("error", "kind"),
    [(TimeoutError(), RequestTimeoutError), (OSError(5, "Input/output error"), DisconnectedError)],
)
def test_plain_errors_have_theirs(error, kind):
    assert type(transport_error(error)) is kind


def test_anything_else_is_a_bug():
    with pytest.raises(TypeError):
        transport_error(ValueError())


def every_error_of_ours():
    for name, kind in inspect.getmembers(errors, inspect.isclass):
        if issubclass(kind, errors.SevenDigitalError):
            yield pytest.param(kind, id=name)


@each_row("kind", list(every_error_of_ours()))
def test_every_error_survives_pickle_and_copy(kind):
    error = kind("what happened")
    for name, value in {"operation": "doThing", "code": 7, "status": 400, "maybe_sent": True, "field": "f"}.items():
        if name in vars(error):
            setattr(error, name, value)
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(twin) is kind
        assert str(twin) == str(error)
        assert vars(twin) == vars(error)


@each_row("kind", list(every_error_of_ours()))
def test_the_names_of_errors_say_so(kind):
    assert kind.__name__.endswith("Error")
    assert kind.__name__ in errors.__doc__
