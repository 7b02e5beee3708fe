"""Who issues a release, and who licenses it."""

from __future__ import annotations

from attrs import frozen

from .wire import TEXT, wire


@frozen(kw_only=True)
class Label:
    """The brand a release is issued under.

    Attributes:
        id: The catalogue's number; None where the answer gives the bare name.
        name: The label's name.
    """

    id: str | None = None
    name: str | None = wire("name", TEXT)


@frozen(kw_only=True)
class Licensor:
    """The company that controls the recording rights.

    Attributes:
        id: The catalogue's number.
        name: The licensor's name.
    """

    id: str | None = None
    name: str | None = wire("name", TEXT)
