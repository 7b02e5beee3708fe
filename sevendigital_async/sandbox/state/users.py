"""Accounts of users."""

from __future__ import annotations

from hashlib import sha256
from hmac import compare_digest
from typing import Any

from attrs import evolve, field, frozen

_FIRST_USER_ID = 500_001


@frozen(kw_only=True)
class User:
    """An account; ``password_hash`` is None if the partner manages the user."""

    id: str
    email: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    country: str = "GB"
    password_hash: bytes | None = field(default=None, repr=False)

    def has_password(self, password: str) -> bool:
        return self.password_hash is not None and compare_digest(self.password_hash, _hash_password(password))


class Users:
    """Every account. Users known only by their token have an account without details."""

    def __init__(self) -> None:
        self._users: dict[str, User] = {}
        self._created_count = 0

    def create(self, email: str, *, password: str | None = None, **fields: str | None) -> User | None:
        """Return a new account; None if there is one with that address."""
        if self.find(email):
            return None
        self._created_count += 1
        digest = None if password is None else _hash_password(password)
        given = {name: value for name, value in fields.items() if value is not None}
        user = User(id=str(_FIRST_USER_ID + self._created_count - 1), email=email, password_hash=digest, **given)
        self._users[user.id] = user
        return user

    def find(self, email: str) -> User | None:
        wanted = email.casefold()
        return next((user for user in self._users.values() if user.email and user.email.casefold() == wanted), None)

    def get(self, id_: str) -> User | None:
        return self._users.get(id_)

    def all(self) -> list[User]:
        return list(self._users.values())

    def update(self, id_: str, *, password: str | None = None, **fields: str) -> User:
        """Change an account's fields, creating it if necessary, and return it."""
        changes: dict[str, Any] = {**fields}
        if password is not None:
            changes["password_hash"] = _hash_password(password)
        user = evolve(self._users.get(id_) or User(id=id_), **changes)
        self._users[id_] = user
        return user

    def tree(self) -> list[dict[str, Any]]:
        return [{"id": user.id, "email": user.email, "country": user.country} for user in self._users.values()]


def _hash_password(password: str) -> bytes:
    # Passwords here are not real, but they still need not be kept in memory.
    return sha256(password.encode()).digest()
