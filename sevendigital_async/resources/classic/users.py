"""The partner's users in the classic API."""

from __future__ import annotations

from ...models import User
from ...operations.classic import users as ops
from .. import checks
from ..resource import ClassicResource


class Users(ClassicResource):
    """Methods of ``client.classic.users``."""

    async def find(self, *, email: str | None = None) -> tuple[User, ...]:
        """Find users among the partner's.

        Args:
            email: Only those with this address.

        API: ``GET /1.2/users``
        """
        return await self._all(User, ops.FIND_USERS, email=email)

    async def update(
        self,
        id: str,
        *,
        email: str | None = None,
        first_name: str | None = None,
        last_name: str | None = None,
        country: str | None = None,
        password: str | None = None,
    ) -> User:
        """Change a user's profile; what is left out stays as it is.

        Args:
            id: Whose it is.
            email: The user's address.
            first_name: Given name.
            last_name: Family name.
            country: ISO 3166-1 alpha-2 code of where the user lives.
            password: A new one; in the live dialect only.

        Returns:
            The user as changed.

        Raises:
            InvalidArgumentError: There is nothing to change.
            NotFoundError: No such user.

        API: ``PUT /1.2/users/{id}/update``
        """
        profile = {
            "email": email,
            "first_name": first_name,
            "last_name": last_name,
            "country": country,
            "password": password,
        }
        checks.require_change(**profile)
        return await self._one(User, ops.UPDATE_USER, id=id, **profile)
