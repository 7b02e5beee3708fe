"""What a response must be to acknowledge plays, counted at the server and in the journal."""

import gzip
import zlib
from datetime import UTC, datetime

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.rawserver import raw_server
from support.rows import each_row

from sevendigital_async import (
    NO_RETRY,
    APIError,
    DecodeError,
    LogKind,
    Settings,
    SevenDigital,
    SevenDigitalError,
    StreamLog,
    StreamLogShipper,
    TransportError,
    UnreadableResponseError,
)
from sevendigital_async.session.acknowledgement import acknowledgement_problem
from sevendigital_async.session.decompression import MAX_STEP_BYTES, DecompressionError, unpacker
from sevendigital_async.session.document import Kind, parse

LATIN = '{"status":"error","error":{"code":1001,"message":"é"}}'.encode("latin-1")
PORTAL = b"<!DOCTYPE html><html><head><title>Please log in</title></head><body/></html>"
ERROR = b'{"status":"error","error":{"code":1001,"message":"no"}}'


def head(line, body=b"", *headers):
    lines = [line, *headers, f"Content-Length: {len(body)}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def ok(body, *headers):
    return head("HTTP/1.1 200 OK", body, *headers)


def packed(encoding, body):
    return ok(body, f"Content-Encoding: {encoding}")


NO_ACKNOWLEDGEMENT = {
    "101": head("HTTP/1.1 101 Switching Protocols"),
    "status 000": head("HTTP/1.1 000 OK"),
    "status 199": b"HTTP/1.1 199 Hm\r\n\r\n" + head("HTTP/1.1 000 OK"),
    "no status": head("HTTP/1.1 OK"),
    "status in words": head("HTTP/1.1 fine OK"),
    "no HTTP": b"220 mail.example.com ESMTP\r\n\r\n",
    "header of 20 kB": ok(b"", "X-Long: " + "a" * 20_000),
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 1\r\n\r\n",
    "more than the length": ok(b"") + b"more",
    "broken chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nok\r\n0\r\n\r\n",
    "204 with an error": head("HTTP/1.1 204 No Content", ERROR),
    "latin-1 byte in JSON": ok(LATIN),
    "JSON cut short": ok(ERROR[:-9]),
    "two JSON documents": ok(b"{}" + ERROR),
    "JSON and garbage": ok(b"{}\0"),
    "JSON in UTF-16, no mark": ok('{"error":"x"}'.encode("utf-16-le")),
    "text before JSON": ok(b"Warning: x in y.php " + ERROR),
    "JSONP": ok(b"callback(" + ERROR + b")"),
    "guarded JSON": ok(b")]}',\n" + ERROR),
    "ampersand in XML": ok(b"<response status='error'><error code='1001'><m>a & b</m></error></response>"),
    "XML cut short": ok(b"<response status='ok'>"),
    "unrecognised status": ok(b"<response status='unrecognised'><playLogs count='1'/></response>"),
    "two XML documents": ok(b"<response status='ok'/><response status='error'/>"),
    "XML with a DTD": ok(b'<!DOCTYPE r [<!ENTITY a "b">]><response status="ok"/>'),
    "portal": ok(PORTAL),
    "portal labelled JSON": ok(PORTAL, "Content-Type: application/json"),
    "piece of HTML": ok(b"<div>Please log in</div>"),
    "script": ok(b"<script>location='/login'</script>"),
    "spaces, then a page": ok(b" " * 4_000 + PORTAL),
    "spaces in UTF-16, then JSON": ok(("\ufeff" + " " * 4_000 + '{"error"').encode("utf-16-le")),
    "long text": ok(b"accepted " * 40),
    "NULs": ok(b"\0\0\0\0"),
    "binary": ok(b"\x89PNG\r\n\x1a\n\xff"),
    "text in latin-1": ok("angenommen für heute".encode("latin-1")),
    "gzip that is none": packed("gzip", b"accepted"),
    "gzip cut in its header": packed("gzip", gzip.compress(ERROR)[:10]),
    "gzip cut short": packed("gzip", gzip.compress(b"accepted")[:-3]),
    "gzip with a wrong sum": packed("gzip", gzip.compress(b"accepted")[:-8] + bytes(8)),
    "gzip and garbage": packed("gzip", gzip.compress(b"accepted") + b"more"),
    "deflate that is none": packed("deflate", b"xaccepted"),
    "deflate cut short": packed("deflate", zlib.compress(b"accepted" * 9)[:-5]),
    "br": packed("br", b"accepted"),
    "zstd": packed("zstd", b"accepted"),
    "packed twice": packed("gzip, gzip", gzip.compress(gzip.compress(b"accepted"))),
    "oauth form": ok(b"oauth_token=a&oauth_token_secret=b"),
}


async def shipped(*script, cut=False, **options):
    """Ship three plays to a server that plays a script; return it with the statistics."""

    async def cut_off(_, writer, __):
        writer.write(script[0])
        await writer.drain()

    raw = raw_server(cut_off) if cut else raw_server(*script)
    logs = [StreamLog(str(number), datetime.now(UTC), country="GB") for number in range(3)]
    async with raw as server, SevenDigital("key", "secret", base_url=server.base_url, retry=NO_RETRY) as client:
        async with StreamLogShipper(client, close_timeout=0.0, **options) as shipper:
            await shipper.put_many(LogKind.PREVIEW, logs)
            statistics = await shipper.flush(50)
    return statistics, server


@each_row("name", NO_ACKNOWLEDGEMENT)
async def test_what_is_no_acknowledgement_is_in_doubt_and_held_the_second_time(name):
    statistics, server = await shipped(NO_ACKNOWLEDGEMENT[name])
    assert (statistics.delivered, statistics.in_doubt, statistics.held, statistics.buried) == (0, 3, 3, 0)
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    "cut",
    [ok(b"{}" + b" " * 50)[:-50], b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n"],
    ids=["length", "chunked"],
)
async def test_a_success_that_breaks_off_is_one_doubt_and_then_held(cut):
    statistics, server = await shipped(cut, cut=True)
    assert (statistics.delivered, statistics.held, statistics.in_doubt) == (0, 3, 3)
    assert len(server.requests) == 2


@pytest.mark.parametrize("body", [b'{"status":"ok"}', gzip.compress(b"accepted", mtime=0)], ids=["JSON", "gzip"])
async def test_a_success_cut_at_any_byte_acknowledges_nothing(body):
    whole = packed("gzip", body) if body.startswith(b"\x1f") else ok(body)
    believed = []
    for length in range(len(whole)):

        async def cut_off(_, writer, __, begun=whole[:length]):
            writer.write(begun)
            await writer.drain()

        async with raw_server(cut_off) as server:
            async with SevenDigital("key", "secret", base_url=server.base_url) as client:
                log = StreamLog("1", datetime.now(UTC), country="GB")
                try:
                    await client.platform.logging.preview([log])
                except SevenDigitalError:
                    assert len(server.requests) == 1
                else:
                    believed.append(length)
    assert believed == []


ACKNOWLEDGEMENTS = {
    "empty": ok(b""),
    "204": head("HTTP/1.1 204 No Content"),
    "205": head("HTTP/1.1 205 Reset Content"),
    "202": head("HTTP/1.1 202 Accepted", b"queued 500 plays"),
    "white space": ok(b"\r\n \t"),
    "mark alone": ok(b"\xef\xbb\xbf"),
    "OK": ok(b"OK\r\n"),
    "text in UTF-8": ok("für später angenommen".encode()),
    "{}": ok(b"{}"),
    "null": ok(b"null", "Content-Type: application/json"),
    "number": ok(b"3", "Content-Type: application/json"),
    "list": ok(b"[]"),
    "JSON": ok(b'{"status":"ok","version":"1.2","playLogs":{"count":3}}'),
    "JSON with a mark": ok(b'\xef\xbb\xbf{"status":"ok"}'),
    "JSON in UTF-16": ok('\ufeff{"status":"ok"}'.encode("utf-16-le")),
    "no errors": ok(b'{"success":true,"error":null,"errors":[],"errorCount":0,"code":200,"failed":"0"}'),
    "error without words beside others": ok(b'{"status":"ok","error":""}'),
    "XML": ok(b'<?xml version="1.0"?><response status="ok" version="1.2"><playLogs/></response>'),
    "after 103": b"HTTP/1.1 103 Early Hints\r\n\r\n" + ok(b"{}"),
    "gzip": packed("gzip", gzip.compress(b'{"status":"ok"}')),
    "gzip in two members": packed("x-gzip", gzip.compress(b'{"status"') + gzip.compress(b':"ok"}')),
    "gzip of nothing": packed("gzip", b""),
    "deflate": packed("deflate", zlib.compress(b'{"status":"ok"}')),
    "deflate, bare": packed("Deflate", zlib.compress(b'{"status":"ok"}', wbits=-15)),
    "identity": packed("identity", b"OK"),
    "no packing at all": packed("utf-8", b"OK"),
}


@each_row("name", ACKNOWLEDGEMENTS)
async def test_what_is_an_acknowledgement_delivers(name):
    statistics, server = await shipped(ACKNOWLEDGEMENTS[name])
    assert (statistics.delivered, statistics.in_doubt, statistics.held) == (3, 0, 0)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "body",
    [
        '{"Status":"Error"}',
        '{"STATUS":" error "}',
        '{"response":{"status":"error","error":{"code":1001,"message":"no"}}}',
        '{"Error":{"Code":1001,"Message":"no"}}',
        "<Error><Code>AccessDenied</Code></Error>",
        "<response Status='Error'><error code='1001'/></response>",
        "\ufeff" + '{"error":"no"}',
    ],
)
def test_the_services_own_errors_are_found_in_any_case_and_envelope(body):
    from sevendigital_async.session.classify import error_in  # noqa: PLC0415

    assert isinstance(error_in(parse(body.encode(), None), 200, {}, "doThing"), APIError)


