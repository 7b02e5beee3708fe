"""What the API's documents say, in this project's own keeping: users don't have the documents.

A row is a method, its operation id, who signs (the key's owner, two or three legs), what repeating it may do (which is
our judgement, made operation by operation), verb, path and arguments by their wire names. ``!`` marks the required ones; those in the path stand there, those after ``form:`` or ``json:``
are fields of the body, all others travel in the query.
"""

# ruff: noqa: E501 - a row of the tables stays on one line

import re

from attrs import frozen

FILES = """\
[classic.releases]
by_date      getReleasesByDate          key  read        GET  /1.2/release/byDate      country page pageSize
details      getReleaseDetails          key  read        GET  /1.2/release/details     releaseId! country
editorial    getReleaseEditorial        key  read        GET  /1.2/release/editorial   releaseId!
chart        getReleaseChart            key  read        GET  /1.2/release/chart       country period page pageSize
recommend    getReleaseRecommendations  key  read        GET  /1.2/release/recommend   releaseId! page pageSize
search       searchReleases             key  read        GET  /1.2/release/search      q! country page pageSize
tracks       getReleaseTracks           key  read        GET  /1.2/release/tracks      releaseId!
tags         getReleaseTags             key  read        GET  /1.2/release/tags        releaseId!
match_by_id  matchReleaseById           2L   read        GET  /1.2/release/match/byId  id!
new_by_tags  getNewReleasesByTags       key  read        GET  /1.2/release/bytag/new   tags! country page pageSize
top_by_tags  getTopReleasesByTags       key  read        GET  /1.2/release/bytag/top   tags! country page pageSize

[classic.artists]
browse       browseArtists        key  read        GET  /1.2/artist/browse      letter! page pageSize
chart        getArtistChart       key  read        GET  /1.2/artist/chart       country period page pageSize
details      getArtistDetails     key  read        GET  /1.2/artist/details     artistId!
releases     getArtistReleases    key  read        GET  /1.2/artist/releases    artistId! type page pageSize
similar      getSimilarArtists    key  read        GET  /1.2/artist/similar     artistId! page pageSize
search       searchArtists        key  read        GET  /1.2/artist/search      q! page pageSize
top_tracks   getArtistTopTracks   key  read        GET  /1.2/artist/topTracks   artistId! page pageSize
tags         getArtistTags        key  read        GET  /1.2/artist/tags        artistId!
match_by_id  matchArtistById      2L   read        GET  /1.2/artist/match/byId  id!
top_by_tags  getTopArtistsByTags  key  read        GET  /1.2/artist/bytag/top   tags! country page pageSize

[classic.tracks]
chart        getTrackChart    key  read        GET  /1.2/track/chart       country period page pageSize
details      getTrackDetails  key  read        GET  /1.2/track/details     trackId! country
search       searchTracks     key  read        GET  /1.2/track/search      q! page pageSize
match_by_id  matchTrackById   2L   read        GET  /1.2/track/match/byId  id!

[classic.tags]
all  getAllTags  key  read        GET  /1.2/tag

[classic.basket]
details                   getBasket                     key  read        GET   /1.2/basket                         basketId!
create                    createBasket                  key  unsafe      GET   /1.2/basket/create
add_item                  addBasketItem                 key  unsafe      GET   /1.2/basket/addItem                 basketId! releaseId trackId
remove_item               removeBasketItem              key  unsafe      GET   /1.2/basket/removeItem              basketId! itemId!
apply_voucher             applyBasketVoucher            2L   unsafe      POST  /1.2/basket/applyVoucher            basketId! form: voucherCode!
add_priced_item           addPricedBasketItem           2L   unsafe      GET   /1.2/basket/addpriceditem           basketId! releaseId price!
paypal_url                getBasketPayPalUrl            key  idempotent  GET   /1.2/basket/paypalurl               basketId!
complete_paypal_purchase  completeBasketPayPalPurchase  3L   unsafe      POST  /1.2/basket/completepaypalpurchase  basketId! form: payerId! token!

[classic.user]
unlimited_streaming         getUserUnlimitedStreaming     3L  read        GET   /1.2/user/unlimitedStreaming
update_unlimited_streaming  updateUserUnlimitedStreaming  2L  unsafe      POST  /1.2/user/unlimitedStreaming             form: userId! status!
locker                      getUserLocker                 3L  read        GET   /1.2/user/locker                         page pageSize
purchase_item               purchaseUserItem              3L  unsafe      GET   /1.2/user/purchase/item                  releaseId trackId
purchase_rrp_item           purchaseUserRrpItem           3L  unsafe      GET   /1.2/user/purchase/rrpitem               releaseId
purchase_basket             purchaseUserBasket            3L  unsafe      GET   /1.2/user/purchase/basket                basketId!
purchase_priced_item        purchaseUserPricedItem        3L  unsafe      GET   /1.2/user/purchase/priceditem            releaseId price!
payment_cards               listUserPaymentCards          3L  read        GET   /1.2/user/payment/card
select_payment_card         selectUserPaymentCard         3L  unsafe      POST  /1.2/user/payment/card/select            form: cardId!
delete_payment_card         deleteUserPaymentCard         3L  unsafe      POST  /1.2/user/payment/card/delete            form: cardId!
register_payment_card       registerUserPaymentCard       3L  unsafe      POST  /1.2/user/payment/cardregistration       form: cardNumber! expiryMonth! expiryYear! cvv! cardholderName
card_registration           getUserCardRegistration       3L  read        GET   /1.2/user/payment/cardregistration/{id}
deliver_item                deliverUserItem               3L  unsafe      GET   /1.2/user/deliveritem                    releaseId trackId
signup                      signupUser                    2L  unsafe      POST  /1.2/user/signup                         form: email! password! firstName lastName country!
create                      createUser                    2L  unsafe      GET   /1.2/user/create                         email!
details                     getUserDetails                2L  read        GET   /1.2/user/details                        userId!
authenticate                authenticateUser              2L  unsafe      POST  /1.2/user/authenticate                   form: email! password!

[classic.users]
find    findUsers   2L  read        GET  /1.2/users              email
update  updateUser  3L  idempotent  PUT  /1.2/users/{id}/update  form: email firstName lastName country

[classic.territories]
countries  getCountries  key  read        GET  /1.2/countries

[classic.translations]
bundle  getTranslations  key  read        GET  /1.2/translations  locale!

[classic.ip_lookup]
country  resolveCountryForIp  key  read        GET  /1.2/country/resolve  ip!

[classic.editorial]
list  getEditorialList  key  read        GET  /1.2/editorial/list  country page pageSize

[classic.catalogue]
artist_by_url   getArtistIdByUrl   key  read        GET  /1.2/catalogue/artist-byurl   url!
release_by_url  getReleaseIdByUrl  key  read        GET  /1.2/catalogue/release-byurl  url!

[classic.payment]
card_types  getPaymentCardTypes       key  read        GET  /1.2/payment/card/type
voucher     getPaymentVoucherDetails  2L   read        GET  /1.2/payment/voucher/details  voucherCode!

[platform.catalogue]
browse_artists   browseArtistsByName      2L  read        GET   /artists/browse                letter! page pageSize
artist_details   getArtistDetails         2L  read        GET   /artists/{artistId}/details
artist_releases  getArtistReleases        2L  read        GET   /artists/{artistId}/releases   type page pageSize
search_artists   searchArtists            2L  read        GET   /artists/search                q! page pageSize
releases_batch   getReleasesBatchDetails  2L  read        POST  /releases/details/batch        json: releaseIds! showErrors
release_details  getReleaseDetails        2L  read        GET   /releases/{releaseId}/details
release_tracks   getReleaseTrackListing   2L  read        GET   /releases/{releaseId}/tracks
search_releases  searchReleases           2L  read        GET   /releases/search               q! page pageSize
search_tracks    searchTracks             2L  read        GET   /tracks/search                 q! page pageSize
tracks_batch     getTracksBatchDetails    2L  read        POST  /tracks/details/batch          json: trackIds! showErrors
track_details    getTrackDetails          2L  read        GET   /tracks/{trackId}/details
download_track   downloadTrack            2L  read        GET   /tracks/{trackId}/download
usage_types      getUsageTypeInformation  2L  read        GET   /usage-types

[platform.radio]
create_session  createInteractiveRadioSession       2L  unsafe      POST    /interactive-radio/sessions                         json: userId! playlistIds! ruleset country
delete_session  deleteInteractiveRadioSession       2L  idempotent  DELETE  /interactive-radio/sessions/{sessionId}
next_track      getInteractiveRadioNextTrack        2L  unsafe      GET     /interactive-radio/sessions/{sessionId}/next-track
post_events     postInteractiveRadioPlaybackEvents  2L  unsafe      POST    /interactive-radio/sessions/{sessionId}/events      json: events!

[platform.logging]
catalogue   reportCatalogueStream   3L  unsafe      POST  /logging/catalogue   json: logs!
preview     reportPreviewStream     2L  unsafe      POST  /logging/preview     json: logs!
subscriber  reportSubscriberStream  3L  unsafe      POST  /logging/subscriber  json: logs!

[platform.streaming]
preview                   streamPreviewClip                          3L  read        GET  /streaming/preview/{trackId}                           format
catalogue_hls             streamCatalogueTrackHls                    3L  read        GET  /streaming/catalogue/{trackId}/hls
catalogue                 streamCatalogueTrackProgressive            3L  read        GET  /streaming/catalogue/{trackId}/progressive
locker_hls                streamLockerTrackHls                       3L  read        GET  /streaming/locker/{trackId}/hls
locker                    streamLockerTrackProgressive               3L  read        GET  /streaming/locker/{trackId}/progressive
subscription_hls          streamSubscriptionTrackHls                 3L  read        GET  /streaming/subscription/{trackId}/hls                  clientId
subscription              streamSubscriptionTrackProgressive         3L  read        GET  /streaming/subscription/{trackId}/progressive
subscription_offline_hls  streamSubscriptionTrackOfflineHls          3L  read        GET  /streaming/subscription/{trackId}/offline/hls
subscription_offline      streamSubscriptionTrackOfflineProgressive  3L  read        GET  /streaming/subscription/{trackId}/offline/progressive

[platform.offline_devices]
authorise  authorizeOfflineDevice  3L  unsafe      POST  /users/{userId}/unlimitedStreaming/offline             json: deviceId! deviceName platform
status     getOfflineDeviceStatus  3L  read        GET   /users/{userId}/unlimitedStreaming/offline/{deviceId}
list       listOfflineDevices      3L  read        GET   /users/{userId}/unlimitedStreaming/devices

[platform.downloads]
purchase  downloadPurchaseZip          3L  unsafe      GET  /users/{userId}/downloads/purchases/{purchaseId}
release   downloadPurchasedReleaseZip  3L  unsafe      GET  /users/{userId}/downloads/releases/{releaseId}
track     downloadPurchasedTrack       3L  unsafe      GET  /users/{userId}/downloads/tracks/{trackId}

[platform.sales]
locker          getUserLocker        3L  read        GET   /users/{userId}/locker  page pageSize
credit_item     creditSalesItem      3L  unsafe      POST  /sales/credit-item      form: userId! releaseId trackId currency! price!
refund_release  reportReleaseRefund  2L  unsafe      POST  /sales/refund/release   json: userId! purchaseId! reason
refund_track    reportTrackRefund    2L  unsafe      POST  /sales/refund/track     json: userId! purchaseId! reason

[platform.playlists]
list        listPlaylists          2L  read        GET   /playlists                      userId page pageSize
create      createPlaylist         2L  unsafe      POST  /playlists                      userId json: name! description visibility tracks
update      updatePlaylistDetails  2L  idempotent  PUT   /playlists/{playlistId}         json: name description visibility
add_tracks  addTracksToPlaylist    2L  unsafe      POST  /playlists/{playlistId}/tracks  json: tracks!

[platform.subscriptions]
create  createSubscription  3L  unsafe      POST  /subscriptions  form: userId! productId! startDate! endDate! country

[platform.users]
create  createUser  2L  unsafe      POST  /users  form: email! password! firstName lastName country!

[platform.content_delivery]
transfer_media  transferMedia  2L  read        GET  /content-delivery/media-transfer  trackId! format bitrate
"""
"""The 61 operations of the classic API's OpenAPI file and the 46 of the streaming platform's."""

