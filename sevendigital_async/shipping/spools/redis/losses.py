"""What Redis has lost of a spool, in words for a person."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from ....models import LogKind

FLUSHED = (
    "Redis has lost what the spool kept (was it flushed, or restarted without its data?). What this worker is sending "
    "is settled; plays that were waiting there are gone"
)

CONSEQUENCES = {
    "journal": "the journal of what was delivered begins anew",
    "aside": "held and buried plays are gone",
    "checkpoints": "how far sources had been read is gone, and reading one again would double its plays",
    "appends": "plays of a put that was under way may be there twice",
    "doubted": "which of the waiting plays are in doubt is in the journal only",
    "counts": "what was delivered is counted from the journal",
    "room": "more plays may be lost than are counted here",
}
"""What the loss of a key means where the rest can't make up for it."""


class Losses:
    """Adds up what was lost, for as long as the spool is open.

    Attributes:
        text: All of it; None if nothing was lost.
    """

    def __init__(self, place: str) -> None:
        self.text: str | None = None
        self._place = place
        self._flushed = False
        self._keys: dict[str, None] = {}
        self._plays: Counter[LogKind] = Counter()
        self._doubtful = 0

    def flushed(self) -> str:
        """Everything is lost."""
        self._flushed = True
        return self._say()

    def add(self, plays: Iterable[int], *, keys: Sequence[str] = (), doubtful: int = 0) -> str | None:
        """Add losses.

        Args:
            plays: Lost plays, by kind.
            keys: Names of lost keys.
            doubtful: Plays that nobody can say of whether they were being sent.

        Returns:
            All losses together; None if there was nothing to add.
        """
        numbers = {kind: number for kind, number in zip(LogKind, plays, strict=False) if number > 0}
        if not numbers and not keys and not doubtful:
            return None
        self._plays.update(numbers)
        self._keys.update(dict.fromkeys(keys))
        self._doubtful += doubtful
        return self._say()

    def _say(self) -> str:
        gone = [f"{number:,} {kind} plays" for kind, number in self._plays.items()]
        names = dict.fromkeys(key.partition(":")[0] for key in self._keys)
        parts = [
            *([FLUSHED] if self._flushed else []),
            *([f"Redis has lost keys of the spool ({', '.join(self._keys)}), rebuilt from the rest"] if names else []),
            *(CONSEQUENCES[name] for name in names if name in CONSEQUENCES),
            *([f"Redis has lost {' and '.join(gone)} that were not delivered for sure"] if gone else []),
            *([f"{self._doubtful:,} plays may have been sent and are in doubt"] if self._doubtful else []),
            f"look for what deletes or evicts keys in {self._place}",
        ]
        self.text = "; ".join(parts)
        return self.text
