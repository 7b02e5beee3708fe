"""Prices."""

from __future__ import annotations

from decimal import Decimal

from attrs import frozen

from .wire import TEXT, wire


@frozen(kw_only=True)
class Price:
    """What something costs in one territory.

    Attributes:
        amount: The price; None if the thing is not sold by itself, zero if it is free.
        currency: ISO 4217 code.
        currency_symbol: As shoppers write it.
        formatted_price: Ready to show; ``N/A`` where there is no amount.
        rrp: The recommended retail price.
        formatted_rrp: The same, ready to show.
        on_sale: Whether the price is reduced at the moment.
    """

    amount: Decimal | None = wire("amount", "value", "sevendigitalPrice", TEXT)
    currency: str | None = wire("currencyCode", "currency.code", "currency")
    currency_symbol: str | None = wire("currencySymbol", f"currency.{TEXT}", "currency.text", "currency.symbol")
    formatted_price: str | None = wire("formattedPrice", "formattedAmount")
    rrp: Decimal | None = wire("rrp", "recommendedRetailPrice")
    formatted_rrp: str | None = None
    on_sale: bool | None = wire("onSale", "isOnSale")
