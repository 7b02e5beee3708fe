"""When to give up."""

from __future__ import annotations

from attrs import define

from ..shipping import Counts


@define
class Patience:
    """Notices when nothing gets on although something waits.

    Attributes:
        seconds: How long that may last.
    """

    seconds: float
    _since: float
    _settled: int = 0

    def ended(self, counts: Counts, now: float, *, stuck: bool = False, linger: float = 0.0) -> bool:
        """Look at the numbers; True if nothing was delivered or buried for too long.

        Args:
            counts: Where the plays are.
            now: Seconds.
            stuck: Nothing can be put, either.
            linger: Seconds that plays may wait for others before they are sent, which is no sign of trouble.
        """
        settled = counts.delivered + counts.buried
        idle = counts.waiting + counts.in_flight == 0 and not stuck
        if settled != self._settled or idle:
            self._settled, self._since = settled, now
        return not idle and now - self._since >= self.seconds + linger
