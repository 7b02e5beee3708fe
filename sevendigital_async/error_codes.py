"""Which exception an error answer becomes: by the service's code, else by the HTTP status."""

from __future__ import annotations

from .errors import (
    AlreadyExistsError,
    APIError,
    AuthenticationError,
    BatchError,
    CardError,
    InvalidRequestError,
    NotAvailableError,
    NotFoundError,
    PaymentError,
    PaymentFailedError,
    PermissionDeniedError,
    PriceChangedError,
    RateLimitError,
    RedirectError,
    RefundError,
    ServerError,
    SimultaneousStreamsError,
    VoucherError,
)

ERRORS_BY_CODE: dict[int, type[APIError]] = {
    1008: BatchError,
    2001: NotFoundError,
    2002: NotAvailableError,
    2003: AlreadyExistsError,
    **dict.fromkeys((3001, 3002, 3005, 3103, 3104), CardError),
    **dict.fromkeys((3003, 3100, 3101, 3102), PaymentFailedError),
    3004: PriceChangedError,
    3012: VoucherError,
    **dict.fromkeys((3017, 3105, 3106, 7102), RefundError),
    3201: SimultaneousStreamsError,
}
"""Codes whose meaning is the same at every endpoint; the thousands decide for all others."""

ERRORS_BY_THOUSAND: dict[int, type[APIError]] = {
    1: InvalidRequestError,
    2: NotFoundError,
    3: PaymentError,
    7: ServerError,
    9: ServerError,
}

ERRORS_BY_STATUS: dict[int, type[APIError]] = {
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    429: RateLimitError,
}


def error_type(status: int, code: int | None) -> type[APIError]:
    """Choose the class for an error answer.

    The statuses about identity and quota decide by themselves; elsewhere the service's code knows more than the status.
    """
    if status in {401, 403, 429}:
        return ERRORS_BY_STATUS[status]
    if code is not None:
        by_code = ERRORS_BY_CODE.get(code) or ERRORS_BY_THOUSAND.get(code // 1000)
        if by_code:
            return by_code
    if status >= 500:  # noqa: PLR2004
        return ServerError
    if 300 <= status < 400:  # noqa: PLR2004
        return RedirectError
    return ERRORS_BY_STATUS.get(status, InvalidRequestError)
