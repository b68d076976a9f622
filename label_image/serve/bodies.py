"""Reading what a request brings: all of it in memory, no more than it may, and no longer than it may take."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
from starlette.requests import ClientDisconnect, Request

from label_image.serve.limits import MEBIBYTE, Limits
from label_image.serve.refused import Refused, busy


class Bodies:
    """The bodies of all requests that are being answered."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._held = 0

    @property
    def held(self) -> int:
        """Bytes."""
        return self._held

    @asynccontextmanager
    async def read(self, request: Request) -> AsyncIterator[bytes]:
        """The body of a request, for as long as the block runs. Raises Refused."""
        self._check_head(request)
        before = _Share(self)
        try:
            with anyio.fail_after(self._limits.seconds):
                body = await self._all_of(request, before)
        except TimeoutError:
            before.give_back()
            raise Refused(408, f"The request did not arrive within {self._limits.seconds:g} seconds.") from None
        except BaseException:
            before.give_back()
            raise
        try:
            yield body
        finally:
            before.give_back()

    def _check_head(self, request: Request) -> None:
        coding = request.headers.get("content-encoding", "identity").strip().lower()
        if coding not in ("", "identity"):
            raise Refused(415, "A compressed request is not read: send it as it is, without Content-Encoding.")
        length = request.headers.get("content-length", "0")
        if length.isdigit() and int(length) > self._limits.body:
            raise self._too_large()

    async def _all_of(self, request: Request, share: "_Share") -> bytes:
        parts = []
        try:
            async for part in request.stream():
                share.take(len(part))
                if share.size > self._limits.body:
                    raise self._too_large()
                if self._held > self._limits.bodies:
                    raise busy("many large photos are being answered")
                parts.append(part)
        except ClientDisconnect:
            raise Refused(400, "The request ended early.") from None
        return b"".join(parts)

    def _too_large(self) -> Refused:
        return Refused(
            413, f"A request may have {self._limits.body / MEBIBYTE:g} MiB: send a smaller photo, or fewer at a time."
        )

    def change(self, size: int) -> None:
        """Count bytes more, or fewer."""
        self._held += size


class _Share:
    """What one request has of them."""

    def __init__(self, bodies: Bodies) -> None:
        self._bodies = bodies
        self.size = 0

    def take(self, size: int) -> None:
        self.size += size
        self._bodies.change(size)

    def give_back(self) -> None:
        self._bodies.change(-self.size)
        self.size = 0
