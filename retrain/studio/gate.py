"""Who may ask, and for what: a page of the studio, or a phone that may add photos; and no page of anybody else.

The address that a person opens holds a token behind #, which no browser sends to anybody. The page sends it once, and
gets a cookie for it, because pictures and events are asked for without headers. A page of a stranger, open in the same
browser, gets nothing: the cookie is not sent from there, requests that say where they come from are refused, and names
under which a stranger could reach this machine (DNS rebinding) are not answered.
"""

import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from label_image.serve.guard import Access
from label_image.serve.refused import Refused

API = "/api/"
OF_PHONES = frozenset({("GET", "/api/classes"), ("POST", "/api/photos"), ("POST", "/api/enter")})
PAGES, PHONES = "retrain_studio", "retrain_studio_phone"  # cookies, with the port behind
MONTH = 30 * 24 * 3600  # seconds


@dataclass(frozen=True)
class Gate:
    """`token` opens all, `phone_token` what phones need. `port` is in the name of the cookie: a machine has several."""

    token: str
    phone_token: str
    port: int
    names: Access = field(default_factory=Access)

    def check(self, method: str, path: str, headers: Headers) -> None:
        """Raises Refused."""
        host = headers.get("host", "")
        if not self.names.answers_to(host):
            raise Refused(421, f"The studio does not answer to the name {host!r}: open the address that it said.")
        if not path.startswith(API):
            return  # files of pages, in which nothing of anybody's is
        origin = headers.get("origin")
        is_strange = origin is not None and urlsplit(origin).netloc.lower() != host.lower()
        if is_strange or headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            raise Refused(403, "Pages of others may not ask the studio.")
        given = self._given(headers)
        if any(_same(one, self.token) for one in given):
            return
        if not any(_same(one, self.phone_token) for one in given):
            raise Refused(401, "Open the studio by the address that it said when it started: it ends in #token=….")
        if (method, path) not in OF_PHONES:
            raise Refused(403, "Phones may only add photos.")

    def cookie(self, is_encrypted: bool, headers: Headers) -> str:
        """What a page, or a phone, is known by from now on: two names, for a browser may be both."""
        secure = "; Secure" if is_encrypted else ""
        given = self._given(headers)[0]
        name = PAGES if _same(given, self.token) else PHONES
        return f"{name}_{self.port}={given}; Path=/; Max-Age={MONTH}; HttpOnly; SameSite=Strict{secure}"

    def _given(self, headers: Headers) -> list[str]:
        """The tokens that come with a request."""
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return [given.strip()]
        try:
            cookies = SimpleCookie(headers.get("cookie", ""))
        except CookieError:
            return []
        return [cookies[name].value for name in (f"{PAGES}_{self.port}", f"{PHONES}_{self.port}") if name in cookies]


class Gated:
    """Checks each request before anything else sees it."""

    def __init__(self, app: ASGIApp, gate: Gate, refuse: Callable[[Refused], ASGIApp]) -> None:
        self._app, self._gate, self._refuse = app, gate, refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            try:
                self._gate.check(scope["method"], scope["path"], Headers(scope=scope))
            except Refused as refused:
                await self._refuse(refused)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def _same(given: str, token: str) -> bool:
    return bool(token) and hmac.compare_digest(given.encode("latin-1", "replace"), token.encode())
