"""What the records of the streaming platform have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...config import Dialect, Host
from ..operation import VERSION_PATH, Binding, Parameter, country_parameter, paging_parameters

PAGING = paging_parameters(100)
LIVE_PAGING = paging_parameters(500)
"""The newer of the live pages speak of 50, the guide of 500: the service decides."""

COUNTRY = country_parameter()
REQUIRED_COUNTRY = country_parameter(required=True)


def bind(
    http_method: str, path: str, *arguments: Parameter, live: Binding | None = None, **more: Any
) -> Mapping[Dialect, Binding]:
    """Bind an operation as the OpenAPI file spells it, and as the live pages do, if it exists there."""
    file = {Dialect.OPENAPI: Binding(http_method, path, arguments, **more)}
    return file if live is None else {**file, Dialect.LIVE: live}


def live_binding(http_method: str, path: str, *arguments: Parameter, host: Host = Host.API, **more: Any) -> Binding:
    """Spell an operation as the live pages do.

    Args:
        http_method: In upper case.
        path: Below the host, or below the version on the API's own.
        arguments: What travels.
        host: Where it is served.
        more: Further attributes of the binding.
    """
    return Binding(http_method, VERSION_PATH + path if host is Host.API else path, arguments, host, **more)


def bind_live_only(http_method: str, path: str, *arguments: Parameter, **more: Any) -> Mapping[Dialect, Binding]:
    """Bind an operation that only the live pages know."""
    return {Dialect.LIVE: live_binding(http_method, path, *arguments, **more)}
