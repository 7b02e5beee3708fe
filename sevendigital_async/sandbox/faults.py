"""Faults on demand: their kinds, their notation and their rates."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from random import Random
from typing import Any, NamedTuple

from attrs import evolve, frozen

from ..errors import ConfigurationError

DISCONNECT_BEFORE = "disconnect-before"
DISCONNECT_AFTER = "disconnect-after"
SLOW_BODY = "slow-body"

_RATE = re.compile(r"(\d+(?:\.\d+)?|\.\d+)(%?)")
_STATUS = re.compile(r"[45]\d\d")
_TIME = r"(\d+(?:\.\d+)?|\.\d+)(ms|s)"
_LATENCY = re.compile(f"{_TIME}(?:-{_TIME})?")


class Chance(NamedTuple):
    """A kind of fault and the share of requests that get it."""

    fault: str
    rate: float


@frozen
class Faults:
    """The faults of responses, and their latency.

    A request gets at most one fault, so the rates add up to 100 % or less.

    Attributes:
        chances: Faults that are applied at random; a status such as ``503``, or the name of a kind.
        poison: Track ids whose logs are refused, with their index.
        poison_unindexed: Track ids whose logs are refused without saying which log it was.
        latency: Shortest and longest delay before a request is worked on, in seconds.
        seed: Seed of the random numbers.
    """

    chances: tuple[Chance, ...] = ()
    poison: frozenset[str] = frozenset()
    poison_unindexed: frozenset[str] = frozenset()
    latency: tuple[float, float] = (0.0, 0.0)
    seed: int = 0

    @classmethod
    def parse(cls, specs: Iterable[str] = (), *, latency: str | None = None, seed: int = 0) -> Faults:
        """Read faults from text.

        Args:
            specs: ``503:10%`` (any status of 4xx and 5xx), ``disconnect-before:5%``, ``disconnect-after:5%``,
                ``slow-body:5%``, ``poison:TRACK_ID``, ``poison-unindexed:TRACK_ID``. ``10%`` may be written ``0.1``.
            latency: ``200ms``, ``1.5s``, or a range such as ``2ms-1500ms``.
            seed: The same seed gives the same faults in the same order.

        Raises:
            ConfigurationError: One of them can't be parsed; the message quotes it and shows the notation.
        """
        if isinstance(specs, str):
            raise ConfigurationError("faults must be a list of strings, not one string")
        faults = cls(latency=_latency(latency), seed=seed)
        for spec in specs:
            kind, _, value = spec.strip().partition(":")
            value = value.strip()
            add = _FAULT_PARSERS.get(kind) or (_add_chance if _STATUS.fullmatch(kind) else None)
            if add is None or not value:
                raise ConfigurationError(f"not a fault: {spec!r} (use {_NOTATION})")
            faults = add(faults, kind, value)
        if sum(chance.rate for chance in faults.chances) > 1 + 1e-9:
            raise ConfigurationError("the rates of all faults add up to more than 100 %")
        return faults

    def tree(self) -> dict[str, Any]:
        """Return them as :meth:`parse` reads them: the members ``faults``, ``latency`` and ``seed``, for JSON."""
        return {
            "faults": [
                *(f"{chance.fault}:{chance.rate * 100:.10g}%" for chance in self.chances),
                *(f"poison:{track_id}" for track_id in sorted(self.poison)),
                *(f"poison-unindexed:{track_id}" for track_id in sorted(self.poison_unindexed)),
            ],
            "latency": "-".join(dict.fromkeys(f"{seconds * 1000:.10g}ms" for seconds in self.latency)),
            "seed": self.seed,
        }

    def draw(self, random: Random) -> str | None:
        """Return the fault of the next request, or None."""
        number = random.random()
        for chance in self.chances:
            number -= chance.rate
            if number < 0:
                return chance.fault
        return None

    def delay(self, random: Random) -> float:
        """Return the seconds by which the next request is delayed."""
        return random.uniform(*self.latency)


def _add_chance(faults: Faults, kind: str, value: str) -> Faults:
    found = _RATE.fullmatch(value)
    rate = float(found[1]) / (100 if found[2] else 1) if found else None
    if rate is None or rate > 1:
        raise ConfigurationError(f"not a rate: {value!r} (use a share such as 10% or 0.1, at most 100%)")
    return evolve(faults, chances=(*faults.chances, Chance(kind, rate)))


def _add_poison(faults: Faults, _kind: str, track_id: str) -> Faults:
    return evolve(faults, poison=faults.poison | {track_id})


def _add_poison_unindexed(faults: Faults, _kind: str, track_id: str) -> Faults:
    return evolve(faults, poison_unindexed=faults.poison_unindexed | {track_id})


_FAULT_PARSERS: dict[str, Callable[[Faults, str, str], Faults]] = {
    DISCONNECT_BEFORE: _add_chance,
    DISCONNECT_AFTER: _add_chance,
    SLOW_BODY: _add_chance,
    "poison": _add_poison,
    "poison-unindexed": _add_poison_unindexed,
}
_NOTATION = (
    "STATUS:RATE (such as 503:10%), disconnect-before:RATE, disconnect-after:RATE, slow-body:RATE, "
    "poison:TRACK_ID or poison-unindexed:TRACK_ID"
)


def _latency(text: str | None) -> tuple[float, float]:
    if not text:
        return 0.0, 0.0
    found = _LATENCY.fullmatch(text.replace(" ", ""))
    if found is None:
        raise ConfigurationError(f"not a latency: {text!r} (use 200ms, 1.5s, or a range such as 2ms-1500ms)")
    low, high = _seconds(found[1], found[2]), _seconds(found[3] or found[1], found[4] or found[2])
    if low > high:
        raise ConfigurationError(f"latency {text!r} is reversed: write the shorter time first")
    return low, high


def _seconds(number: str, unit: str) -> float:
    return float(number) / (1000 if unit == "ms" else 1)
