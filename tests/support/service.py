"""A service without a network: a transport whose behaviour a test sets."""

from collections import Counter
from contextlib import asynccontextmanager

import orjson
from attrs import define, field

from sevendigital_async import (
    APIError,
    BatchError,
    ItemError,
    LogKind,
    UserToken,
)
from sevendigital_async.models.encoded_log import EncodedLog
from sevendigital_async.models.stream_log import checked_and_encoded


@define
class Post:
    kind: LogKind
    tracks: list[str]
    users: set[str | None]
    token: UserToken | None
    at: float


@define
class Service:
    """Counts what arrives. ``behave`` is called with each post before it is saved, ``admit`` before each permit."""

    clock: object
    behave: object = None
    latency: float = 0.0
    admit: object = None
    posts: list[Post] = field(factory=list)
    saved: Counter = field(factory=Counter)
    under_way: int = 0
    most_under_way: int = 0

    @property
    def dialect(self):
        return "openapi"

    @property
    def play_logs(self):
        return self

    def encoder(self, kind):
        return checked_and_encoded

    def wire_form_encoder(self, kind):
        return EncodedLog.checked_body

    def partition_key(self, kind, *, signed_by_user):
        return lambda log: (log.user_id or "") if signed_by_user else ""

    @asynccontextmanager
    async def permit(self, kind):
        if self.admit is not None:
            self.admit(kind)
        yield SendPermit(self, kind)


@define
class SendPermit:
    service: Service
    kind: LogKind

    async def post(self, logs, user, *, request_id) -> str:
        service = self.service
        decoded = [orjson.loads(log) for log in logs]
        post = Post(
            self.kind,
            [log["trackId"] for log in decoded],
            {log.get("userId") for log in decoded},
            user,
            service.clock.monotonic(),
        )
        service.posts.append(post)
        service.under_way += 1
        service.most_under_way = max(service.most_under_way, service.under_way)
        try:
            await service.clock.sleep(service.latency)
            if service.behave is not None:
                result = service.behave(post)
                if hasattr(result, "__await__"):
                    await result
            service.saved.update((self.kind, track) for track in post.tracks)
        finally:
            service.under_way -= 1
        return "202"


def refuse_bad(post: Post, *, indexed: bool, bad: str = "bad") -> None:
    """Refuse a batch that holds bad tracks, all or nothing."""
    wrong = [index for index, track in enumerate(post.tracks) if track.startswith(bad)]
    if not wrong:
        return
    if indexed:
        items = [ItemError(index, 1002, f"track {post.tracks[index]} is bad") for index in wrong]
        raise BatchError("the batch contains invalid items", code=1008, status=400, errors=items)
    raise APIError("something is wrong in there", code=1002, status=400)
