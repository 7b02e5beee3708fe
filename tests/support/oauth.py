"""A second opinion on signatures: oauthlib, reading what was on the wire."""

import hmac

from oauthlib.oauth1.rfc5849 import signature as rfc5849


class _Keys:
    def __init__(self, client_secret, token_secret):
        self.client_secret = client_secret
        self.resource_owner_secret = token_secret


def is_signed(raw: bytes, base_url: str, client_secret: str, token_secret: str = "") -> bool:
    """Say whether oauthlib finds a raw HTTP request properly signed."""
    head, _, body = raw.partition(b"\r\n\r\n")
    request_line, *lines = head.decode().split("\r\n")
    method, target, _ = request_line.split()
    headers = {name.title(): value for name, value in (line.split(": ", 1) for line in lines)}
    form = headers.get("Content-Type", "").startswith("application/x-www-form-urlencoded")
    collect = {
        "uri_query": target.partition("?")[2],
        "body": body.decode() if form else [],
        "headers": {"Authorization": headers["Authorization"]} if "Authorization" in headers else None,
    }
    found = rfc5849.collect_parameters(**collect, exclude_oauth_signature=False)
    params = [(name, value) for name, value in found if name != "oauth_signature"]
    [sent] = [value for name, value in found if name == "oauth_signature"]
    base = rfc5849.signature_base_string(
        method, rfc5849.base_string_uri(base_url + target), rfc5849.normalize_parameters(params)
    )
    return hmac.compare_digest(sent, rfc5849.sign_hmac_sha1_with_client(base, _Keys(client_secret, token_secret)))
