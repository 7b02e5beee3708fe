"""aioresponses, taught what the aiohttp release in use expects of a response."""

import inspect
from types import SimpleNamespace

from aiohttp import ClientResponse
from aioresponses import aioresponses


class _Response(ClientResponse):
    """aioresponses 0.7.9 does not yet pass the stream writer that aiohttp 3.14 asks for."""

    def __init__(self, *args, **kwargs):
        if "stream_writer" in inspect.signature(ClientResponse.__init__).parameters:
            kwargs.setdefault("stream_writer", SimpleNamespace(output_size=0))
        super().__init__(*args, **kwargs)


def responses(**options):
    """Return an aioresponses context whose answers aiohttp accepts."""
    context = aioresponses(**options)
    add = context.add

    def add_with_our_class(url, method="GET", **arguments):
        add(url, method, **{"response_class": _Response, **arguments})

    context.add = add_with_our_class
    return context
