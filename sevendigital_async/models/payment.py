"""Ways to pay."""

from __future__ import annotations

import enum

from attrs import frozen

from .wire import TEXT, called, wire


class CardBrand(enum.StrEnum):
    """The brands the documents name; others stay text."""

    VISA = "visa"
    MASTERCARD = "mastercard"
    AMEX = "amex"
    DISCOVER = "discover"


class CardRegistrationStatus(enum.StrEnum):
    """How far a registration has come; anything else stays text."""

    PENDING = "pending"
    REGISTERED = "registered"
    FAILED = "failed"


@called("card")
@frozen(kw_only=True)
class PaymentCard:
    """A card that a user pays with; never its number.

    Attributes:
        card_id: The service's id for it.
        last4: The number's last four digits.
        brand: Who issued it.
        expiry_month: From 1 to 12.
        expiry_year: All four digits.
        expiry_date: The two in one, year first (``202812``), in the live service's answers.
        cardholder_name: As printed on it.
        country: ISO 3166-1 alpha-2 code of where it was issued.
        is_default: Whether purchases are charged to it.
    """

    card_id: str | None = wire("cardId", "id")
    last4: str | None = wire("last4", "last4digits")
    brand: CardBrand | str | None = wire("brand", "type")
    expiry_month: int | None = None
    expiry_year: int | None = None
    expiry_date: str | None = None
    cardholder_name: str | None = wire("cardholderName", "cardHolderName")
    country: str | None = None
    is_default: bool | None = wire("isDefault", "default")


@frozen(kw_only=True)
class CardRegistration:
    """A card on its way into an account.

    Attributes:
        registration_id: What to ask for again while it is pending.
        status: How far it has come.
        card_id: The card's id, once it is registered.
        card: The card itself, in the live service's answers.
        redirect_url: Where the user goes on with it, in the live service's answers.
    """

    registration_id: str | None = wire("registrationId", "id")
    status: CardRegistrationStatus | str | None = None
    card_id: str | None = wire("cardId", "card.id")
    card: PaymentCard | None = None
    redirect_url: str | None = wire("redirectUrl", repr=False)


@frozen(kw_only=True)
class CardType:
    """A kind of card that is accepted.

    Attributes:
        id: The service's id for it, where it has one.
        name: ``visa``.
    """

    id: str | None = None
    name: str | None = wire("name", "description", TEXT)


@called("expressCheckout")
@frozen(kw_only=True)
class PaypalCheckout:
    """Where a shopper consents to pay for a basket by PayPal.

    Attributes:
        paypal_url: The page to send the shopper to; whoever has it can pay, so it stays out of the repr.
    """

    paypal_url: str | None = wire("paypalUrl", "url", repr=False)
