"""Addresses that may be fetched from, and how one is opened.

What could be changed on its way is not fetched: https, or http on this machine itself (localhost), or http where the
checksum is known before, as in `http://host/cats.zip#sha256=…`. A server that sends elsewhere is followed to https, and
from this machine to this machine. Nothing is said to a server but what is asked for: no cookies, no passwords of
`.netrc` or of an address. Accents and spaces are quoted, as a browser does.
"""

import ipaddress
import re
import string
from collections.abc import Mapping
from http.client import HTTPResponse
from typing import IO, Any
from urllib.parse import quote, unquote, urldefrag, urlsplit, urlunsplit
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
USER = re.compile(r"([a-z][a-z0-9+.-]*://)[^/?#]*(?:@|%40)", re.IGNORECASE)  # also in what urlsplit does not take
HOST = re.compile(r"[A-Za-z0-9._-]+(:[0-9]*)?")


def with_checksum(url: str) -> tuple[str, str | None]:
    """An address without what follows its `#`, and the SHA-256 that stands there. Raises DownloadError."""
    refuse_user(url)
    address, fragment = urldefrag(url)
    if not fragment:
        return url, None
    found = CHECKSUM.fullmatch(fragment)
    if not found:
        raise DownloadError(f"{url} ends in #{fragment}: write #sha256= and 64 hex digits, or nothing.")
    return address, found[1].lower()


def refuse_user(url: str) -> None:
    """Raise DownloadError, which does not repeat it, where a user or a password stands before the host."""
    bare = _without_user(url)
    if bare != url:
        raise DownloadError(
            f"{bare} was given with a user or a password, which are not sent: leave out what stands before the @."
        )


def check_address(url: str, checked: bool) -> None:
    """Raise DownloadError unless an address may be fetched from; `checked`: its checksum is known."""
    refuse_user(url)
    try:
        parts = urlsplit(quoted(url))
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


def quoted(url: str) -> str:
    """An address in ASCII, as a server is asked for it; what is quoted already stays. Raises ValueError."""
    parts = urlsplit(url)
    path, query = (quote(part, string.punctuation, errors="surrogateescape") for part in (parts.path, parts.query))
    return urlunsplit((parts.scheme, _host_in_ascii(parts.netloc), path, query, ""))


def _host_in_ascii(netloc: str) -> str:
    """A host with its port. A name with accents, which a server that sends elsewhere has quoted, becomes xn--…"""
    if netloc.startswith("[") or (netloc.isascii() and "%" not in netloc):
        return netloc
    host, colon, port = unquote(netloc).partition(":")
    try:
        found = host.encode("idna").decode() + colon + port
    except UnicodeError:
        found = ""
    if not HOST.fullmatch(found):
        raise ValueError(f"{host!r} is not the name of a host")
    return found


def _without_user(url: str) -> str:
    return USER.sub(r"\1", url, count=1) if USER.match(url) else url


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
    request = Request(quoted(url), headers={"User-Agent": "retrain", "Accept-Encoding": "identity", **headers})
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
            bare = _without_user(newurl)
            why = "is not encrypted or no web address" if bare == newurl else "was given with a user or a password"
            raise DownloadError(f"{self._asked} leads to {bare}, which {why}: it is not followed.")
        return super().redirect_request(req, fp, code, msg, headers, quoted(newurl))
