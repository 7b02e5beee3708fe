"""Accounts of users."""

from __future__ import annotations

from hashlib import sha256
from hmac import compare_digest
from typing import Any

from attrs import evolve, field, frozen

_FIRST_USER = 500_001


@frozen(kw_only=True)
class User:
    """An account; ``digest`` is the hash of the password, None if the partner manages the user."""

    id: str
    email: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    country: str = "GB"
    digest: bytes | None = field(default=None, repr=False)

    def knows(self, password: str) -> bool:
        return self.digest is not None and compare_digest(self.digest, _digest(password))


class Users:
    """Every account. Users known only by their token have an account without details."""

    def __init__(self) -> None:
        self._users: dict[str, User] = {}
        self._opened = 0

    def open(self, email: str, *, password: str | None = None, **particulars: str | None) -> User | None:
        """Return a new account; None if there is one with that address."""
        if self.find(email):
            return None
        self._opened += 1
        digest = None if password is None else _digest(password)
        given = {name: value for name, value in particulars.items() if value is not None}
        user = User(id=str(_FIRST_USER + self._opened - 1), email=email, digest=digest, **given)
        self._users[user.id] = user
        return user

    def find(self, email: str) -> User | None:
        wanted = email.casefold()
        return next((user for user in self._users.values() if user.email and user.email.casefold() == wanted), None)

    def get(self, id_: str) -> User | None:
        return self._users.get(id_)

    def all(self) -> list[User]:
        return list(self._users.values())

    def update(self, id_: str, *, password: str | None = None, **particulars: str) -> User:
        """Change an account's fields, creating it if necessary, and return it."""
        changes: dict[str, Any] = {**particulars}
        if password is not None:
            changes["digest"] = _digest(password)
        user = evolve(self._users.get(id_) or User(id=id_), **changes)
        self._users[id_] = user
        return user

    def tree(self) -> list[dict[str, Any]]:
        return [{"id": user.id, "email": user.email, "country": user.country} for user in self._users.values()]


def _digest(password: str) -> bytes:
    # Passwords here are not real, but they still need not be kept in memory.
    return sha256(password.encode()).digest()
