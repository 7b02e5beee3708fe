"""An asyncio client for the 7digital / MassiveMusic music API, with a reliable play-log shipper."""

from ._version import __version__

TYPE_CHECKING = False  # for type checkers; importing typing takes longer than the rest of this file

if TYPE_CHECKING:
    from .account_quota import RateLimit
    from .client import ApiClient, SevenDigital
    from .config import (
        NO_RETRY,
        Credentials,
        Dialect,
        Host,
        RetryPolicy,
        Settings,
        SignaturePlacement,
        Timeout,
        UserToken,
    )
    from .errors import (
        AlreadyExistsError,
        APIError,
        AuthenticationError,
        BatchError,
        CardError,
        ClockSkewError,
        ConfigurationError,
        ConnectError,
        DecodeError,
        DisconnectedError,
        DownloadError,
        GatewayError,
        InvalidArgumentError,
        InvalidLogError,
        InvalidRequestError,
        ItemError,
        LeaseLostError,
        NotAvailableError,
        NotFoundError,
        PaymentError,
        PaymentFailedError,
        PermissionDeniedError,
        PriceChangedError,
        RateLimitError,
        RedirectError,
        RefundError,
        RequestTimeoutError,
        ResponseTooLargeError,
        ServerError,
        SevenDigitalError,
        ShipperClosedError,
        ShipperError,
        ShipperFailedError,
        ShortCountError,
        SimultaneousStreamsError,
        SpoolCorruptionError,
        SpoolError,
        SpoolFullError,
        SpoolInUseError,
        SpoolUnavailableError,
        TransportError,
        UnreadableResponseError,
        UnsupportedOperationError,
        VoucherError,
    )
    from .models import EndReason, LogKind, Page, PlayMode, PlayType, StreamLog
    from .operations import Operation
    from .resources.media_handle import MediaHandle
    from .resources.resource import Pages
    from .session.cache import ResponseCache
    from .session.media import MediaResponse
    from .session.observation import CallTracer, RequestHook, RequestInfo, ResponseHook, ResponseInfo
    from .session.response import Response
    from .shipping import Checkpoint, DeadLetter, Delivery, MemorySpool, Statistics, StreamLogShipper
else:
    # In this order, looking up a name imports no module that it does not need.
    _MODULES = (
        "errors",
        "account_quota",
        "config",
        "models",
        "session.cache",
        "session.response",
        "shipping",
        "operations",
        "session.observation",
        "session.media",
        "client",
        "resources.media_handle",
        "resources.resource",
    )

    def __getattr__(name: str) -> object:
        """Import a public name at its first use: `sevendigital --version` needs no HTTP client."""
        from importlib import import_module  # noqa: PLC0415 - as above

        if name in _MODULES:
            return import_module(f".{name}", __name__)
        if name in __all__:
            for module in _MODULES:
                if name in (names := vars(import_module(f".{module}", __name__))):
                    return globals().setdefault(name, names[name])
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "NO_RETRY",
    "APIError",
    "AlreadyExistsError",
    "ApiClient",
    "AuthenticationError",
    "BatchError",
    "CallTracer",
    "CardError",
    "Checkpoint",
    "ClockSkewError",
    "ConfigurationError",
    "ConnectError",
    "Credentials",
    "DeadLetter",
    "DecodeError",
    "Delivery",
    "Dialect",
    "DisconnectedError",
    "DownloadError",
    "EndReason",
    "GatewayError",
    "Host",
    "InvalidArgumentError",
    "InvalidLogError",
    "InvalidRequestError",
    "ItemError",
    "LeaseLostError",
    "LogKind",
    "MediaHandle",
    "MediaResponse",
    "MemorySpool",
    "NotAvailableError",
    "NotFoundError",
    "Operation",
    "Page",
    "Pages",
    "PaymentError",
    "PaymentFailedError",
    "PermissionDeniedError",
    "PlayMode",
    "PlayType",
    "PriceChangedError",
    "RateLimit",
    "RateLimitError",
    "RedirectError",
    "RefundError",
    "RequestHook",
    "RequestInfo",
    "RequestTimeoutError",
    "Response",
    "ResponseCache",
    "ResponseHook",
    "ResponseInfo",
    "ResponseTooLargeError",
    "RetryPolicy",
    "ServerError",
    "Settings",
    "SevenDigital",
    "SevenDigitalError",
    "ShipperClosedError",
    "ShipperError",
    "ShipperFailedError",
    "ShortCountError",
    "SignaturePlacement",
    "SimultaneousStreamsError",
    "SpoolCorruptionError",
    "SpoolError",
    "SpoolFullError",
    "SpoolInUseError",
    "SpoolUnavailableError",
    "Statistics",
    "StreamLog",
    "StreamLogShipper",
    "Timeout",
    "TransportError",
    "UnreadableResponseError",
    "UnsupportedOperationError",
    "UserToken",
    "VoucherError",
    "__version__",
]
