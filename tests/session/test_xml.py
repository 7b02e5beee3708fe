from __future__ import annotations

import contextlib
import socket
from xml.sax.saxutils import escape, quoteattr

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.rows import each_row

from sevendigital_async.session.xml import MAX_DEPTH, XMLError, parse_xml

NIL = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'


@each_row(
    ("document", "tree"),
    [
        ("<a/>", {"a": ""}),
        ("<a></a>", {"a": ""}),
        ("<a>\n  text\n</a>", {"a": "text"}),
        ('<a id="1"/>', {"a": {"id": "1"}}),
        ('<a id="1">text</a>', {"a": {"id": "1", "#text": "text"}}),
        ("<a><version /></a>", {"a": {"version": ""}}),
        ("<a><b>1</b></a>", {"a": {"b": "1"}}),
        ("<a><b>1</b><b>2</b><c>3</c><b>4</b></a>", {"a": {"b": ["1", "2", "4"], "c": "3"}}),
        ("<a><b/><b>2</b></a>", {"a": {"b": ["", "2"]}}),
        (f'<a {NIL}><b xsi:nil="true"/></a>', {"a": {"b": None}}),
        (f'<a {NIL}><b xsi:nil="1" code="GBP"/><b>2</b></a>', {"a": {"b": [None, "2"]}}),
        (f'<a {NIL}><b xsi:nil="false">1</b></a>', {"a": {"b": "1"}}),
        (
            f'<a {NIL} xsi:noNamespaceSchemaLocation="http://x/y.xsd" status="ok"><b/></a>',
            {"a": {"status": "ok", "b": ""}},
        ),
        ('<n:a xmlns:n="urn:x" n:id="1"><n:b>2</n:b></n:a>', {"a": {"id": "1", "b": "2"}}),
        ('<a xmlns="urn:x"><b>2</b></a>', {"a": {"b": "2"}}),
        ("<a>one <b>two</b> three</a>", {"a": {"b": "two", "#text": "one  three"}}),
        ("<a><![CDATA[<b>&]]></a>", {"a": "<b>&"}),
        ("<a>&#163;5 &amp; more</a>", {"a": "£5 & more"}),
        ('<a id="1"><id>2</id></a>', {"a": {"id": "2"}}),
        ("<?xml version='1.0'?><!-- note --><a>1</a><!-- end -->", {"a": "1"}),
    ],
)
def test_documents_become_plain_trees(document, tree):
    assert parse_xml(document.encode()) == tree


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "iso-8859-1", "windows-1252"])
def test_a_document_names_its_encoding(encoding):
    document = f'<?xml version="1.0" encoding="{encoding}"?><a>£é</a>'
    assert parse_xml(document.encode(encoding)) == {"a": "£é"}


def test_a_stated_encoding_overrules_the_document():
    assert parse_xml('<?xml version="1.0" encoding="utf-16"?><a>é</a>'.encode(), "utf-8") == {"a": "é"}


BOMB = """<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">
<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]><response>&c;</response>"""
EXTERNAL = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "{url}">]><response>&x;</response>'
EXTERNAL_DTD = '<!DOCTYPE response SYSTEM "{url}"><response/>'
PARAMETER = '<!DOCTYPE a [<!ENTITY % x SYSTEM "{url}"> %x;]><response/>'


@pytest.mark.parametrize("document", [BOMB, EXTERNAL, EXTERNAL_DTD, PARAMETER, "<!DOCTYPE response><response/>"])
def test_entities_dtds_and_external_references_are_refused(document, monkeypatch):
    def forbidden(*_, **__):
        pytest.fail("the parser went out for something")

    monkeypatch.setattr(socket, "socket", forbidden)
    monkeypatch.setattr("builtins.open", forbidden)
    with pytest.raises(XMLError, match="not allowed"):
        parse_xml(document.replace("{url}", "http://127.0.0.1:9/secret").encode())


def test_deep_nesting_is_refused_and_costs_no_stack():
    depth = 200_000
    with pytest.raises(XMLError, match="deep"):
        parse_xml(b"<a>" * depth + b"</a>" * depth)


def test_the_deepest_allowed():
    parse_xml(b"<a>" * MAX_DEPTH + b"</a>" * MAX_DEPTH)
    with pytest.raises(XMLError, match="deep"):
        parse_xml(b"<a>" * (MAX_DEPTH + 1) + b"</a>" * (MAX_DEPTH + 1))


@each_row(
    "document",
    [b"", b"<a>", b"<a></b>", b"text", b"<a/><b/>", b"<a>&nope;</a>", b"<a>\xff</a>", b"<a b=c/>", b"\x00<a/>"],
)
def test_what_is_not_well_formed_is_an_error_without_its_content(document):
    with pytest.raises(XMLError) as caught:
        parse_xml(document)
    assert str(caught.value) == "XML that is not well-formed"


@pytest.mark.parametrize("encoding", ["no-such-charset", "shift_jis", "hex"])
def test_an_unusable_encoding_is_an_error(encoding):
    with pytest.raises(XMLError):
        parse_xml(b"<a/>", encoding)


NAMES = st.sampled_from(["id", "name", "release", "track"])
PRINTABLE = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zs", "Zl", "Zp"], exclude_characters="\ufffe\uffff")
)
TREES = st.recursive(PRINTABLE, lambda inner: st.dictionaries(NAMES, inner | st.lists(inner, min_size=2), min_size=1))


def written(name, content):
    if isinstance(content, list):
        return "".join(written(name, item) for item in content)
    if isinstance(content, dict):
        return f"<{name}>" + "".join(written(key, inner) for key, inner in content.items()) + f"</{name}>"
    return f"<{name}>{escape(content)}</{name}>"


@given(TREES)
def test_what_is_written_is_read(tree):
    assert parse_xml(written("response", tree).encode()) == {"response": tree}


@given(st.dictionaries(NAMES, PRINTABLE, min_size=1))
def test_attributes_are_read(attributes):
    inside = " ".join(f"{name}={quoteattr(value)}" for name, value in attributes.items())
    assert parse_xml(f"<a {inside}/>".encode()) == {"a": attributes}


@given(st.binary() | st.text(alphabet="<>/&;a!?-[]\"'= ").map(str.encode))
def test_rubbish_is_an_error_of_ours(document):
    with contextlib.suppress(XMLError):
        parse_xml(document)
