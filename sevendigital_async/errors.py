"""Every exception this package raises.

::

    SevenDigitalError
    ├── ConfigurationError            settings or life cycle: nothing was sent
    ├── InvalidArgumentError          an argument was refused before anything was sent (a ValueError)
    ├── UnsupportedOperationError     the chosen dialect has no such operation
    ├── TransportError                no usable response arrived; ``maybe_sent`` says what that means
    │   ├── ConnectError              refused, DNS, TLS: surely not sent
    │   ├── DisconnectedError         the connection broke after sending began
    │   ├── RequestTimeoutError       no complete response in time (a TimeoutError)
    │   ├── UnreadableResponseError   the response can't be read, or does not acknowledge what was sent
    │   ├── ShortCountError           the service acknowledged fewer items than were sent
    │   └── ResponseTooLargeError     the response exceeded ``max_response_bytes``
    ├── DownloadError                 media arrived incomplete, or could not be written
    ├── DecodeError                   a response arrived that does not fit its model
    ├── APIError                      the service answered with an error
    │   ├── AuthenticationError       401: key, secret, token or signature
    │   │   └── ClockSkewError        401 about the timestamp; the clock offset has been learned
    │   ├── PermissionDeniedError     403: the key may not do this
    │   ├── InvalidRequestError       1xxx, 400, 413, 422
    │   │   └── BatchError            1008: items of a batch were refused, see ``errors``
    │   ├── NotFoundError             2001, 404
    │   ├── NotAvailableError         2002: exists, but not here or not now
    │   │   └── SimultaneousStreamsError  3201: the user is streaming elsewhere
    │   ├── AlreadyExistsError        2003
    │   ├── PaymentError              3xxx: user, card and payment errors
    │   │   ├── CardError             3001, 3002, 3005, 3103, 3104: expired, missing, of the wrong country, not added
    │   │   ├── PaymentFailedError    3003, 3100 to 3102: the payment failed or was declined
    │   │   ├── PriceChangedError     3004: the price has changed
    │   │   ├── VoucherError          3012: the voucher can't be applied
    │   │   └── RefundError           3017, 3105, 3106, 3107, 7102: refunded already, not allowed, declined or failed
    │   ├── RateLimitError            429, or a spent quota noticed before sending
    │   ├── RedirectError             a redirect where none is expected
    │   └── ServerError               408, 421, 425, 5xx, 7xxx, 9xxx
    │       └── GatewayError          a proxy or gateway answered in place of the service
    └── ShipperError
        ├── InvalidLogError           a play that the API would refuse (a ValueError)
        ├── SpoolError                the spool can't be used: missing, no permission, foreign or of another version
        │   ├── SpoolFullError        the spool is full, and the caller asked not to wait
        │   ├── SpoolInUseError       another shipper has it open
        │   ├── SpoolCorruptionError  its content is damaged; the file is left as it is
        │   ├── SpoolUnavailableError  its server or disk is unavailable, and the caller asked not to wait
        │   └── LeaseLostError        another worker has taken over a batch of this one
        ├── ShipperClosedError        ``put`` after ``aclose``
        └── ShipperFailedError        a background task died; the cause is chained

No message, repr or attribute carries a secret, a token or a signature; the one exception is ``DecodeError.body``, an
response that could not be read.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from .account_quota import RateLimit


class SevenDigitalError(Exception):
    """Root of all errors raised by this package.

    Attributes:
        operation: Dotted name of the operation, such as ``classic.releases.search``; None without a call.
        status: HTTP status of the response; None if none arrived, or it is not known.
        trace_id: The request's id in the service's own records (``x-7d-traceid``); None if it has none.
        advice: What to do next, where a repeated call could do harm.
        maybe_sent: True if the service may have received the request and acted on it; False if it certainly has not,
            or has said so.
    """

    operation: str | None = None
    status: int | None = None
    maybe_sent: bool = False
    trace_id: str | None = None
    advice: str | None = None

    def __str__(self) -> str:
        return f"{self._description()}; {self.advice}" if self.advice else self._description()

    def _description(self) -> str:
        return Exception.__str__(self)


class ConfigurationError(SevenDigitalError):
    """Invalid settings, or a client used while it is closed or in another event loop."""


class InvalidArgumentError(SevenDigitalError, ValueError):
    """An argument that the API does not allow; raised before anything is sent.

    Attributes:
        argument: Name of the argument, as the caller spelled it.
    """

    def __init__(self, message: str, *, argument: str | None = None) -> None:
        super().__init__(message)
        self.argument = argument


class UnsupportedOperationError(SevenDigitalError):
    """The dialect in use has no such operation."""


class TransportError(SevenDigitalError):
    """No usable response arrived.

    Attributes:
        maybe_sent: True when the service may have received, and acted on, the request.
        answered: True when a response arrived, or began to, so that the same request may get the same response again.
    """

    maybe_sent: bool = True
    answered: bool = False

    def __init__(
        self,
        message: str,
        *,
        operation: str | None = None,
        status: int | None = None,
        maybe_sent: bool | None = None,
    ) -> None:
        super().__init__(message)
        self.operation = operation
        self.status = status
        if maybe_sent is not None:
            self.maybe_sent = maybe_sent


class ConnectError(TransportError):
    """No connection: refused, unknown host or TLS failure. The request never left."""

    maybe_sent: bool = False


class DisconnectedError(TransportError):
    """The connection broke after sending had begun."""


class RequestTimeoutError(TransportError, TimeoutError):
    """No complete response, body included, within the time allowed."""


class UnreadableResponseError(TransportError):
    """A response that is not valid HTTP, can't be decompressed, or does not acknowledge what was sent."""

    answered = True


