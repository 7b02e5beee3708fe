from __future__ import annotations

import codecs

from hypothesis import given
from hypothesis import strategies as st
from support.rows import each_row

from sevendigital_async.session.document import Kind, parse

NESTED_JSON = b"[" * 100_000 + b"]" * 100_000
NESTED_XML = b"<a>" * 100_000 + b"</a>" * 100_000
BOMB = b'<!DOCTYPE r [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;">]><response>&b;</response>'

KINDS = [
    (b"", None, Kind.EMPTY, None),
    (b" \r\n\t", "application/json", Kind.EMPTY, None),
    (codecs.BOM_UTF8, "application/json", Kind.EMPTY, None),
    (b'{"a":1}', "application/json", Kind.JSON, {"a": 1}),
    (b'{"a":1}', "text/html", Kind.JSON, {"a": 1}),
    (b'{"a":1}', None, Kind.JSON, {"a": 1}),
    (b"\n  [1, 2]\n", "text/plain", Kind.JSON, [1, 2]),
    (codecs.BOM_UTF8 + b' {"a":1}', None, Kind.JSON, {"a": 1}),
    ('{"a":"£"}'.encode("utf-16"), None, Kind.JSON, {"a": "£"}),
    ('{"a":"£"}'.encode("latin-1"), "application/json; charset=ISO-8859-1", Kind.JSON, {"a": "£"}),
    ('{"a":"£"}'.encode(), "application/json; charset=ISO-8859-1", Kind.JSON, {"a": "£"}),
    (b'"words"', "application/json", Kind.JSON, "words"),
    (b"null", "application/problem+json", Kind.JSON, None),
    (b"<response><a>1</a></response>", "application/xml", Kind.XML, {"a": "1"}),
    (b"<response><a>1</a></response>", "application/json", Kind.XML, {"a": "1"}),
    (b"<response/>", None, Kind.XML, ""),
    (b"<release id='1'/>", "text/xml", Kind.XML, {"release": {"id": "1"}}),
    (b"\r\n<?xml version='1.0'?><response><a>1</a></response>", None, Kind.XML, {"a": "1"}),
    (codecs.BOM_UTF8 + b"\n<?xml version='1.0'?><response><a>1</a></response>", None, Kind.XML, {"a": "1"}),
    ("<response><a>é</a></response>".encode("utf-16"), None, Kind.XML, {"a": "é"}),
    ("<response><a>é</a></response>".encode("latin-1"), "text/xml; charset=iso-8859-1", Kind.XML, {"a": "é"}),
    ("<?xml version='1.0' encoding='utf-16'?><response><a>é</a></response>".encode(), None, Kind.XML, {"a": "é"}),
    (
        "<?xml version='1.0' encoding='iso-8859-1'?><response><a>é</a></response>".encode("latin-1"),
        "text/xml; charset=utf-8",
        Kind.XML,
        {"a": "é"},
    ),
    (b"<html><body>no</body></html>", "application/json", Kind.HTML, None),
    (b"  <!DOCTYPE html><html><br></html>", None, Kind.HTML, None),
    (b'<?xml version="1.0"?><!DOCTYPE html PUBLIC "-//W3C"><html xmlns="urn:x"/>', "application/xml", Kind.HTML, None),
    (b"<h1>503 Service Unavailable</h1>\nNo server", None, Kind.HTML, None),
    (b"OAuth authentication error: Not found", "text/plain", Kind.TEXT, None),
    (b"OAuth authentication error: Not found", "application/json", Kind.TEXT, None),
    (b"123", "text/plain", Kind.TEXT, None),
    (b"\xff\xfb\x90\x00ID3", "audio/mpeg", Kind.TEXT, None),
    (b"\x00\x01\x02", None, Kind.TEXT, None),
]

FLAWS = [
    (b'{"a": ', "JSON"),
    (b"{'a': 1}", "JSON"),
    (b'{"a": NaN}', "JSON"),
    (b'{"a":"\xa3"}', "JSON"),
    (NESTED_JSON, "JSON"),
    (b"<response><a>", "XML that is not well-formed"),
    (b"<3 music", "XML that is not well-formed"),
    (BOMB, "XML with a DTD"),
    (NESTED_XML, "XML nested more than"),
    (b"{looks like a template}", "JSON"),
]


@each_row(("body", "content_type", "kind", "tree"), KINDS)
def test_the_body_tells_what_it_is(body, content_type, kind, tree):
    document = parse(body, content_type)
    assert (document.kind, document.tree, document.flaw) == (kind, tree, None)
    assert document.body is body


@each_row(("body", "flaw"), FLAWS)
def test_broken_json_and_xml_are_text_with_a_flaw(body, flaw):
    document = parse(body, "application/json")
    assert document.kind is Kind.TEXT
    assert document.tree is None
    assert flaw in document.flaw


@each_row(
    ("body", "content_type", "text"),
    [
        ("naïve".encode(), "text/plain", "naïve"),
        ("naïve".encode("latin-1"), "text/plain; charset=ISO-8859-1", "naïve"),
        ("naïve".encode("latin-1"), "text/plain", "naïve"),
        ("“naïve”".encode("cp1252"), None, "“naïve”"),
        ("naïve".encode("utf-16"), "text/plain", "naïve"),
        (codecs.BOM_UTF8 + "naïve".encode(), 'text/plain; charset="UTF-8"', "naïve"),
        ("naïve".encode(), "text/plain; charset=no-such-charset", "naïve"),
        ("naïve".encode(), "text/plain; charset=", "naïve"),
        ("naïve".encode(), "text/plain; charset=utf-99", "naïve"),
        (b"na\xffve", "text/plain; charset=utf-8", "na\ufffdve"),
        *[(b"abc", f"text/plain; charset={codec}", "abc") for codec in ("hex", "rot13", "undefined", "idna", "zlib")],
    ],
)
def test_text_is_decoded_sensibly(body, content_type, text):
    assert parse(body, content_type).text == text


def test_a_character_on_the_edge_of_the_sniffed_part():
    body = b"a" * 2047 + "é".encode()
    assert parse(body, None).text.endswith("aé")


def test_an_excerpt_is_no_longer_than_asked():
    assert parse(b"x" * 10_000, None).excerpt(10) == "x" * 10


def test_the_repr_shows_no_content():
    for body in (b'{"password": "hunter2"}', b"<a>hunter2</a>", b"hunter2"):
        assert "hunter2" not in repr(parse(body, None))


@given(
    st.binary() | st.text().map(str.encode) | st.text(alphabet='<>/{}[]":,ahtml ').map(str.encode),
    st.none() | st.text(max_size=40) | st.sampled_from(["application/json", "text/xml; charset=utf-16", "text/html"]),
)
def test_nothing_that_arrives_is_an_error(body, content_type):
    document = parse(body, content_type)
    assert isinstance(document.text, str)
