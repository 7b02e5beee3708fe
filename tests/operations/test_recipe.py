"""CONTRIBUTING's recipe for a new operation, followed for one that does not exist: ``classic.service.echo``."""

from types import ModuleType

import pytest
from attrs import frozen
from support.facts import facts_in
from test_contract import check_documents, check_parameters, check_what_is_called

from sevendigital_async import Dialect, InvalidArgumentError, SevenDigital
from sevendigital_async.models.wire import wire
from sevendigital_async.operations import Operation, OperationRegistry, Safety
from sevendigital_async.operations.classic.binding import COUNTRY, bind
from sevendigital_async.operations.operation import parameter
from sevendigital_async.operations.registry import records_in
from sevendigital_async.resources.classic.service import Service
from sevendigital_async.sandbox import DEMO_KEY, DEMO_SECRET, Sandbox, routes
from sevendigital_async.sandbox import handlers as sandbox_handlers
from sevendigital_async.sandbox.answers import Answer
from sevendigital_async.sandbox.calls import Call

# What a new response needs: a model, in the file of its family (models/reference_data.py, and a line in all_models.py).


@frozen
class ServiceEcho:
    """What the service repeats.

    Attributes:
        text: What was sent.
        country: The territory that was sent.
    """

    text: str | None = wire("echoedText")
    country: str | None = None


# 1. The record, in operations/classic/service.py.

ECHO = Operation(
    id="getEcho",
    name="classic.service.echo",
    summary="What was sent.",
    safety=Safety.READ,
    model=ServiceEcho,
    bindings=bind("GET", "/echo", parameter("some_text", required=True), COUNTRY),
)


# 2. The method, in resources/classic/service.py.


class ServiceWithEcho(Service):
    async def echo(self, some_text: str, *, country: str | None = None) -> ServiceEcho:
        """Fetch what is sent.

        Args:
            some_text: Any text.
            country: ISO 3166-1 alpha-2 code of the territory; the account's own by default.

        API: ``GET /1.2/echo``
        """
        return await self._one(ServiceEcho, ECHO, some_text=some_text, country=country)


# 3. The sandbox's handler, in sandbox/handlers/service.py.


def echo(call: Call) -> Answer:
    """Answer with what was sent."""
    return Answer(content={"serviceEcho": {"echoedText": call.arguments["some_text"], "country": "GB"}})


# 4. The row of the documents' facts, in tests/support/facts.py.

ROW = """\
[classic.service]
echo  getEcho  key  read  GET  /1.2/echo  someText! country
"""


@pytest.fixture
def registry(monkeypatch):
    """The operation registry after the record was added to its module."""
    module = ModuleType("service_with_echo")
    module.ECHO = ECHO
    registry = OperationRegistry([*routes.REGISTRY, *records_in(module)])
    monkeypatch.setitem(sandbox_handlers.HANDLERS, ECHO.name, echo)
    monkeypatch.setattr(routes, "REGISTRY", registry)
    return registry


@pytest.fixture
def client(monkeypatch):
    """A client whose namespace ``classic.service`` has the method."""
    monkeypatch.setattr("sevendigital_async.resources.classic.Service", ServiceWithEcho)
    return SevenDigital("key", "secret")


def test_the_record_says_what_the_row_says(registry):
    [fact] = facts_in(ROW)
    check_documents(registry.find("classic.service.echo"), fact, Dialect.OPENAPI)
    assert registry.find("getEcho").safety.value == fact.safety


def test_the_method_takes_what_the_record_lists_and_says_what_it_calls(client):
    check_parameters(client.classic.service.echo, ECHO)
    check_what_is_called(client.classic.service.echo, ECHO)


@pytest.mark.parametrize("dialect", Dialect)
@pytest.mark.usefixtures("registry", "client")
async def test_the_sandbox_serves_it_and_the_answer_is_decoded(dialect):
    async with (
        Sandbox() as sandbox,
        SevenDigital(DEMO_KEY, DEMO_SECRET, base_url=sandbox.base_url, dialect=dialect) as client,
    ):
        assert await client.classic.service.echo("a&b é", country="GB") == ServiceEcho("a&b é", "GB")
        assert await client.call(ECHO, some_text="more") == ServiceEcho("more", "GB")
        with pytest.raises(InvalidArgumentError, match=r"classic\.service\.echo needs the argument 'some_text'"):
            await client.call(ECHO)


@pytest.mark.usefixtures("registry")
def test_an_operation_without_a_handler_is_named(monkeypatch):
    monkeypatch.delitem(sandbox_handlers.HANDLERS, ECHO.name)
    with pytest.raises(Exception, match=r"no handler for classic\.service\.echo"):
        list(routes.endpoints())
