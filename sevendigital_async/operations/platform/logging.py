"""Play reports of the streaming platform."""

from __future__ import annotations

from ..operation import Auth, Operation, Place, RateClass, Safety, argument
from .binding import bound

LOGS = argument("logs", Place.JSON, required=True)

REPORT_PREVIEW_STREAM = Operation(
    id="reportPreviewStream",
    name="platform.logging.preview",
    summary="Report plays of preview clips.",
    auth=Auth.TWO_LEGGED,
    safety=Safety.UNSAFE,
    rate_class=RateClass.PREVIEW_LOGS,
    bindings=bound("POST", "/logging/preview", LOGS),
)

REPORT_CATALOGUE_STREAM = Operation(
    id="reportCatalogueStream",
    name="platform.logging.catalogue",
    summary="Report plays in radio-style listening.",
    auth=Auth.THREE_LEGGED,
    safety=Safety.UNSAFE,
    bindings=bound("POST", "/logging/catalogue", LOGS),
)

REPORT_SUBSCRIBER_STREAM = Operation(
    id="reportSubscriberStream",
    name="platform.logging.subscriber",
    summary="Report plays of subscribers.",
    auth=Auth.THREE_LEGGED,
    safety=Safety.UNSAFE,
    bindings=bound("POST", "/logging/subscriber", LOGS),
)

OPERATIONS = (REPORT_PREVIEW_STREAM, REPORT_CATALOGUE_STREAM, REPORT_SUBSCRIBER_STREAM)
