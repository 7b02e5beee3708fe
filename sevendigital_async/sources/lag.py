"""How far reading is behind what is written."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import asdict, field, frozen


@frozen
class Lag:
    """How far reading of growing files is behind.

    Attributes:
        files: Files that are open.
        size: Bytes that have not been read.
        seconds: Age of the oldest bytes that have not been read, by the time of the file's last change.
    """

    files: int = 0
    size: int = 0
    seconds: float = 0.0

    def as_json(self) -> dict[str, float]:
        """Return it as values of JSON."""
        return asdict(self)


@frozen
class TopicLag:
    """How far reading of a topic is behind.

    Attributes:
        partitions: By number of an assigned partition, the messages in it that the spool does not have.
    """

    partitions: Mapping[int, int] = field(factory=dict)

    @property
    def messages(self) -> int:
        """Messages of all assigned partitions."""
        return sum(self.partitions.values())

    def as_json(self) -> dict[str, int | dict[str, int]]:
        """Return it as values of JSON."""
        partitions = {str(number): behind for number, behind in self.partitions.items()}
        return {"messages": self.messages, "partitions": partitions}
