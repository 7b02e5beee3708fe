"""Forms of the live service's answers, with made-up values."""

from support.printed_answers import Answer

RELEASE = """<release id="1"><title>t</title><version>v</version><type>Album</type><barcode>007</barcode>
<year>2015</year>
<explicitContent>true</explicitContent><artist id="2"><name>n</name><appearsAs>a</appearsAs><url>u</url></artist>
<url>u</url><image>i</image><releaseDate>2015-03-23T00:00:00Z</releaseDate><addedDate>2015-03-13T12:30:28Z</addedDate>
<price><currency code="GBP">p</currency><value>4.99</value><formattedPrice>p4.99</formattedPrice><rrp>8.49</rrp>
<formattedRrp>p8.49</formattedRrp><onSale>true</onSale></price>
<formats availableDrmFree="true"><format id="17"><fileFormat>MP3</fileFormat><bitRate>320</bitRate>
<drmFree>true</drmFree></format></formats><label id="3"><name>l</name></label><licensor id="4"><name>c</name></licensor>
<popularity>0.1</popularity><streamingReleaseDate>2015-03-24T00:00:00Z</streamingReleaseDate><duration>3003</duration>
<trackCount>13</trackCount><pline>p</pline><cline>c</cline><download><previewDate>1997-07-03T00:00:00Z</previewDate>
<releaseDate>1997-07-04T00:00:00Z</releaseDate><packages><package id="2"><description>standard</description>
<price><currencyCode>GBP</currencyCode><sevendigitalPrice>0.99</sevendigitalPrice>
<recommendedRetailPrice>1.99</recommendedRetailPrice></price><format id="17"><description>MP3 320</description></format>
</package></packages></download></release>"""
ITEM = """<basketItem id="1"><type>track</type><itemName>n</itemName><artistName>a</artistName><trackId>2</trackId>
<releaseId>3</releaseId><price><value>5.99</value><formattedPrice>p5.99</formattedPrice></price>
<discount><type>Voucher</type></discount><amountDue><amount>0</amount><formattedAmount>p0.00</formattedAmount></amountDue>
<package id="2"/></basketItem>"""
CARD = """<card id="1"><type>VISA</type><last4digits>1111</last4digits><default>true</default>
<cardHolderName>Bob</cardHolderName><expiryDate>194209</expiryDate></card>"""
PLAYLIST = """{"id":"p","name":"n","description":"d","status":"Published","visibility":"Private","image":"i_$size$.jpg",
"trackCount":10,"tags":[{"name":"t","playlistPosition":1,"hidden":true}],"annotations":{"mood":"dark"},
"lastUpdated":"2015-06-16T10:04:09.314Z","partnerId":"712","_links":{"self":{"href":"a"},"details":{"href":"b"},
"tracks":{"href":"c"}},"tracks":[{"playlistItemId":"e","trackId":"1","trackTitle":"t","trackVersion":"v","artistId":"2",
"artistAppearsAs":"a","releaseId":"3","releaseTitle":"r","releaseVersion":"w","releaseArtistId":"4",
"releaseArtistAppearsAs":"b","source":"s","audioUrl":"u","image":"i","user":"mara","dateAdded":"2015-06-16T10:04:09Z"}]}"""

