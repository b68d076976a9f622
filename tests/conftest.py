from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from hypothesis import HealthCheck, settings

# `pytest tests/foreign/test_fuzz.py --hypothesis-profile=long`
settings.register_profile(
    "long", max_examples=10_000, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)


class Server:
    """A web server on this machine. `pages` maps a path to (status, body, promised length or None)."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.pages: dict[str, tuple[int, bytes, int | None]] = {}
        self.asked: list[str] = []


@pytest.fixture
def server() -> Iterator[Server]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.asked.append(self.path)
            status, body, length = served.pages.get(self.path, (404, b"", 0))
            self.send_response(status)
            if length is not None:
                self.send_header("Content-Length", str(length))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        served = Server(f"http://127.0.0.1:{http.server_port}/")
        thread = Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield served
        http.shutdown()
        thread.join()
