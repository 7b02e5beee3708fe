"""Play reports of the streaming platform."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from attrs import evolve

from ...config import Dialect
from ...models import LogKind, StreamLog
from ..operation import AcceptedCount, Auth, Binding, Operation, ParameterLocation, RateClass, Safety, parameter
from .play_dialects import LIVE_PLAYS, NEVER_SUBSCRIBED_CODE

OUTSIDE_WINDOW_CODE = 1002

OUTSIDE_WINDOW_MEANING = "played 61 days ago or more, or in the future; or another field has no valid value"
NEVER_SUBSCRIBED_MEANING = (
    "this user has never had a subscription, so that no play of theirs can be one of a subscriber"
)


def _checked_logs(logs: Iterable[object]) -> object:
    """Refuse plays with fields that this dialect lacks."""
    if isinstance(logs, list):
        for log in logs:
            if isinstance(log, StreamLog):
                log.check_plain()
    return logs


LOGS = parameter("logs", ParameterLocation.JSON, required=True, write=_checked_logs)
COUNTRY = parameter("country", required=True)
USER_ID = parameter("user_id", required=True)
PLAY_LOG_ITEMS = parameter("items", ParameterLocation.JSON, required=True, wire="playLogItem")
ACCEPTED_COUNT = AcceptedCount("items", ("playLogs", "count"))


def _bind(kind: LogKind, live: Binding) -> Mapping[Dialect, Binding]:
    spread = {"logs": LIVE_PLAYS[kind].request_arguments}
    return {
        Dialect.OPENAPI: Binding("POST", f"/logging/{kind}", (LOGS,)),
        Dialect.LIVE: evolve(
            live, spread=spread, meanings={OUTSIDE_WINDOW_CODE: OUTSIDE_WINDOW_MEANING, **live.meanings}
        ),
    }


# Most of the vendor's pages have this path; the settings can name the other.
REPORT_PREVIEW_STREAM = Operation(
    id="reportPreviewStream",
    name="platform.logging.preview",
    summary="Report plays of preview clips.",
    auth=Auth.TWO_LEGGED,
    safety=Safety.UNSAFE,
    rate_class=RateClass.PREVIEW_LOGS,
    bindings=_bind(
        LogKind.PREVIEW,
        Binding(
            "POST",
            "/1.2/preview/log",
            (COUNTRY, parameter("items", ParameterLocation.JSON, required=True, wire="logs")),
            settings={"path": "live_preview_log_path", "country": "country"},
        ),
    ),
)

REPORT_CATALOGUE_STREAM = Operation(
    id="reportCatalogueStream",
    name="platform.logging.catalogue",
    summary="Report plays in radio-style listening.",
    auth=Auth.THREE_LEGGED,
    safety=Safety.UNSAFE,
    bindings=_bind(
        LogKind.CATALOGUE,
        Binding("POST", "/1.2/catalogue/log", (COUNTRY, USER_ID, PLAY_LOG_ITEMS), count=ACCEPTED_COUNT),
    ),
)

REPORT_SUBSCRIBER_STREAM = Operation(
    id="reportSubscriberStream",
    name="platform.logging.subscriber",
    summary="Report plays of subscribers.",
    auth=Auth.THREE_LEGGED,
    safety=Safety.UNSAFE,
    bindings=_bind(
        LogKind.SUBSCRIBER,
        Binding(
            "POST",
            "/1.2/user/subscription/log",
            (COUNTRY, USER_ID, PLAY_LOG_ITEMS),
            count=ACCEPTED_COUNT,
            meanings={NEVER_SUBSCRIBED_CODE: NEVER_SUBSCRIBED_MEANING},
        ),
    ),
)