@each_row(
    "body",
    [
        '{"error":""}',
        '{"error":{}}',
        "<error/>",
        "<response><error/></response>",
        '{"result":{"status":"error"}}',
        '[{"error":"x"}]',
        '{"items":[{"index":0,"status":"failed"}]}',
        '{"a":{"b":{"c":{"d":{"e":{"errors":["x"]}}}}}}',
        '{"success":false}',
        '{"ok":0}',
        '{"accepted":0}',
        '{"success":"no"}',
        '{"statusCode":503}',
        "<response><code>1001</code></response>",
        '{"message":"An error has occurred."}',
        '{"status":"rejected"}',
        '{"state":false}',
        "<s:Envelope xmlns:s='u'><s:Body><s:Fault><faultcode>x</faultcode></s:Fault></s:Body></s:Envelope>",
        "<string>Invalid user</string>",
        "<rsp stat='fail'/>",
        '"An error has occurred"',
        "false",
        "Service Unavailable",
        "error: no such user",
        "Please try again later",
        "Not accepted",
    ],
)
def test_what_tells_of_a_failure_acknowledges_nothing(body):
    assert acknowledgement_problem(parse(body.encode(), "application/json"))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
        max_leaves=12,
    ),
    st.integers(0, 200),
    st.sampled_from(["error", "Error", "errorMessage", "fault"]),
)
def test_an_error_at_any_place_is_found_and_a_cut_is_seen(tree, cut, name):
    body = orjson.dumps({"answer": tree, name: "it"})
    assert acknowledgement_problem(parse(body, None))
    if 0 < cut < len(body):
        assert acknowledgement_problem(parse(body[:cut], None))
        assert acknowledgement_problem(parse(body + body[:cut], None))


