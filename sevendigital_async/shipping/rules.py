"""Lane rules: the documented limits of each kind of play, and the defaults of the shipper within them."""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypedDict

from attrs import evolve, frozen

from ..errors import ConfigurationError
from ..models import LogKind


class Atomicity(enum.Enum):
    """Whether a refused batch was saved in part.

    Unless it certainly was not, plays that are sent again after a refusal are marked as possible doubles.
    """

    ALL_OR_NOTHING = "all or nothing"
    PARTIAL = "partial"
    UNKNOWN = "unknown"


@frozen(kw_only=True)
class LaneRules:
    """How plays of one kind are sent.

    Attributes:
        max_count: Logs in one request, at the most.
        max_bytes: Bytes of the logs in one request, at the most.
        linger: Seconds that an incomplete batch waits for more plays.
        concurrency: Requests on their way at the same time.
        signed_by_user: The play's user signs, where a token is known; a request then holds one user's plays.
        atomicity: What a refusal says about the rest of the batch.
        poison_share: The lane suspends itself when more than this share of its last ``poison_window`` logs was
            refused for good, because that is a schema error or an outage, not poison.
        poison_window: See ``poison_share``; logs.
        initial_delay: Seconds before the first request to a limited endpoint when the spool was in use before: requests
            that a previous process sent, perhaps a moment before it died, count against the same limit.
    """

    max_count: int
    max_bytes: int = 1_000_000
    linger: float = 5.0
    concurrency: int = 16
    signed_by_user: bool = True
    atomicity: Atomicity = Atomicity.UNKNOWN
    poison_share: float = 0.5
    poison_window: int = 1000
    initial_delay: float = 0.0

    def __attrs_post_init__(self) -> None:
        """Check the values."""
        for is_valid, description, names in _CHECKS:
            for name in names:
                if not is_valid(getattr(self, name)):
                    raise ConfigurationError(f"the lane rule {name} must be {description}")

    def is_full(self, count: int, size: int) -> bool:
        """Whether so many plays of so many bytes are a complete batch."""
        return count >= self.max_count or size >= self.max_bytes

    def is_exceeded_by(self, count: int, size: int) -> bool:
        """Whether so many plays of so many bytes are too much for one request."""
        return count > self.max_count or size > self.max_bytes


class LaneChanges(TypedDict, total=False):
    """Attributes of :class:`LaneRules` that differ from the defaults."""

    max_count: int
    max_bytes: int
    linger: float
    concurrency: int
    signed_by_user: bool
    atomicity: Atomicity
    poison_share: float
    poison_window: int
    initial_delay: float


_CHECKS: Sequence[tuple[Callable[[Any], bool], str, tuple[str, ...]]] = (
    (
        lambda value: type(value) is int and value > 0,
        "a whole number above zero",
        ("max_count", "max_bytes", "concurrency", "poison_window"),
    ),
    (lambda value: _is_number(value) and 0 <= value < math.inf, "seconds, zero or more", ("linger", "initial_delay")),
    (lambda value: _is_number(value) and 0 <= value <= 1, "a share between 0 and 1", ("poison_share",)),
    (lambda value: isinstance(value, bool), "True or False", ("signed_by_user",)),
    (lambda value: isinstance(value, Atomicity), "an Atomicity", ("atomicity",)),
)
"""A check, its description, and the rules that it is for."""


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


DOCUMENTED_RULES: Mapping[LogKind, LaneRules] = {
    LogKind.PREVIEW: LaneRules(
        max_count=500, concurrency=5, signed_by_user=False, atomicity=Atomicity.ALL_OR_NOTHING, initial_delay=1.5
    ),
    LogKind.CATALOGUE: LaneRules(max_count=500),
    LogKind.SUBSCRIBER: LaneRules(max_count=20),
}


def lane_rules(changes: Mapping[LogKind, LaneChanges] | None = None) -> dict[LogKind, LaneRules]:
    """Return the rules of all lanes, with some changed.

    Args:
        changes: By kind, the attributes of :class:`LaneRules` that differ, such as ``{"linger": 0.5}``.

    Raises:
        ConfigurationError: An unknown kind or attribute, a value of the wrong type, or a count above the documented
            limit.
    """
    rules = dict(DOCUMENTED_RULES)
    if changes is not None and not isinstance(changes, Mapping):
        raise ConfigurationError("lanes must be a mapping from kind to the rules that differ")
    for kind, values in (changes or {}).items():
        if kind not in tuple(LogKind):
            raise ConfigurationError(f"the keys of lanes must be {', '.join(LogKind)}, not {kind!r}")
        lane = LogKind(kind)
        try:
            rules[lane] = evolve(DOCUMENTED_RULES[lane], **values)
        except TypeError as error:
            raise ConfigurationError(f"lane rules of {lane}: {error}") from None
        if rules[lane].max_count > DOCUMENTED_RULES[lane].max_count:
            raise ConfigurationError(f"max_count of {lane} must be at most {DOCUMENTED_RULES[lane].max_count}")
    return rules
