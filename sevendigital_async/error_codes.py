"""The exception and the effective status of an error response, by the service's code, else by the HTTP status."""

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
    **dict.fromkeys((3017, 3105, 3106, 3107, 7102), RefundError),
    3201: SimultaneousStreamsError,
}
"""Codes that mean the same at every endpoint; for other codes, the thousands decide."""

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
    408: ServerError,
    421: ServerError,
    425: ServerError,
    429: RateLimitError,
}

INPUT_ERROR_THOUSAND = 1
"""The thousand of the codes about invalid input."""

_REFUSAL_STATUSES = {400, 413, 422}

_STATUS_BY_ERROR = {AuthenticationError: 401, PermissionDeniedError: 403, RateLimitError: 429}


def error_type(status: int, code: int | None) -> type[APIError]:
    """Choose the class for an error response.

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


def is_service_code(code: int | None) -> bool:
    """Return whether the service's documents have this code."""
    return code is not None and code // 1000 in ERRORS_BY_THOUSAND


def effective_status(error: APIError) -> int:
    """Return the effective status of a response, including what its body reports; see :mod:`.status_codes`."""
    status = error.status or 0
    thousand = 0 if error.code is None else error.code // 1000
    decided = next((status for kind, status in _STATUS_BY_ERROR.items() if isinstance(error, kind)), None)
    if decided is not None:
        return decided
    if isinstance(error, ServerError):
        return 503 if status < 400 or ERRORS_BY_THOUSAND.get(thousand) is ServerError else status  # noqa: PLR2004
    if thousand == INPUT_ERROR_THOUSAND and error.in_service_form:
        return status if status in _REFUSAL_STATUSES else 400
    # An error in a success response, or a failure without one: the thing does not exist.
    return status if 300 <= status < 500 else 404  # noqa: PLR2004
