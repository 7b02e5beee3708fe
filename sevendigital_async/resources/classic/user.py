"""One user of the classic API."""

from __future__ import annotations

from ...models import SubscriptionState, SubscriptionStatus
from ...models import User as UserModel
from ...operations.classic import user as ops
from .cards import Cards
from .purchases import Purchases


class User(Purchases, Cards):
    """Methods of ``client.classic.user``.

    Most of them act for a user: call them on ``client.as_user(token)``.
    """

    async def unlimited_streaming(self, *, user_id: str | None = None) -> SubscriptionStatus:
        """Fetch the state of the user's subscription.

        Args:
            user_id: The partner's id of the user, in place of a user's token; live dialect only.

        Raises:
            NotFoundError: The user has never had one.

        API: ``GET /1.2/user/unlimitedStreaming``
        """
        return await self._one(SubscriptionStatus, ops.GET_USER_UNLIMITED_STREAMING, user_id=user_id)

    async def update_unlimited_streaming(self, user_id: str, *, status: SubscriptionState | str) -> SubscriptionStatus:
        """Begin, renew or end a user's subscription.

        The live service requires more than this: there, ``client.platform.subscriptions.create`` does it.

        Args:
            user_id: The user's id.
            status: ``active``, ``cancelled`` or ``expired``.

        Returns:
            The subscription after the call.

        Raises:
            NotFoundError: No such user.

        API: ``POST /1.2/user/unlimitedStreaming``
        """
        return await self._one(SubscriptionStatus, ops.UPDATE_USER_UNLIMITED_STREAMING, user_id=user_id, status=status)

    async def signup(
        self,
        email: str,
        *,
        password: str,
        country: str,
        first_name: str | None = None,
        last_name: str | None = None,
    ) -> UserModel:
        """Open an account that has a password.

        Args:
            email: The user's address.
            password: The password to sign in with; it is in no log line and no error.
            country: ISO 3166-1 alpha-2 code of where the user lives.
            first_name: Given name.
            last_name: Family name.

        Returns:
            The user, with a ``token`` to act as.

        Raises:
            AlreadyExistsError: There is an account with that address.

        API: ``POST /1.2/user/signup``
        """
        return await self._one(
            UserModel,
            ops.SIGNUP_USER,
            email=email,
            password=password,
            country=country,
            first_name=first_name,
            last_name=last_name,
        )

    async def create(
        self, email: str | None = None, *, user_id: str | None = None, country: str | None = None
    ) -> UserModel:
        """Open an account that the partner manages.

        Args:
            email: The user's e-mail address; in the OpenAPI dialect only, which requires it.
            user_id: The partner's own id of the user; in the live dialect only, which requires it.
            country: ISO 3166-1 alpha-2 code of where the user lives; in the live dialect only, which requires it.

        Raises:
            AlreadyExistsError: There is such a user.

        API: ``GET /1.2/user/create``
        """
        return await self._one(UserModel, ops.CREATE_USER, email=email, user_id=user_id, country=country)

    async def details(self, user_id: str) -> UserModel:
        """Fetch a user's profile.

        Args:
            user_id: The user's id.

        Raises:
            NotFoundError: No such user.

        API: ``GET /1.2/user/details``
        """
        return await self._one(UserModel, ops.GET_USER_DETAILS, user_id=user_id)

    async def authenticate(self, email: str, *, password: str) -> UserModel:
        """Exchange a user's password for a token.

        Args:
            email: The user's address.
            password: The user's password; it is in no log line and no error.

        Returns:
            The user, with a ``token`` to act as.

        Raises:
            AuthenticationError: Address and password don't match.

        API: ``POST /1.2/user/authenticate``
        """
        return await self._one(UserModel, ops.AUTHENTICATE_USER, email=email, password=password)
