"""One connection: what uvicorn leaves open for whoever is slow or silent on purpose is closed here.

uvicorn waits for the head of a first request for ever, takes heads of any length, and connections without number. A
connection that reads its answer slowly, or sends the rest of a body that was refused, keeps its place as well.
"""

import asyncio
import re
import socket
import time
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from label_image.serve.limits import Limits

LINGER_SECONDS = 2.0  # for a client that still sends, to see the answer before its connection is cut
# Java's and curl's clients offer HTTP/2 in this header. Where it is not taken, the request is one of HTTP/1.1 like any
# other; uvicorn's parser would stop in front of its body.
UPGRADE = re.compile(rb"^upgrade:[^\r\n]*\r\n", re.I | re.M)
TOO_MANY = b"There are too many connections. Ask again in a second."
TOO_LONG = b"The head of the request is too long."
UNSOUND = b"This is not a valid HTTP/1.1 request."


class Connection(HttpToolsProtocol):
    """A connection with limits; a subclass for each server holds them (see `limited`)."""

    limits: ClassVar[Limits] = Limits()

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._timer: asyncio.TimerHandle | None = None
        self._head = b""
        self._is_in_head = True
        self._is_in_message = False
        self.idle_since = time.monotonic()

    @property
    def is_idle(self) -> bool:
        """Whether no request of it is being answered."""
        return self._is_in_head and (self.cycle is None or self.cycle.response_complete)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        # Head and body of an answer are two writes: the second would wait for the client to acknowledge the first.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if len(self.connections) > self.limits.connections and not self._make_room():
            self._say_and_close(b"503 Service Unavailable", TOO_MANY, b"retry-after: 1\r\n")
            return
        self._within(self.limits.head_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        if not self.is_idle:
            super().data_received(data)
            return
        if self._timer is None:
            self._within(self.limits.head_seconds)
        self._head += data
        head, end, rest = self._head.partition(b"\r\n\r\n")
        if len(head) > self.limits.head_bytes:
            self._say_and_close(b"431 Request Header Fields Too Large", TOO_LONG)
        elif end or not head[:1].isalpha():  # what does not begin like a request is refused at once
            self._head = b""
            super().data_received(UPGRADE.sub(b"", head + end) + rest)

    def send_400_response(self, msg: str) -> None:
        """What the parser does not take is refused in the form of all errors."""
        self._say_and_close(b"400 Bad Request", UNSOUND)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._is_in_head = self._is_in_message = True

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        self._is_in_head = False
        # The application is stricter, and says so: this is for answers that are read too slowly.
        self._within(2 * self.limits.seconds)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._is_in_head, self._is_in_message = True, False
        if self.cycle.response_complete:
            self._forget_timer()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._forget_timer()
        self.idle_since = time.monotonic()
        if self._is_in_message or self.transport.is_closing():
            self._within(LINGER_SECONDS)
        elif not self.cycle.response_complete:  # the next one was sent already
            self._within(2 * self.limits.seconds)

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        self._within(LINGER_SECONDS)  # what is not read of the last answer is not kept for ever

    def _make_room(self) -> bool:
        """Close the connection that has been idle the longest; False if all are at work."""
        idle = [
            other for other in self.connections if isinstance(other, Connection) and other.is_idle and other != self
        ]
        if not idle:
            return False
        min(idle, key=lambda other: other.idle_since).transport.abort()
        return True

    def _within(self, seconds: float) -> None:
        """Cut the connection off unless something happens that stops this."""
        self._forget_timer()
        self._timer = self.loop.call_later(seconds, self.transport.abort)

    def _forget_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _say_and_close(self, status: bytes, sentence: bytes, header: bytes = b"") -> None:
        body = b'{"error":"' + sentence + b'"}'
        head = b"HTTP/1.1 %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\n%bconnection: close\r\n\r\n"
        self.transport.write(head % (status, len(body), header) + body)
        self.transport.close()
        self._within(LINGER_SECONDS)


def limited(limits: Limits) -> type[Connection]:
    """The connections of a server."""
    return type("LimitedConnection", (Connection,), {"limits": limits})
