"""A server made of nothing but OpenAPI files: it refuses what they don't allow and answers with their examples."""

import re
from contextlib import asynccontextmanager
from urllib.parse import parse_qsl, unquote

import orjson
from aiohttp import web

from .openapi import Stated, example, problems, typed

FORM = "application/x-www-form-urlencoded"
BODIES = {
    "application/vnd.apple.mpegurl": b"#EXTM3U\n#EXT-X-VERSION:3\nhttps://cdn.example/1.ts\n",
    "application/xml": b'<?xml version="1.0"?><response status="ok" version="1.2"/>',
    "application/zip": b"PK\x05\x06" + b"\0" * 18,
    "audio/mpeg": b"ID3\x04" + bytes(range(256)) * 40,
}


class Mock:
    """Holds what arrived: the operation called and what was wrong with the request, oldest first."""

    def __init__(self, operations: list[Stated], answer=example) -> None:
        self.operations = operations
        self.example = answer
        self.called: list[Stated] = []
        self.refused: list[str] = []
        self.base_url = ""

    async def handle(self, request: web.Request) -> web.Response:
        path = request.raw_path.partition("?")[0]
        for stated in self.operations:
            match = re.fullmatch(stated.pattern, path)
            if match and request.method == stated.http_method:
                break
        else:
            return self._refuse([f"{request.method} {path} is not in the files"])
        wrong = [
            *_wrong_with_arguments(stated, request, match.groupdict()),
            *_wrong_with_body(stated, request, await request.read()),
            *_wrong_with_signature(stated, request),
        ]
        if wrong:
            return self._refuse([f"{stated.id}: {problem}" for problem in wrong])
        self.called.append(stated)
        return self._answer(stated)

    def _refuse(self, wrong: list[str]) -> web.Response:
        self.refused += wrong
        return web.Response(status=400, text="; ".join(wrong))

    def _answer(self, stated: Stated) -> web.Response:
        if stated.content_type is None:
            return web.Response(status=stated.status)
        body = BODIES[stated.content_type] if stated.answer is None else orjson.dumps(self.example(stated.answer))
        return web.Response(status=stated.status, body=body, content_type=stated.content_type)


def _wrong_with_arguments(stated: Stated, request: web.Request, in_path: dict[str, str]) -> list[str]:
    query = parse_qsl(request.raw_path.partition("?")[2], keep_blank_values=True)
    given = {("path", name): unquote(text) for name, text in in_path.items()}
    given |= {("query", name): text for name, text in query}
    names = [name for name, _ in query]
    wrong = [f"query {name} is given twice" for name in set(names) if names.count(name) > 1]
    wrong += [f"{place} {name} is unknown" for place, name in given if (place, name) not in stated.parameters]
    for key, parameter in stated.parameters.items():
        if key in given:
            value = typed(given[key], parameter["schema"])
            wrong += [f"{key[0]} {key[1]}: {problem}" for problem in problems(value, parameter["schema"])]
        elif parameter.get("required"):
            wrong.append(f"{key[0]} {key[1]} is missing")
    return wrong


def _wrong_with_body(stated: Stated, request: web.Request, body: bytes) -> list[str]:
    if stated.body is None:
        return ["a body where none belongs"] if body else []
    content_type, schema = stated.body
    if request.content_type != content_type:
        return [f"the body is {request.content_type}, not {content_type}"]
    if content_type == FORM:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=True)
        if len(pairs) != len(dict(pairs)):
            return ["a field of the form is given twice"]
        value = {name: typed(text, schema["properties"].get(name, {})) for name, text in pairs}
    else:
        value = orjson.loads(body)
    return problems(value, schema)


def _wrong_with_signature(stated: Stated, request: web.Request) -> list[str]:
    header = request.headers.get("Authorization", "")
    wrong = [] if header.startswith("OAuth ") and "oauth_signature=" in header else ["not signed"]
    if ("oauth_token=" in header) is not stated.three_legged:
        wrong.append("signed by the partner alone" if stated.three_legged else "signed by a user")
    return wrong


@asynccontextmanager
async def openapi_mock(operations: list[Stated], answer=example):
    """Serve the operations on this machine; a mock with its ``base_url``."""
    mock = Mock(operations, answer)
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", mock.handle)
    runner = web.AppRunner(application)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        mock.base_url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield mock
    finally:
        await runner.cleanup()
