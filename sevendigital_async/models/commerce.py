"""What users buy and own: baskets, vouchers, payment, purchases and lockers."""

from __future__ import annotations

import enum
from datetime import datetime

from attrs import frozen

from .catalogue import Format, Package, Price, Release, Track
from .wire import ELEMENT_TEXT, aliases, built_from_lists, expects_fields, wire


@frozen(kw_only=True)
class DownloadUrl:
    """A signed address that is good for a while.

    Attributes:
        url: The address, to be used unchanged; it grants access, so it is not in the repr.
        format: The format of the file, in a locker's responses.
        expires_at: Until when it can be used.
    """

    url: str | None = wire("url", "format.url", repr=False)
    format: Format | None = None
    expires_at: datetime | None = None


class BasketItemType(enum.StrEnum):
    """What can be in a basket; anything else stays text."""

    RELEASE = "release"
    TRACK = "track"


@frozen(kw_only=True)
class Discount:
    """A reduction of the price.

    Attributes:
        type: The kind of discount: ``Voucher``.
    """

    type: str | None = wire("type", ELEMENT_TEXT)


@frozen(kw_only=True)
class BasketItem:
    """An item of a basket or of a purchase.

    Attributes:
        item_id: Its number in the basket, with which it can be removed.
        type: A whole release, or a track.
        item_name: Its title.
        artist_name: Whose it is.
        release_id: The release, or the one that the track is on.
        track_id: The track, unless it is a whole release.
        price: The catalogue's price, without discounts.
        amount_due: The amount that is charged for it, and to be displayed.
        discount: The discount, if the two differ.
        package: The package that is bought, if there is a choice.
    """

    item_id: str | None = wire("itemId", "id")
    type: BasketItemType | str | None = None
    item_name: str | None = None
    artist_name: str | None = None
    release_id: str | None = None
    track_id: str | None = None
    price: Price | None = None
    amount_due: Price | None = None
    discount: Discount | None = None
    package: Package | None = None


@frozen(kw_only=True)
class Basket:
    """A shopper's basket.

    Attributes:
        id: The basket's number, a GUID.
        items: What is in it.
        item_count: How many items that is.
        price: The sum of the catalogue's prices, without discounts.
        total: The amount that is charged at the checkout, and to be displayed.
        voucher_code: The voucher that was applied.
    """

    id: str
    items: tuple[BasketItem, ...] = wire("items", "basketItems", default=())
    item_count: int | None = None
    price: Price | None = None
    total: Price | None = wire("total", "amountDue")
    voucher_code: str | None = None

    @property
    def amount_due(self) -> Price | None:
        """The total, under the name of the items' attribute."""
        return self.total


class PaymentStatus(enum.StrEnum):
    """How the payment for a basket ended; anything else stays text."""

    SUCCESS = "success"
    FAILURE = "failure"


@frozen(kw_only=True)
class BasketStatus:
    """Whether a basket has been paid for, in the live service's responses.

    Attributes:
        payment_status: How the payment ended.
    """

    payment_status: PaymentStatus | str | None = None


@aliases("preparePayment")
@frozen(kw_only=True)
class PreparedPurchase:
    """A payment that was started, in the live service's responses.

    Attributes:
        payment_token: Continues the payment at the provider; it allows a payment, so it is not in the repr.
        auto_fulfilled: Whether the purchase is complete without a further step.
        prepared_at: When that was.
    """

    payment_token: str | None = wire("paymentToken", repr=False)
    auto_fulfilled: bool | None = None
    prepared_at: datetime | None = wire("preparedAt", "preparePaymentDate")


class VoucherType(enum.StrEnum):
    """What a voucher's value means; anything else stays text."""

    PERCENTAGE = "percentage"
    FIXED = "fixed"


@frozen(kw_only=True)
class Voucher:
    """A code that reduces the amount due for a basket.

    Attributes:
        code: What the shopper types.
        value: How much it is worth.
        type: Whether that is a share of the price or an amount.
        expires_at: Until when it can be used.
        redeemed: Whether it has been used up.
    """

    code: str | None = wire("code", "voucherCode", "id")
    value: Price | None = None
    type: VoucherType | str | None = None
    expires_at: datetime | None = None
    redeemed: bool | None = None


class CardBrand(enum.StrEnum):
    """The brands the documents name; others stay text."""

    VISA = "visa"
    MASTERCARD = "mastercard"
    AMEX = "amex"
    DISCOVER = "discover"


class CardRegistrationStatus(enum.StrEnum):
    """The state of a registration; anything else stays text.

    It ends as ``REGISTERED`` or ``FAILED`` in the OpenAPI dialect, as ``COMPLETE`` or ``ERROR`` in the live one.
    """

    PENDING = "pending"
    REGISTERED = "registered"
    FAILED = "failed"
    COMPLETE = "complete"
    ERROR = "error"