class ShortCountError(TransportError):
    """The service acknowledged fewer items than were sent, without saying which, or did not say how many."""

    answered = True


class ResponseTooLargeError(TransportError):
    """The response was larger than ``max_response_bytes`` and was not read to its end."""


class DownloadError(SevenDigitalError):
    """Media arrived incomplete or wrong, or could not be written; what was verified is kept for the next call."""

    maybe_sent: bool = True


class DecodeError(SevenDigitalError):
    """A response that does not fit its model. What was requested may have been carried out.

    Attributes:
        path: Where in the response, such as ``$.release.price.amount``.
        body: The raw response, for example to find the number of a purchase; empty if not kept. It may contain tokens
            and users' data, so it is in no message and no repr; treat it as confidential.
    """

    maybe_sent: bool = True

    def __init__(
        self,
        message: str,
        *,
        operation: str | None = None,
        path: str | None = None,
        status: int | None = None,
        body: bytes = b"",
    ) -> None:
        super().__init__(message)
        self.operation = operation
        self.path = path
        self.status = status
        self.body = body


@frozen
class ItemError:
    """What the service says about one item of a refused batch (code 1008).

    Attributes:
        index: Position of the item in the request, from zero; None when the service gave none.
        code: The service's error code.
        message: The service's own message.
    """

    index: int | None
    code: int | None
    message: str


