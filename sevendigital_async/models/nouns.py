"""All models; whoever needs only a few imports their files, and builds no others."""

from .artist import Artist
from .availability import Download, Package, Streaming
from .basket import Basket, BasketItem, BasketItemType, Discount
from .batch import BatchItemError, ReleaseBatch, TrackBatch
from .country import Country
from .device import DeviceAuthorisation, DevicePlatform, DeviceStatus
from .download_url import DownloadUrl
from .editorial import EditorialItem, EditorialText, EditorialType
from .label import Label, Licensor
from .listing import ChartChange, Listing
from .locker import LockerRelease, LockerTrack
from .media_format import Format
from .oauth_token import OAuthToken
from .page import Page
from .payment import CardBrand, CardRegistration, CardRegistrationStatus, CardType, PaymentCard, PaypalCheckout
from .playlist import Playlist, PlaylistGroup, PlaylistTrack, PlaylistTrackInput, Visibility
from .price import Price
from .purchase import Purchase, PurchaseStatus
from .radio import PlaybackEvent, PlaybackEventType, RadioSession, RadioTrack, Ruleset
from .release import Release, ReleaseType
from .service import ServiceStatus
from .stream_log import EndReason, LogKind, PlayMode, PlayType, StreamLog
from .subscription import Subscription
from .subscription_status import SubscriptionState, SubscriptionStatus
from .tag import Tag
from .track import Track, TrackType
from .translation_bundle import TranslationBundle
from .usage_type import UsageType
from .user import User
from .voucher import Voucher, VoucherType

__all__ = [
    "Artist",
    "Basket",
    "BasketItem",
    "BasketItemType",
    "BatchItemError",
    "CardBrand",
    "CardRegistration",
    "CardRegistrationStatus",
    "CardType",
    "ChartChange",
    "Country",
    "DeviceAuthorisation",
    "DevicePlatform",
    "DeviceStatus",
    "Discount",
    "Download",
    "DownloadUrl",
    "EditorialItem",
    "EditorialText",
    "EditorialType",
    "EndReason",
    "Format",
    "Label",
    "Licensor",
    "Listing",
    "LockerRelease",
    "LockerTrack",
    "LogKind",
    "OAuthToken",
    "Package",
    "Page",
    "PaymentCard",
    "PaypalCheckout",
    "PlayMode",
    "PlayType",
    "PlaybackEvent",
    "PlaybackEventType",
    "Playlist",
    "PlaylistGroup",
    "PlaylistTrack",
    "PlaylistTrackInput",
    "Price",
    "Purchase",
    "PurchaseStatus",
    "RadioSession",
    "RadioTrack",
    "Release",
    "ReleaseBatch",
    "ReleaseType",
    "Ruleset",
    "ServiceStatus",
    "StreamLog",
    "Streaming",
    "Subscription",
    "SubscriptionState",
    "SubscriptionStatus",
    "Tag",
    "Track",
    "TrackBatch",
    "TrackType",
    "TranslationBundle",
    "UsageType",
    "User",
    "Visibility",
    "Voucher",
    "VoucherType",
]
