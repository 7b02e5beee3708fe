"""What the vendor's live pages say where they differ from the API's files, in this project's own keeping.

The rows are of the form that ``facts`` has: a method, its operation id, who signs, verb, host and path, arguments.
"""

# ruff: noqa: E501 - a row of the tables stays on one line

from support.facts import facts_in

PAGES = """\
[platform.catalogue]
browse_artists   browseArtistsByName      2L  read        GET  /1.2/artist/browse          letter! page pageSize country usageTypes
artist_details   getArtistDetails         2L  read        GET  /1.2/artist/details         artistId! country usageTypes
artist_releases  getArtistReleases        2L  read        GET  /1.2/artist/releases        artistid! type page pageSize country usageTypes
search_artists   searchArtists            2L  read        GET  /1.2/artist/search          q! page pageSize country usageTypes
releases_batch   getReleasesBatchDetails  2L  read        GET  /1.2/release/details/batch  releaseids! showerrors country usageTypes
release_details  getReleaseDetails        2L  read        GET  /1.2/release/details        releaseid! country usageTypes
release_tracks   getReleaseTrackListing   2L  read        GET  /1.2/release/tracks         releaseid! page pageSize country usageTypes
search_releases  searchReleases           2L  read        GET  /1.2/release/search         q! page pageSize country usageTypes
search_tracks    searchTracks             2L  read        GET  /1.2/track/search           q! page pageSize country usageTypes
tracks_batch     getTracksBatchDetails    2L  read        GET  /1.2/track/details/batch    trackids! showerrors country usageTypes
track_details    getTrackDetails          2L  read        GET  /1.2/track/details          trackid! country usageTypes

[platform.radio]
create_session  createInteractiveRadioSession       2L  unsafe      POST    radio:/listeningSession/start                           json: userId! playlistIds! ruleset country
delete_session  deleteInteractiveRadioSession       2L  idempotent  DELETE  radio:/listeningSession/{listeningSessionId}
next_track      getInteractiveRadioNextTrack        2L  unsafe      GET     radio:/listeningSession/{listeningSessionId}/nextTrack
post_events     postInteractiveRadioPlaybackEvents  2L  unsafe      POST    radio:/listeningSession/{listeningSessionId}/{event}    trackId! playlistId! formatId

[platform.logging]
catalogue   reportCatalogueStream   3L  unsafe      POST  /1.2/catalogue/log          country! userId! json: playLogItem!
preview     reportPreviewStream     2L  unsafe      POST  /1.2/preview/log            country! json: logs!
subscriber  reportSubscriberStream  3L  unsafe      POST  /1.2/user/subscription/log  country! userId! json: playLogItem!

[platform.streaming]
preview                   streamPreviewClip                          3L  read        GET  previews:/clip/{trackId}             country
catalogue_hls             streamCatalogueTrackHls                    3L  read        GET  stream:/stream/catalogue.m3u8        trackId! formatId! country! userId
catalogue                 streamCatalogueTrackProgressive            3L  read        GET  stream:/stream/catalogue             trackId! formatId! country! userId
locker_hls                streamLockerTrackHls                       3L  read        GET  stream:/stream/locker.m3u8           trackId! formatId! country! userId
locker                    streamLockerTrackProgressive               3L  read        GET  stream:/stream/locker                trackId! formatId! country! userId
subscription_hls          streamSubscriptionTrackHls                 3L  read        GET  stream:/stream/subscription.m3u8     country! userid trackid! formatid! clientid
subscription              streamSubscriptionTrackProgressive         3L  read        GET  stream:/stream/subscription          trackId! formatId! country! userId clientId
subscription_offline_hls  streamSubscriptionTrackOfflineHls          3L  read        GET  stream:/offline/subscription.m3u8    trackId! formatId! country! userId clientId
subscription_offline      streamSubscriptionTrackOfflineProgressive  3L  read        GET  stream:/offline/subscription         trackId! formatId! country! userId clientId!

[platform.offline_devices]
authorise  authorizeOfflineDevice  3L  unsafe      POST  /1.2/user/unlimitedStreaming/offline  country userId! json: clientId! offlineEnabled
status     getOfflineDeviceStatus  3L  read        GET   /1.2/user/unlimitedStreaming/offline  country userId! clientId!
list       listOfflineDevices      3L  read        GET   /1.2/user/offlineclients              userId! country

[platform.downloads]
purchase  downloadPurchaseZip          3L  unsafe      GET  media:/media/user/download/purchase  purchaseId! country userId!
release   downloadPurchasedReleaseZip  3L  unsafe      GET  media:/media/user/download/release   releaseId! userId! formatId country
track     downloadPurchasedTrack       3L  unsafe      GET  media:/media/user/downloadtrack      releaseid! trackid! formatid! userid! country

[platform.sales]
locker          getUserLocker        3L  read        GET     /1.2/user/locker                                      userId! country! page pageSize sort releaseId trackId purchaseId
credit_item     creditSalesItem      3L  unsafe      GET     /1.2/user/deliveritem                                 userId! emailAddress releaseId! trackId packageId country! transactionId! retailPrice! postcode currency!
refund_release  reportReleaseRefund  2L  unsafe      DELETE  /1.2/user/purchase/{purchaseid}/release/{releaseId}
refund_track    reportTrackRefund    2L  unsafe      DELETE  /1.2/user/purchase/{purchaseid}/track/{trackid}

[platform.playlists]
list        listPlaylists          2L  read        GET   /1.2/playlists                       country page pageSize status tags
create      createPlaylist         2L  unsafe      POST  /1.2/playlists                       country! userId json: name! description status visibility tracks image tags annotations
update      updatePlaylistDetails  2L  idempotent  POST  /1.2/playlists/{playlistId}/details  country! userId json: name status visibility description image tags annotations
add_tracks  addTracksToPlaylist    2L  unsafe      POST  /1.2/playlists/{playlistId}/tracks   country! userId json: tracks!

[platform.subscriptions]
create  createSubscription  3L  unsafe      POST  /1.2/user/unlimitedStreaming  form: userId! planCode! status currency! recurringFee! country! activatedAt! currentPeriodStartDate! expiryDate! postcode trialEndsAt

[platform.users]
create  createUser  2L  unsafe      GET  /1.2/user/create  userId! country!

[platform.content_delivery]
transfer_media  transferMedia  2L  read        GET  stream:/media/transfer  trackId! formatId country
"""
"""The 44 operations of the platform's file that exist live."""

