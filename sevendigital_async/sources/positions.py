"""How files are read, and how far they were read."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import orjson
from attrs import frozen

from ..errors import ConfigurationError
from ..models import LogKind
from .formats import Format

MAX_FILE_SIZE = 2**63 - 1


@frozen
class Position:
    """How far a file was read, as a checkpoint has it.

    Attributes:
        line: Number of the line or row that follows.
        offset: Bytes of the decompressed content before it.
        fingerprint: Fingerprint of the content up to there.
        kind: Kind of its plays, if all are of one kind.
    """

    line: int = 1
    offset: int = 0
    fingerprint: str = ""
    kind: str | None = None

    def encode(self) -> str:
        """Return the position of a checkpoint."""
        kept = {"kind": self.kind, "line": self.line, "offset": self.offset, "fingerprint": self.fingerprint}
        return orjson.dumps(kept).decode()

    @classmethod
    def decode(cls, text: str, place: str) -> Position:
        """Read the position of a checkpoint.

        Raises:
            ConfigurationError: Another version has written it.
        """
        try:
            kept = orjson.loads(text)
            position = cls(int(kept["line"]), int(kept["offset"]), str(kept["fingerprint"]), kept["kind"])
            known = position.line >= 1 and 0 <= position.offset <= MAX_FILE_SIZE
        except (ValueError, KeyError, TypeError, OverflowError):
            known = False
        if not known:
            raise ConfigurationError(
                f"{place}: its checkpoint was written by another version; pass --from-line to choose where to resume"
            )
        return position

    def check_kind(self, kind: LogKind | None, place: str, *, is_followed: bool = False) -> None:
        """Refuse to ship a file as another kind than before.

        Raises:
            ConfigurationError: It was shipped as plays of another kind.
        """
        if self.kind == (kind and kind.value):
            return
        if is_followed:
            remedy = (
                f"{f'pass --kind {self.kind}' if self.kind else 'leave out --kind'} to read on from there, or another"
                f" --spool to ship all of it as {kind or 'mixed'} plays"
            )
        else:
            remedy = f"to ship it again as {kind or 'mixed'} plays, pass --from-line 1"
        raise ConfigurationError(
            f"{place} was shipped up to line {self.line - 1} as {self.kind or 'mixed'} plays; {remedy}"
        )


def fingerprint(head: bytes, tail: bytes) -> str:
    """Return a fingerprint of the content: of its first bytes and those before a position."""
    return hashlib.blake2b(head + tail, digest_size=16).hexdigest()


@frozen
class ReadOptions:
    """How files are read.

    Attributes:
        format: None to recognise it by content.
        columns: Wire name (or ``kind``) to column or field; None for the names in the file.
        kind: Kind of all plays; None if the file has it. A file is not resumed as another kind.
        first_line: Line to begin with, in place of the checkpoint.
    """

    format: Format | None = None
    columns: Mapping[str, str] | None = None
    kind: LogKind | None = None
    first_line: int | None = None