@given(st.binary(max_size=300), st.sampled_from([None, "application/json", "text/xml; charset=utf-16", "text/html"]))
def test_whatever_arrives_is_parsed_or_text(body, content_type):
    document = parse(body, content_type)
    if acknowledgement_problem(document) is None and document.kind is Kind.TEXT:
        assert document.text.strip().replace("\n", "").isascii() or body.decode()
        assert not set("{}[]<>\0") & set(document.text)


@given(st.binary(max_size=40))
def test_no_bytes_acknowledge_by_being_unreadable(noise):
    for body in (b'{"status":"error","message":"' + noise, b"<response status='error'>" + noise):
        assert acknowledgement_problem(parse(body, None))


@given(st.binary(max_size=2_000), st.sampled_from(["gzip", "deflate"]), st.integers(1, 50), st.data())
def test_packed_bodies_come_out_whole_or_not_at_all(body, encoding, step, data):
    sound = gzip.compress(body) if encoding == "gzip" else zlib.compress(body)
    assert unpack(sound, encoding, step) == body
    cut = data.draw(st.integers(1, len(sound) - 1))
    with pytest.raises(DecompressionError):
        unpack(sound[:cut], encoding, step)


def unpack(data, encoding, step):
    made, out = unpacker(encoding), []
    for begin in range(0, len(data), step):
        made.feed(data[begin : begin + step])
        while made.pending:
            out.append(made.unpacked())
    made.finish()
    return b"".join(out)


def test_a_bomb_comes_out_in_pieces():
    made, sizes = unpacker("gzip"), []
    made.feed(gzip.compress(bytes(5 * MAX_STEP_BYTES + 3)))
    while made.pending:
        sizes.append(len(made.unpacked()))
    made.finish()
    assert sum(sizes) == 5 * MAX_STEP_BYTES + 3
    assert max(sizes) <= MAX_STEP_BYTES


async def test_a_bomb_is_refused_at_the_limit():
    bomb = packed("gzip", gzip.compress(bytes(3 * MAX_STEP_BYTES)))
    async with raw_server(bomb) as raw:
        settings = Settings(base_url=raw.base_url, retry=NO_RETRY, max_response_bytes=MAX_STEP_BYTES)
        async with SevenDigital("key", "secret", settings=settings) as client:
            with pytest.raises(TransportError, match="larger than"):
                await client.classic.service.status()


@each_row("name", NO_ACKNOWLEDGEMENT)
async def test_an_unsafe_call_is_sent_once_and_may_have_been_carried_out(name):
    async with raw_server(NO_ACKNOWLEDGEMENT[name]) as raw:
        async with SevenDigital("key", "secret", base_url=raw.base_url) as client:
            with pytest.raises(SevenDigitalError) as caught:
                await client.platform.sales.refund_release(user_id="7", purchase_id="1")
    assert len(raw.requests) == 1
    assert getattr(caught.value, "maybe_sent", isinstance(caught.value, DecodeError))


async def test_a_direct_report_that_is_not_acknowledged_says_so():
    async with raw_server(ok(ERROR[:-9])) as raw:
        async with SevenDigital("key", "secret", base_url=raw.base_url) as client:
            with pytest.raises(DecodeError, match="is not an acknowledgement: JSON that is cut short"):
                await client.platform.logging.preview([StreamLog("1", datetime.now(UTC), country="GB")])
    assert len(raw.requests) == 1


def test_an_unreadable_answer_was_an_answer():
    assert UnreadableResponseError("x").answered
    assert UnreadableResponseError("x").maybe_sent