CLASSIC = """\
[classic.basket]
add_item                  addBasketItem                 key  unsafe      GET   /1.2/basket/addItem                 basketId! releaseId trackId country affiliatePartner
apply_voucher             applyBasketVoucher            2L   unsafe      POST  /1.2/basket/applyVoucher            form: basketId! voucherCode! country
complete_paypal_purchase  completeBasketPayPalPurchase  3L   unsafe      POST  /1.2/basket/completepaypalpurchase  userId form: basketId! payerId! token!

[classic.user]
unlimited_streaming    getUserUnlimitedStreaming  3L  read    GET   /1.2/user/unlimitedStreaming              userId
locker                 getUserLocker              3L  read    GET   /1.2/user/locker                          country! page pageSize sort releaseId trackId purchaseId userId
purchase_item          purchaseUserItem           3L  unsafe  GET   /1.2/user/purchase/item                   releaseId trackId price country shopId tag userId
purchase_rrp_item      purchaseUserRrpItem        3L  unsafe  GET   /1.2/user/purchase/rrpitem                releaseId trackId price country shopId tag userId
purchase_basket        purchaseUserBasket         3L  unsafe  GET   /1.2/user/purchase/basket                 basketId! country shopId tag userId
purchase_priced_item   purchaseUserPricedItem     3L  unsafe  GET   /1.2/user/purchase/priceditem             releaseId trackId price! country shopId userId
deliver_item           deliverUserItem            3L  unsafe  GET   /1.2/user/deliveritem                     releaseId trackId transactionId retailPrice emailAddress country shopId userId
payment_cards          listUserPaymentCards       3L  read    GET   /1.2/user/payment/card                    userId
select_payment_card    selectUserPaymentCard      3L  unsafe  POST  /1.2/user/payment/card/select             userId form: cardId!
delete_payment_card    deleteUserPaymentCard      3L  unsafe  POST  /1.2/user/payment/card/delete             userId form: cardId!
register_payment_card  registerUserPaymentCard    3L  unsafe  POST  /1.2/user/payment/cardregistration        userId form: redirectUrl!
card_registration      getUserCardRegistration    3L  read    GET   /1.2/user/payment/cardregistration/{id}   userId
signup                 signupUser                 2L  unsafe  POST  /1.2/user/signup                          form: emailAddress! password! firstName lastName country!
create                 createUser                 2L  unsafe  GET   /1.2/user/create                          userId! country!
authenticate           authenticateUser           2L  unsafe  POST  /1.2/user/authenticate                    form: emailAddress! password!

[classic.users]
find    findUsers   2L  read        GET  /1.2/users              emailAddress
update  updateUser  3L  idempotent  PUT  /1.2/users/{id}/update  form: emailAddress firstName lastName country password

[classic.translations]
bundle  getTranslations  key  read  GET  /1.2/translations  country shopId page pageSize

[classic.ip_lookup]
country  resolveCountryForIp  key  read  GET  /1.2/country/resolve  ipaddress!

[classic.catalogue]
artist_by_url   getArtistIdByUrl   key  read  GET  /1.2/catalogue/artist-byurl   artistSlug! country shopId
release_by_url  getReleaseIdByUrl  key  read  GET  /1.2/catalogue/release-byurl  releaseSlug! country shopId
"""
"""The operations of the classic file that the live service spells otherwise; all others are the same there."""