GUIDE = """\
[classic.tracks]
preview  getTrackPreview  key  read        GET  /1.2/track/preview  trackId! redirect

[classic.service]
status  getStatus  key  read        GET  /1.2/status

[oauth]
request_token  oauthRequestToken  2L  idempotent  GET  /1.2/oauth/requesttoken  xoauth_client_identifier
access_token   oauthAccessToken   3L  unsafe      GET  /1.2/oauth/accesstoken

[media]
download_track     mediaDownloadTrack     3L  unsafe      GET  media:/media/user/downloadtrack      trackId! releaseId! formatId! errorUrl
stream_track       mediaStreamTrack       3L  read        GET  stream:/media/user/streamtrack       trackId! releaseId! formatId! errorUrl
download_release   mediaDownloadRelease   3L  unsafe      GET  media:/media/user/download/release   releaseId! formatId errorUrl
download_purchase  mediaDownloadPurchase  3L  unsafe      GET  media:/media/user/download/purchase  purchaseId! errorUrl
stream             mediaStream            3L  read        GET  stream:/media/track/stream           userId trackId! releaseId formatId country
download           mediaDownload          2L  unsafe      GET  media:/media/track/download          trackId! formatId! userId country errorUrl
"""
"""What only the classic API's guide describes; the ids are ours, and a host other than the API's precedes the path."""

