from datetime import UTC, date, datetime
from decimal import Decimal
from urllib.parse import unquote

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.rows import each_row

from sevendigital_async import InvalidArgumentError, LogKind, StreamLog
from sevendigital_async.config import Dialect
from sevendigital_async.operations import Binding, Operation, ParameterLocation, Safety
from sevendigital_async.operations.operation import parameter
from sevendigital_async.session.request import build_request, wire_text

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=2000)


def build(binding, **arguments):
    operation = Operation(id="doThing", name="x.y", summary="", safety=Safety.READ, bindings={Dialect.OPENAPI: binding})
    return build_request(operation, binding, "https://h", arguments)


PATH = Binding(
    "GET",
    "/users/{userId}/things",
    (parameter("user_id", ParameterLocation.PATH, required=True), parameter("page_size")),
)


@given(TEXT.filter(lambda text: text.strip() and text not in {".", ".."}))
def test_any_id_fits_into_one_path_segment(user_id):
    path = build(PATH, user_id=user_id).url.removeprefix("https://h")
    assert path.count("/") == 3
    assert unquote(path.split("/")[2]) == user_id


@pytest.mark.parametrize(
    ("given_id", "path"), [("../../x", "..%2F..%2Fx"), ("a/b", "a%2Fb"), ("a b?c#d%", "a%20b%3Fc%23d%25")]
)
def test_ids_can_not_leave_their_segment(given_id, path):
    assert build(PATH, user_id=given_id).url == f"https://h/users/{path}/things"


@pytest.mark.parametrize("given_id", ["", " ", ".", ".."])
def test_ids_that_are_no_segment_are_refused(given_id):
    with pytest.raises(InvalidArgumentError, match="user_id") as caught:
        build(PATH, user_id=given_id)
    assert caught.value.argument == "user_id"


def test_wire_names_and_places():
    binding = Binding(
        "POST", "/x", (parameter("page_size"), parameter("user_id", ParameterLocation.FORM), parameter("q"))
    )
    request = build(binding, page_size=5, user_id="é", q=None)
    assert request.query == (("pageSize", "5"),)
    assert request.form == (("userId", "é"),)
    assert request.content_type == "application/x-www-form-urlencoded"


def test_json_bodies():
    binding = Binding(
        "POST", "/x", (parameter("logs", ParameterLocation.JSON), parameter("price", ParameterLocation.JSON))
    )
    log = StreamLog("1", datetime(2026, 1, 1, tzinfo=UTC), duration_played=0)
    request = build(binding, logs=[log], price=Decimal("9.90"))
    assert request.content_type == "application/json"
    assert (
        request.body == b'{"logs":[{"trackId":"1","timestamp":"2026-01-01T00:00:00Z","durationPlayed":0}],"price":9.90}'
    )


def test_what_has_no_json_form_is_named():
    binding = Binding("POST", "/x", (parameter("logs", ParameterLocation.JSON),))
    with pytest.raises(InvalidArgumentError, match="logs"):
        build(binding, logs=[object()])


def test_unknown_and_missing_arguments_are_named():
    with pytest.raises(InvalidArgumentError, match="'nope'"):
        build(PATH, user_id="1", nope=1)
    with pytest.raises(InvalidArgumentError, match="'user_id'"):
        build(PATH)


@each_row(
    ("value", "text"),
    [
        ("x", "x"),
        (True, "true"),
        (False, "false"),
        (0, "0"),
        (Decimal("1.10"), "1.10"),
        (date(2026, 5, 28), "2026-05-28"),
        (datetime(2026, 5, 28, 14, 30, tzinfo=UTC), "2026-05-28T14:30:00Z"),
        (LogKind.PREVIEW, "preview"),
        (["a", 1, "b"], "a,1,b"),
    ],
)
def test_wire_text(value, text):
    assert wire_text(parameter("x"), value) == text


def test_some_dates_are_written_compactly():
    assert wire_text(parameter("to_date", date_format="%Y%m%d"), date(2026, 5, 28)) == "20260528"


@pytest.mark.parametrize("value", [object(), b"x", {}, datetime(2026, 1, 1), "\ud800", 1.5])
def test_what_has_no_wire_text_is_refused(value):
    with pytest.raises(InvalidArgumentError, match=r"^x "):
        wire_text(parameter("x"), value)


@given(TEXT)
def test_any_text_survives_as_json(text):
    binding = Binding("POST", "/x", (parameter("name", ParameterLocation.JSON),))
    assert orjson.loads(build(binding, name=text).body) == {"name": text}
