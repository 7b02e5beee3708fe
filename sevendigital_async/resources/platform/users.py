"""Accounts of the partner's users."""

from __future__ import annotations

from ...models import User
from ...operations.platform import users as ops
from .. import checks
from ..resource import Resource


class Users(Resource):
    """Methods of ``client.platform.users``."""

    async def create(
        self,
        *,
        email: str | None = None,
        password: str | None = None,
        country: str,
        first_name: str | None = None,
        last_name: str | None = None,
        user_id: str | None = None,
    ) -> User:
        """Open an account for a user.

        Args:
            email: The user's e-mail address; required, except in the live dialect, which stores none.
            password: The password to sign in with; also required.
            country: ISO 3166-1 alpha-2 code of where the user lives.
            first_name: Given name.
            last_name: Family name.
            user_id: The partner's own name for the user, for good; only in the live dialect, which requires it.

        Raises:
            AlreadyExistsError: There is an account with this address.

        API: ``POST /users``
        """
        checks.non_empty("email", email)
        return await self._one(
            User,
            ops.CREATE_USER,
            email=email,
            password=password,
            country=country,
            first_name=first_name,
            last_name=last_name,
            user_id=user_id,
        )
