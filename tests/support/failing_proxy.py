"""A proxy on loopback before an object server, in threads of this process, that answers wrongly where it is told to."""

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

SLOW_DOWN = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
REFUSED = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
FAULTS = (  # of which none is for good; "refused" is, an answer 403
    "slow down",  # 503, and the request is not passed on
    "reset",  # the connection is reset, and the request is not passed on
    "reset after",  # it is passed on, and then the connection is reset: nobody knows whether it was done
    "cut",  # half of the answer comes, and then the connection is reset
    "delay",  # all is well, a moment later
)


@dataclass
class FailingProxy:
    """`fault(method, path)` says what goes wrong with a request: one of FAULTS, "refused", or nothing."""

    endpoint: str = ""
    fault: Callable[[str, str], str | None] = lambda method, path: None
    requests: list[tuple[str, str]] = field(default_factory=list)
    done: list[str] = field(default_factory=list)  # the faults, as they happened
    before: Callable[[str, str], None] = lambda method, path: None  # is called before a request is passed on


@contextmanager
def failing_proxy(endpoint: str) -> Iterator[FailingProxy]:
    """A proxy before the server at an endpoint, until the block ends."""
    proxy = FailingProxy()
    host = urlsplit(endpoint).netloc

    class Handler(_Handler):
        told, server_host = proxy, host

    with _Server(("127.0.0.1", 0), Handler) as server:
        proxy.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield proxy
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    told: FailingProxy
    server_host: str

    def log_message(self, *_: object) -> None:
        pass

    def _pass_on(self) -> None:
        body = self._body()
        fault = self.told.fault(self.command, self.path)
        self.told.requests.append((self.command, self.path))
        if fault is not None:
            self.told.done.append(fault)
        if fault == "slow down":
            self._answer(503, [("Content-Type", "application/xml")], SLOW_DOWN)
            return
        if fault == "refused":
            self._answer(403, [("Content-Type", "application/xml")], REFUSED)
            return
        if fault == "reset":
            self._reset()
            return
        if fault == "delay":
            time.sleep(0.2)
        self.told.before(self.command, self.path)
        headers = {name: value for name, value in self.headers.items() if name.lower() != "expect"}
        server = HTTPConnection(self.server_host, timeout=60)
        server.request(self.command, self.path, body, headers)
        found = server.getresponse()
        data = found.read()
        server.close()
        if fault == "reset after":
            self._reset()
            return
        self._answer(found.status, found.getheaders(), data, half=fault == "cut")

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _pass_on

    def _body(self) -> bytes | None:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            body = b""
            while True:
                size = self.rfile.readline()
                body += size
                chunk = self.rfile.read(int(size.split(b";")[0], 16) + 2)
                body += chunk
                if chunk == b"\r\n":
                    return body
        length = self.headers.get("Content-Length")
        return None if length is None else self.rfile.read(int(length))

    def _answer(self, status: int, headers: list[tuple[str, str]], data: bytes, half: bool = False) -> None:
        self.send_response(status)
        for name, value in headers:
            if name.lower() not in ("date", "server", "connection", "content-length", "transfer-encoding"):
                self.send_header(name, value)
        lengths = [value for name, value in headers if name.lower() == "content-length"]
        self.send_header("Content-Length", lengths[0] if self.command == "HEAD" and lengths else str(len(data)))
        self.end_headers()
        if self.command == "HEAD":
            return
        if half and data:
            self.wfile.write(data[: len(data) // 2])
            self._reset()
            return
        self.wfile.write(data)

    def _reset(self) -> None:
        """End the connection by a reset, as a server that dies does."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def shutdown_request(self, request: object) -> None:
        """Close at once: a farewell first would not be a reset."""
        self.close_request(request)  # type: ignore[arg-type]

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that was killed, or that reset a connection itself, is no fault here."""