class APIError(SevenDigitalError):
    """The service answered with an error.

    Attributes:
        message: The service's own message.
        code: The service's error code (1xxx input, 2xxx resource, 3xxx user and payment, 7xxx and 9xxx server).
        status: HTTP status of the response; None if the error was found before sending.
        operation: Dotted name of the operation.
        errors: Per-item errors of a refused batch.
        rate_limit: The quota as the response stated it.
        retry_after: Seconds the service asked to wait, if it did.
        maybe_sent: True when the request may have been carried out all the same.
        in_service_form: Whether the response has the format of the service's own errors; False for a page, text or JSON
            that a proxy may have written. The default is whether there is a code.
    """

    def __init__(
        self,
        message: str,
        *,
        code: int | None = None,
        status: int | None = None,
        operation: str | None = None,
        errors: Sequence[ItemError] = (),
        rate_limit: RateLimit | None = None,
        retry_after: float | None = None,
        maybe_sent: bool = False,
        in_service_form: bool | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.status = status
        self.operation = operation
        self.errors: tuple[ItemError, ...] = tuple(errors)
        self.rate_limit = rate_limit
        self.retry_after = retry_after
        self.maybe_sent = maybe_sent
        self.in_service_form: bool = code is not None if in_service_form is None else in_service_form

    def _description(self) -> str:
        facts = [
            *([f"code {self.code}"] if self.code is not None else []),
            *([f"HTTP {self.status}"] if self.status is not None else []),
        ]
        where = f"{self.operation}: " if self.operation else ""
        return f"{where}{self.message}" + (f" ({', '.join(facts)})" if facts else "")


class AuthenticationError(APIError):
    """Key, secret, token or signature were not accepted."""


class ClockSkewError(AuthenticationError):
    """The timestamp was refused; the offset to the service's clock has been learned, so another try may pass."""


class PermissionDeniedError(APIError):
    """The key is known, but may not do this."""


class InvalidRequestError(APIError):
    """The service refused the request as invalid."""


class BatchError(InvalidRequestError):
    """Items of a batch were refused; ``errors`` says which and why."""


class NotFoundError(APIError):
    """No such resource, or not in this territory."""


class NotAvailableError(APIError):
    """The resource exists, but is not available in this context."""


class AlreadyExistsError(APIError):
    """The resource to be created exists already."""


class PaymentError(APIError):
    """An error about the user, the card or the payment."""


class CardError(PaymentError):
    """The user's card is missing, expired or of the wrong country, or could not be added."""


class PaymentFailedError(PaymentError):
    """The payment failed or was declined."""


class PriceChangedError(PaymentError):
    """The price that was sent is no longer the item's price; fetch the new one and ask the user."""


class VoucherError(PaymentError):
    """The voucher can't be applied."""


class RefundError(PaymentError):
    """The refund was made already, is not allowed, or failed."""


class SimultaneousStreamsError(NotAvailableError):
    """The user is streaming on another device; access is refused for a while."""


class RateLimitError(APIError):
    """A request quota is spent; ``retry_after`` gives the seconds until it is renewed."""


class RedirectError(APIError):
    """The service redirected a call where no redirect is expected."""


class ServerError(APIError):
    """The service failed, or could not take the request now."""


class GatewayError(ServerError):
    """A proxy or gateway answered in place of the service; the service's own response, if any, is lost."""


class ShipperError(SevenDigitalError):
    """Root of the errors of the play-log shipper."""


class InvalidLogError(ShipperError, ValueError):
    """A play that the API would refuse; it was not accepted.

    Attributes:
        field: The field at fault.
        index: Position in the sequence given to ``put_many``, from zero.
    """

    def __init__(self, message: str, *, field: str | None = None, index: int | None = None) -> None:
        super().__init__(message)
        self.field = field
        self.index = index


class SpoolError(ShipperError):
    """The spool can't be used; the message says why and what to do. Its content is left as it is."""


class SpoolFullError(SpoolError):
    """The spool is full and the caller asked not to wait; the play was not accepted."""


class SpoolInUseError(SpoolError):
    """Another shipper has the spool open; only one may at a time."""


class SpoolCorruptionError(SpoolError):
    """The spool's content is damaged; the file is left as it is for inspection."""


class SpoolUnavailableError(SpoolError):
    """The spool's server or disk is unavailable at the moment; the play was not accepted."""


class LeaseLostError(SpoolError):
    """This worker's lease of a batch has ended.

    Either it expired and another worker took the batch over, or a cancelled put withdrew plays from it before they were
    sent.
    """


class ShipperClosedError(ShipperError):
    """The shipper is closed or closing; the play was not accepted."""


class ShipperFailedError(ShipperError):
    """A background task of the shipper has ended; ``__cause__`` says why. What was accepted is still in the spool."""