@aliases("card")
@frozen(kw_only=True)
class PaymentCard:
    """A card that a user pays with; never its number.

    Attributes:
        card_id: The service's id for it.
        last4: The number's last four digits.
        brand: Who issued it.
        expiry_month: From 1 to 12.
        expiry_year: All four digits.
        expiry_date: Both together, year first (``202812``), in the live service's responses.
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
class CardRegistrationFailure:
    """Why a card was not registered.

    Attributes:
        code: The service's error code.
        message: The service's message.
    """

    code: int | None = None
    message: str | None = wire("message", "errorMessage", ELEMENT_TEXT)


@frozen(kw_only=True)
class CardRegistration:
    """The registration of a card.

    Attributes:
        registration_id: The id with which to fetch it while it is pending.
        status: Its state.
        card_id: The card's id, once it is registered.
        card: The card itself, in the live service's responses.
        redirect_url: Where the user continues, in the live service's responses.
        error: Why it failed, if it did, in the live service's responses.
    """

    registration_id: str | None = wire("registrationId", "id")
    status: CardRegistrationStatus | str | None = None
    card_id: str | None = wire("cardId", "card.id")
    card: PaymentCard | None = None
    redirect_url: str | None = wire("redirectUrl", repr=False)
    error: CardRegistrationFailure | None = None


@frozen(kw_only=True)
class CardType:
    """A kind of card that is accepted.

    Attributes:
        id: The service's id for it, where it has one.
        name: ``visa``.
    """

    id: str | None = None
    name: str | None = wire("name", "description", ELEMENT_TEXT)


@aliases("expressCheckout")
@frozen(kw_only=True)
class PaypalCheckout:
    """The checkout of a basket with PayPal.

    Attributes:
        paypal_url: The page that the shopper opens; it allows a payment, so it is not in the repr.
    """

    paypal_url: str | None = wire("paypalUrl", "url", repr=False)


@frozen(kw_only=True)
class LockerTrack:
    """A track that the user owns.

    Attributes:
        track: The track itself.
        remaining_downloads: How often it can still be fetched; None if that is not limited or it has been
            withdrawn. Streaming doesn't count.
        purchase_id: The purchase it came with.
        purchase_date: When that was.
        complete_album_purchase: Whether the whole release was bought.
        download_urls: Where to fetch it, an address for each format.
    """

    track: Track | None = None
    remaining_downloads: int | None = None
    purchase_id: str | None = None
    purchase_date: datetime | None = None
    complete_album_purchase: bool | None = None
    download_urls: tuple[DownloadUrl, ...] = ()


@built_from_lists(releases="release", tracks="lockerTracks.track")
@frozen(kw_only=True)
class LockerRelease:
    """A release of which the user owns something.

    Where a response lists releases and single tracks side by side, each of them is one of these.

    Attributes:
        release: The release; None for a track without one.
        tracks: What the user owns of it; empty if the response does not list them.
        available: Whether it can still be downloaded; None if the response does not say.
    """

    release: Release | None = wire("release", "lockerTracks.track.release")
    tracks: tuple[LockerTrack, ...] = wire("lockerTracks", default=())
    available: bool | None = None


class PurchaseStatus(enum.StrEnum):
    """The state of a purchase; anything else stays text."""

    COMPLETED = "completed"
    PENDING = "pending"
    FAILED = "failed"


@expects_fields("purchase_id")
@frozen(kw_only=True)
class Purchase:
    """What was bought or delivered.

    A response without an id is no error, because the purchase was made and the rest of the response counts, such as
    its status and the download addresses; one log line reports it. An id that can't be read is a `DecodeError`, whose
    ``body`` has it.

    Attributes:
        purchase_id: The service's number for it, which reports and refunds require. None if the response lacks it,
            with the log line ``event="field-unreadable"``: ask the service for it.
        status: Its state.
        purchase_date: When it was made.
        total: What was charged.
        items: What was bought.
        locker_releases: The items in the user's locker, with download addresses.
        receipt_url: Where the receipt can be seen.
        delivery_url: The download address, in responses to a delivery; it grants access, so it
            stays out of the repr.
    """

    purchase_id: str | None = wire("purchaseId", "id")
    status: PurchaseStatus | str | None = None
    purchase_date: datetime | None = None
    total: Price | None = None
    items: tuple[BasketItem, ...] = ()
    locker_releases: tuple[LockerRelease, ...] = ()
    receipt_url: str | None = None
    delivery_url: str | None = wire("deliveryUrl", repr=False)