EVERYWHERE = {"country", "shopId"}
"""Optional arguments that the guide gives to every method of the classic API and of media delivery."""

PAGING = {"page", "pageSize"}
"""Optional arguments that the guide gives to every method that answers with a list."""

ALSO_BY_GUIDE = {
    "classic.artists.chart": {"toDate"},
    "classic.artists.search": {"sort"},
    "classic.basket.add_item": {"affiliatePartner"},
    "classic.basket.add_priced_item": {"trackId"},
    "classic.editorial.list": {"key"},
    "classic.releases.by_date": {"fromDate", "toDate"},
    "classic.releases.chart": {"toDate"},
    "classic.releases.recommend": {"artistId"},
    "classic.releases.search": {"type"},
    "classic.tracks.chart": {"toDate"},
    "classic.user.deliver_item": {"emailAddress", "retailPrice", "transactionId"},
    "classic.user.locker": {"purchaseId", "releaseId", "sort", "trackId"},
    "classic.user.purchase_basket": {"tag"},
    "classic.user.purchase_item": {"price", "tag"},
    "classic.user.purchase_priced_item": {"trackId"},
    "classic.user.purchase_rrp_item": {"price", "tag", "trackId"},
    "media.download_purchase": {"userId"},
    "media.download_release": {"userId"},
    "media.download_track": {"userId"},
    "media.stream_track": {"userId"},
}
"""Optional arguments of single methods that the guide or the links in its responses show, and the files don't.

``tag`` means the guide's ``tag_KEY``: one field for each key.
"""

