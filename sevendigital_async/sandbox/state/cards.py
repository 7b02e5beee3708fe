"""Payment cards: never more of a number than its last four digits."""

from __future__ import annotations

import enum
from datetime import date
from typing import Any

from attrs import Factory, define, evolve, frozen

_BRANDS = {"34": "amex", "37": "amex", "4": "visa", "5": "mastercard", "6": "discover"}

CARD_TYPES = ("visa", "mastercard", "amex", "discover")


class CardProblem(enum.IntEnum):
    """Why a card cannot be charged; the value is the service's error code."""

    EXPIRED = 3001
    MISSING = 3002
    DECLINED = 3003


_FAILING_CARDS = {"0069": CardProblem.EXPIRED, "0002": CardProblem.DECLINED}
"""Cards that always fail, by their last digits: 4000 0000 0000 0069 and 4000 0000 0000 0002."""


@frozen(kw_only=True)
class Card:
    """A card as far as the sandbox knows it."""

    id: str
    last4: str
    brand: str
    month: int
    year: int

    def problem(self, today: date) -> CardProblem | None:
        """Return why it cannot be charged; None if it can."""
        expired = (self.year, self.month) < (today.year, today.month)
        return CardProblem.EXPIRED if expired else _FAILING_CARDS.get(self.last4)


@frozen
class Registration:
    """How the registration of a card ended; without a card it has failed."""

    id: str
    user: str
    card_id: str | None


@define
class _Wallet:
    cards: list[Card] = Factory(list)
    default: str | None = None


def brand_of(number: str) -> str | None:
    return next((brand for prefix, brand in _BRANDS.items() if number.startswith(prefix)), None)


class Cards:
    """Every user's cards. Each user begins with a valid one, a Visa that ends in 4242."""

    def __init__(self) -> None:
        self._wallets: dict[str, _Wallet] = {}
        self._registrations: dict[str, Registration] = {}

    def of(self, user: str) -> list[Card]:
        return list(self._wallet(user).cards)

    def default_of(self, user: str) -> str | None:
        """Return the id of the card that purchases are charged to."""
        return self._wallet(user).default

    def select(self, user: str, card_id: str) -> bool:
        """Charge purchases to a card; False if the user has no such card."""
        wallet = self._wallet(user)
        if all(card.id != card_id for card in wallet.cards):
            return False
        wallet.default = card_id
        return True

    def delete(self, user: str, card_id: str) -> bool:
        """Delete a card; the one that came last takes its place. False if the user has no such card."""
        wallet = self._wallet(user)
        kept = [card for card in wallet.cards if card.id != card_id]
        if len(kept) == len(wallet.cards):
            return False
        wallet.cards = kept
        if wallet.default == card_id:
            wallet.default = kept[-1].id if kept else None
        return True

    def register(self, user: str, card: Card, today: date) -> Registration:
        """Add a card, unless it has expired, and charge purchases to it from now on."""
        number = len(self._registrations) + 1
        accepted = (card.year, card.month) >= (today.year, today.month)
        registration = Registration(f"cardreg-{number}", user, f"card-{number}" if accepted else None)
        self._registrations[registration.id] = registration
        if registration.card_id is not None:
            wallet = self._wallet(user)
            wallet.cards.append(evolve(card, id=registration.card_id))
            wallet.default = registration.card_id
        return registration

    def start_registration(self, user: str) -> Registration:
        """Begin a registration whose form the card's owner fills in; its card is a Visa, charged from now on."""
        return self.register(user, Card(id="", last4="1111", brand="visa", month=12, year=2099), date.min)

    def find_registration(self, user: str, id_: str) -> Registration | None:
        found = self._registrations.get(id_)
        return found if found and found.user == user else None

    def charge(self, user: str, today: date) -> CardProblem | None:
        """Charge the user's chosen card, or return why not; a card that is declined is no longer the chosen one."""
        wallet = self._wallet(user)
        card = next((card for card in wallet.cards if card.id == wallet.default), None)
        problem = card.problem(today) if card else CardProblem.MISSING
        if problem is CardProblem.DECLINED:
            wallet.default = None
        return problem

    def tree(self) -> dict[str, Any]:
        return {
            user: [
                {"cardId": card.id, "last4": card.last4, "isDefault": card.id == wallet.default}
                for card in wallet.cards
            ]
            for user, wallet in self._wallets.items()
        }

    def _wallet(self, user: str) -> _Wallet:
        if user not in self._wallets:
            first = Card(id="card-0", last4="4242", brand="visa", month=12, year=2099)
            self._wallets[user] = _Wallet([first], first.id)
        return self._wallets[user]
