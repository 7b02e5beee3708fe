"""A web service with Django that accepts plays over HTTP and ships them.

    uvicorn django_service:application

The settings are read from the environment; see `SevenDigital.from_env`. In a project of your own, `lifespan` and
`application` belong into `asgi.py`, the views into `views.py`.
"""

import asyncio
from typing import Any

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpResponse, JsonResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from sevendigital_async import InvalidLogError, LogKind, SevenDigital, StreamLog, StreamLogShipper

PUT_TIMEOUT = 5.0  # seconds that a view waits while the spool is full or its disk is slow


@csrf_exempt  # the callers are programs, without cookies
@require_POST
async def accept_play(request: ASGIRequest) -> HttpResponse:
    """Accept one play, with the field names of the API."""
    shipper: StreamLogShipper = request.scope["state"]["shipper"]
    try:
        play = StreamLog.decode(request.body)
        async with asyncio.timeout(PUT_TIMEOUT):
            await shipper.put(LogKind.CATALOGUE, play)
    except InvalidLogError as error:
        return JsonResponse({"error": str(error)}, status=422)
    except TimeoutError:  # nothing was accepted: the caller may send the play again
        return HttpResponse(status=503, headers={"Retry-After": "1"})
    return HttpResponse(status=202)  # the play is in plays.db


async def health(request: ASGIRequest) -> HttpResponse:
    """Report the number of waiting plays."""
    shipper: StreamLogShipper = request.scope["state"]["shipper"]
    statistics = await shipper.statistics()
    return JsonResponse({"waiting": statistics.waiting, "delivered": statistics.delivered})


async def lifespan(scope: Any, receive: Any, send: Any) -> None:
    """Open one shipper for the whole service, in its event loop; at shutdown, deliver for up to 30 seconds."""
    await receive()  # lifespan.startup
    try:
        async with SevenDigital.from_env() as client, StreamLogShipper(client, spool="plays.db") as shipper:
            scope["state"]["shipper"] = shipper  # the server gives every request this state
            await send({"type": "lifespan.startup.complete"})
            await receive()  # lifespan.shutdown
    except Exception as error:
        await send({"type": "lifespan.startup.failed", "message": str(error)})
        raise
    await send({"type": "lifespan.shutdown.complete"})


urlpatterns = [path("plays", accept_play), path("health", health)]
settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["127.0.0.1", "localhost"], SECRET_KEY="not used here")  # noqa: S106
django_application = get_asgi_application()


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Answer requests with Django, which ignores the lifespan of the server, and open the shipper beside it."""
    if scope["type"] == "lifespan":
        await lifespan(scope, receive, send)
    else:
        await django_application(scope, receive, send)