ONE_OF = {"classic.releases.recommend": {"releaseId", "artistId"}}
"""Where the file requires one argument and the guide lets callers give another in its stead."""


@frozen
class Fact:
    """What the documents say about one operation; arguments by place and wire name, with whether they are required."""

    name: str
    id: str
    auth: str
    safety: str
    http_method: str
    host: str
    path: str
    arguments: dict[tuple[str, str], bool]


_AUTH = {"key": "key", "2L": "two-legged", "3L": "three-legged"}


def facts_in(table: str) -> list[Fact]:
    found = []
    group = ""
    for line in filter(None, table.splitlines()):
        if line.startswith("["):
            group = line.strip("[]")
            continue
        method, identifier, auth, safety, http_method, where, *words = line.split()
        host, path = where.split(":") if ":" in where else ("api", where)
        arguments = {("path", wire): True for wire in re.findall(r"{(\w+)}", path)}
        place = "query"
        for word in words:
            if word.endswith(":"):
                place = word.rstrip(":")
            else:
                arguments[place, word.rstrip("!")] = word.endswith("!")
        found.append(Fact(f"{group}.{method}", identifier, _AUTH[auth], safety, http_method, host, path, arguments))
    return found


IN_FILES = {fact.name: fact for fact in facts_in(FILES)}
IN_GUIDE = {fact.name: fact for fact in facts_in(GUIDE)}
FACTS = IN_FILES | IN_GUIDE


def documented_extras(fact: Fact, *, is_list: bool) -> set[str]:
    """Return the wire names that a record may add to its fact's own."""
    if fact.name.startswith("platform."):
        return set()
    return EVERYWHERE | (PAGING if is_list else set()) | ALSO_BY_GUIDE.get(fact.name, set())