ONLY_PAGES = """\
[classic.tags]
related  getRelatedTags  key  read  GET  /1.2/tag/related  tags! country page pageSize

[classic.artists]
recommend  getArtistRecommendations  key  read  GET  /1.2/artist/recommend   artistId! country page pageSize
matches    matchArtistIds            2L   read  GET  /1.2/artist/match/byId  sevenDigitalIds mbIds

[classic.releases]
matches  matchReleaseIds  2L  read  GET  /1.2/release/match/byId  sevenDigitalIds mbIds

[classic.tracks]
matches  matchTrackIds  2L  read  GET  /1.2/track/match/byId  sevenDigitalIds mbIds

[classic.ip_lookup]
checkout_restrictions  getCheckoutRestrictions  key  read  GET  /1.2/country/georestrictions/checkout  ipaddress!

[classic.basket]
status  getBasketStatus  2L  read  GET  /1.2/basket/{basketId}/status

[classic.user]
prepare_purchase  prepareUserPurchase  3L  unsafe  GET   /1.2/user/purchase/prepare  basketId! country shopId userId
add_payment_card  addUserPaymentCard   3L  unsafe  POST  /1.2/user/payment/card/add  userId form: cardNumber! cardType! cardHolderName! cardExpiryDate! cardVerificationCode! cardPostCode cardCountry cardIssueNumber cardStartDate

[platform.playlists]
read           readPlaylist           2L  read        GET     /1.2/playlists/{playlistId}                                country! userId
details        readPlaylistDetails    2L  read        GET     /1.2/playlists/{playlistId}/details                        country! userId
tracks         listPlaylistTracks     2L  read        GET     /1.2/playlists/{playlistId}/tracks                         page pageSize country! userId
replace        replacePlaylist        2L  unsafe      POST    /1.2/playlists/{playlistId}                                country! userId json: name description status visibility tracks image tags annotations
delete         deletePlaylist         2L  idempotent  DELETE  /1.2/playlists/{playlistId}                                country! userId
move_track     movePlaylistTrack      2L  unsafe      POST    /1.2/playlists/{playlistId}/tracks/{playlistTrackId}/move  country! userId json: pos
remove_track   removePlaylistTrack    2L  idempotent  DELETE  /1.2/playlists/{playlistId}/tracks/{playlistTrackId}       country! userId
tags              listPlaylistTags         2L  read        GET     /1.2/playlists/tags                                  country
create_tags       createPlaylistTags       2L  unsafe      POST    /1.2/playlists/tags                                  country json: tags!
add_favourite     addPlaylistFavourite     2L  idempotent  PUT     /1.2/playlists/{playlistId}/favourites/{userId}      country
remove_favourite  removePlaylistFavourite  2L  idempotent  DELETE  /1.2/playlists/{playlistId}/favourites/{userId}      country
groups         listPlaylistGroups     3L  read        GET     /1.2/user/playlists/groups                                 userId! country!
create_group   createPlaylistGroup    3L  unsafe      POST    /1.2/user/playlists/groups                                 userId! country! json: name! playlists
group          readPlaylistGroup      3L  read        GET     /1.2/user/playlists/groups/{playlistGroupId}               userId! country!
add_to_group   addToPlaylistGroup     3L  unsafe      POST    /1.2/user/playlists/groups/{playlistGroupId}               userId! country! json: playlists!
replace_group  replacePlaylistGroup   3L  idempotent  PUT     /1.2/user/playlists/groups/{playlistGroupId}               userId! country! json: name! playlists
delete_group   deletePlaylistGroup    3L  idempotent  DELETE  /1.2/user/playlists/groups/{playlistGroupId}               userId! country!

[oauth]
authorise  oauthAuthoriseRequestToken  2L  unsafe  POST  /1.2/oauth/requestToken/authorise  country form: token! username! password!

[platform.subscriptions]
status  getSubscriptionStatus  3L  read        GET  /1.2/user/unlimitedStreaming  userId! country
"""
"""Routes that the files lack; the ids are ours."""

NOT_LIVE = {"platform.catalogue.download_track", "platform.catalogue.usage_types"}
NOT_CLASSIC = {
    "classic.user.update_unlimited_streaming",
    "classic.artists.match_by_id",
    "classic.releases.match_by_id",
    "classic.tracks.match_by_id",
}
"""Operations of the files that no live page knows."""

IN_PAGES = {fact.name: fact for fact in facts_in(PAGES)}
IN_CLASSIC = {fact.name: fact for fact in facts_in(CLASSIC)}
ONLY_IN_PAGES = {fact.name: fact for fact in facts_in(ONLY_PAGES)}
LIVE_FACTS = IN_PAGES | IN_CLASSIC | ONLY_IN_PAGES
