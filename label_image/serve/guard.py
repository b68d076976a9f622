"""Who may ask: by the token, by the name under which the server was reached, and from which pages.

A page of a stranger, open in a browser on this machine, can send to servers that only this machine reaches. It reads no
answer unless `--cors` lets it, but by DNS rebinding: its own name is made to lead here. So a name is answered only if
no stranger can own it, or if it was given as `--allow_host`.
"""

import hmac
import ipaddress
import re
import socket
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from label_image.serve.refused import Refused

OPEN = frozenset({"/v2/health/live", "/v2/health/ready", "/openapi.json", "/ca.crt"})  # without the token
LOCAL_ENDINGS = (".localhost", ".local", ".internal", ".home.arpa")  # nobody can register these
NAME = re.compile(r"(?P<name>\[[0-9a-fA-F:.]+\]|[A-Za-z0-9_.-]*)(?::[0-9]*)?")


@dataclass(frozen=True)
class Access:
    """What `--token`, `--allow_host` and `--cors` say. Without a token anyone who reaches the server may ask."""

    token: str | None = None
    hosts: frozenset[str] = frozenset()
    origins: tuple[str, ...] = ()
    own_name: str = field(default_factory=lambda: socket.gethostname().lower())

    def check(self, method: str, path: str, headers: Headers, page: Collection[str]) -> None:
        """Raises Refused. `page` are the paths of the page, which anyone may load: its address holds no token."""
        host = headers.get("host", "")
        if not self.answers_to(host):
            match = NAME.fullmatch(host)
            name = match["name"] if match else host
            raise Refused(
                421, f"This server does not answer to the name {name!r}: start it with --allow_host, and the name."
            )
        if method == "POST" and headers.get("sec-fetch-site") == "cross-site":
            origin = headers.get("origin", "")
            if origin not in self.origins and "*" not in self.origins:
                raise Refused(403, f"Pages of {origin} may not ask: start the server with --cors and their origin.")
        is_page = path == "/" or path.removeprefix("/") in page
        is_open = method in ("GET", "HEAD") and (path in OPEN or is_page)
        if self.token is not None and not is_open and not self._knows_token(headers):
            raise Refused(
                401,
                "This needs the token of the server, in the header Authorization: Bearer TOKEN.",
                {"WWW-Authenticate": "Bearer"},
            )

    def answers_to(self, host: str) -> bool:
        """Whether the name of a Host header is one that no stranger can have made to lead here."""
        match = NAME.fullmatch(host)
        if match is None:
            return False
        name = match["name"].rstrip(".").lower()
        if "*" in self.hosts or name in self.hosts or name == self.own_name or ("." not in name and name[:1] != "["):
            return True
        return name.endswith(LOCAL_ENDINGS) or _is_address(name)

    def _knows_token(self, headers: Headers) -> bool:
        assert self.token is not None
        scheme, _, given = headers.get("authorization", "").partition(" ")
        same = hmac.compare_digest(given.strip().encode("latin-1"), self.token.encode("utf-8", "surrogateescape"))
        return scheme.lower() == "bearer" and same


class Guard:
    """Checks each request before anything else sees it."""

    def __init__(self, app: ASGIApp, access: Access, page: Callable[[], Collection[str]], refuse: "Refuse") -> None:
        self._app, self._access, self._page, self._refuse = app, access, page, refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            try:
                self._access.check(scope["method"], scope["path"], Headers(scope=scope), self._page())
            except Refused as refused:
                await self._refuse(refused)(scope, receive, send)
                return
        await self._app(scope, receive, send)


Refuse = Callable[[Refused], ASGIApp]


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
