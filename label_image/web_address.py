"""Addresses that may be fetched from, and how one is opened.

What could be changed on its way is not fetched: https, or http on this machine itself (localhost), or http where the
checksum is known before, as in `http://host/cats.zip#sha256=…`. A server that sends elsewhere is followed to https, and
from this machine to this machine. Nothing is said to a server but what is asked for: no cookies, no passwords of
`.netrc`.
"""

import ipaddress
import re
from collections.abc import Mapping
from http.client import HTTPResponse
from typing import IO, Any
from urllib.parse import urldefrag, urlsplit
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
)

from label_image.errors import DownloadError

TIMEOUT = 10  # seconds without a byte; a machine without a network answers at once
CHECKSUM = re.compile(r"sha256=([0-9a-fA-F]{64})")


def with_checksum(url: str) -> tuple[str, str | None]:
    """An address without what follows its `#`, and the SHA-256 that stands there. Raises DownloadError."""
    address, fragment = urldefrag(url)
    if not fragment:
        return url, None
    found = CHECKSUM.fullmatch(fragment)
    if not found:
        raise DownloadError(f"{url} ends in #{fragment}: write #sha256= and 64 hex digits, or nothing.")
    return address, found[1].lower()


def check_address(url: str, checked: bool) -> None:
    """Raise DownloadError unless an address may be fetched from; `checked`: its checksum is known."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError as error:
        raise DownloadError(f"{url} is not an address: {error}.") from None
    if parts.scheme not in ("http", "https"):
        raise DownloadError(f"{url} is not an http or https address.")
    if parts.scheme == "http" and not checked and host and not is_this_machine(host):
        raise DownloadError(
            f"{url} is not encrypted, so that anybody on the way could change it: use https://, or add the file's "
            "checksum, #sha256=…, to the address."
        )


def is_this_machine(host: str) -> bool:
    """Whether a host is this machine by its name alone: nothing is looked up."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def opened(url: str, headers: Mapping[str, str], checked: bool) -> HTTPResponse:
    """What a server answers. Raises DownloadError, and what `urllib` raises."""
    check_address(url, checked)
    opener = OpenerDirector()
    for handler in (
        ProxyHandler(),
        HTTPHandler(),
        HTTPSHandler(),
        HTTPDefaultErrorHandler(),
        _Redirects(url),
        HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    request = Request(url, headers={"User-Agent": "retrain", "Accept-Encoding": "identity", **headers})
    response = opener.open(request, timeout=TIMEOUT)
    assert isinstance(response, HTTPResponse)
    return response


class _Redirects(HTTPRedirectHandler):
    """Follows a server that sends elsewhere, by the rules for addresses."""

    def __init__(self, asked: str) -> None:
        self._asked = asked

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> Request | None:
        before, after = urlsplit(req.full_url), urlsplit(newurl)
        weaker = before.scheme == "https" and after.scheme != "https"
        try:
            check_address(newurl, checked=False)
        except DownloadError:
            weaker = True
        if weaker:
            fp.close()
            raise DownloadError(
                f"{self._asked} leads to {newurl}, which is not encrypted or no web address: it is not followed."
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)