_CONTENTS = [
    ("classic.releases.details", RELEASE),
    (
        "classic.artists.details",
        '<artist id="1"><name>n</name><sortname>s</sortname><bio><text>b</text></bio></artist>',
    ),
    ("classic.artists.recommend", f"<recommendations><recommendedItem>{RELEASE}</recommendedItem></recommendations>"),
    (
        "classic.releases.matches",
        """<matches><releases mbId="A"><release><sevenDigitalId>1</sevenDigitalId><mbId>a</mbId></release></releases>
        <releases mbId="B"><matchError code="2001"/></releases></matches>""",
    ),
    (
        "classic.releases.editorial",
        "<editorial><review><text>r</text></review><promotionalText><text>p</text></promotionalText></editorial>",
    ),
    (
        "classic.editorial.list",
        f"""<list id="194"><key>k</key><listItems><listItem id="1"><type>release</type>{RELEASE}</listItem>
        </listItems></list>""",
    ),
    (
        "classic.releases.chart",
        f"""<chart><fromDate>2015-03-01</fromDate><toDate>2015-03-08</toDate><page>1</page><pageSize>10</pageSize>
        <totalItems>1</totalItems><chartItem><position>1</position><change>same</change>{RELEASE}</chartItem></chart>""",
    ),
    (
        "platform.catalogue.releases_batch",
        f"""<items><releases>{RELEASE}</releases><errors><error itemId="-1" code="2001"><errorMessage>m</errorMessage>
        </error></errors></items>""",
    ),
    (
        "classic.basket.details",
        f"""<basket id="b"><itemCount>1</itemCount><price><currency code="GBP">p</currency><value>10.49</value>
        <formattedPrice>p10.49</formattedPrice></price><basketItems>{ITEM}</basketItems><amountDue>
        <currency code="GBP">p</currency><amount>1</amount><formattedAmount>p1</formattedAmount></amountDue>
        </basket>""",
    ),
    ("classic.user.details", '<user id="1"><type>7digital</type><emailAddress>a@b.example</emailAddress></user>'),
    ("classic.user.payment_cards", f"<cards>{CARD}</cards>"),
    ("classic.user.payment_cards", CARD),
    ("classic.user.add_payment_card", CARD.replace(' id="1"', "").replace("cardHolderName", "cardholderName")),
    (
        "classic.releases.search",
        f"""<results><page>1</page><pageSize>2</pageSize><totalItems>50</totalItems><result>{RELEASE}</result>
        <result><release id="2"/></result></results>""",
    ),
    (
        "classic.ip_lookup.checkout_restrictions",
        "<geoRestrictions><allowCheckout>false</allowCheckout></geoRestrictions>",
    ),
    (
        "classic.user.prepare_purchase",
        """<preparePayment paymentToken="t" autoFulfilled="False"><preparePaymentDate>2019-04-16T15:23:10+01:00
        </preparePaymentDate></preparePayment>""",
    ),
    ("classic.basket.status", "<paymentStatus>Failure</paymentStatus>"),
    (
        "classic.user.card_registration",
        """<cardRegistration id="7" status="error"><error code="3103"><errorMessage>m</errorMessage></error>
        </cardRegistration>""",
    ),
    ("classic.user.card_registration", f'<cardRegistration id="7" status="complete">{CARD}</cardRegistration>'),
    (
        "classic.user.register_payment_card",
        '<cardRegistration id="7" status="pending"><redirectUrl>u</redirectUrl></cardRegistration>',
    ),
    (
        "classic.user.purchase_basket",
        f"""<purchase id="1"><purchaseDate>2009-08-10T11:00:00+01:00</purchaseDate><lockerReleases><lockerRelease>
        {RELEASE}<lockerTracks><lockerTrack><track id="5"><title>t</title></track>
        <remainingDownloads>5</remainingDownloads><purchaseDate>2012-05-28T14:01:14+01:00</purchaseDate><downloadUrls>
        <downloadUrl><url>u</url><format id="17"><fileFormat>MP3</fileFormat></format></downloadUrl></downloadUrls>
        </lockerTrack></lockerTracks></lockerRelease></lockerReleases></purchase>""",
    ),
    (
        "classic.ip_lookup.country",
        "<GeoIpLookup><ipaddress>192.0.2.1</ipaddress><countryCode>GB</countryCode></GeoIpLookup>",
    ),
    (
        "classic.territories.countries",
        """<countries><country code="GB"><url>u</url><name>n</name><localName>l</localName><languages><language>
        <name>n</name><localName>l</localName><url>u</url></language></languages></country></countries>""",
    ),
    (
        "classic.translations.bundle",
        """<translations><page>1</page><pageSize>5</pageSize><totalItems>9</totalItems><translation><key>k</key>
        <translatedText>t</translatedText></translation></translations>""",
    ),
    ("platform.playlists.read", f'{{"playlist":{PLAYLIST}}}'),
    ("platform.playlists.list", f'{{"page":1,"pageSize":10,"totalItems":1,"playlists":[{PLAYLIST}]}}'),
    (
        "platform.playlists.group",
        f"""{{"playlistGroup":{{"id":"g","name":"n","playlistCount":1,"lastUpdated":"2017-02-01T11:01:36.283Z",
        "_links":{{"self":{{"href":"a"}}}},"playlists":[{PLAYLIST}]}}}}""",
    ),
    (
        "platform.playlists.read",
        """<playlist id="p"><name>n</name><tracks><track id="e"><trackId>1</trackId></track></tracks><tags><tag>
        <name>t</name></tag></tags><annotations><annotation key="mood">dark</annotation></annotations></playlist>""",
    ),
    (
        "platform.playlists.list",
        """<playlists><page>1</page><pageSize>10</pageSize><totalItems>1</totalItems><playlist id="p"><name>n</name>
        <lastUpdated>2014-01-22T14:52:21.988Z</lastUpdated><links><link rel="self" href="a"/>
        <link rel="details" href="b"/><link rel="tracks" href="c"/></links><trackCount>4</trackCount>
        <visibility>Private</visibility></playlist></playlists>""",
    ),
    (
        "classic.user.locker",
        """{"status":"ok","version":"1.2","locker":{"lockerReleases":{"page":"2","pageSize":"25","totalItems":"26",
        "lockerRelease":[{"release":{"id":"1","title":"r","download":{"releaseDate":"2007-12-31T00:00:00Z"}},
        "lockerTracks":{"lockerTrack":{"track":{"id":"2","title":"t"},"remainingDownloads":"3","purchaseDate":
        "2011-04-13T16:30:35+01:00","downloadUrls":{"downloadUrl":{"url":"u","format":{"id":"17","description":"MP3"}}}}}},
        {"release":{"id":"3"},"lockerTracks":{"lockerTrack":[]},"available":true}]}}}""",
    ),
    ("platform.subscriptions.status", '{"streaming":{"level":"premium","expiryDate":"2026-11-26T10:54:35Z"}}'),
]


def _answer(operation: str, content: str) -> Answer:
    if content.startswith("{"):
        return operation, content.encode(), "application/json"
    return operation, f'<response status="ok" version="1.2">{content}</response>'.encode(), "application/xml"


LIVE = [_answer(operation, content) for operation, content in _CONTENTS]
