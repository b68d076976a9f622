"""A web server on this machine that can do what real ones do: ranges, tags, breaks, and sending elsewhere."""

import hashlib
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

SLICE = 2**16


@dataclass
class Page:
    """What is served at a path.

    `breaks`: after how many bytes of its answer each connection ends, in turn; then none does. `tag`: its ETag, made of
    the body where it is None, none if it is empty. `ranges`: whether a part can be asked for.
    """

    body: bytes = b""
    breaks: list[int] = field(default_factory=list)
    tag: str | None = None
    date: str = ""
    ranges: bool = True
    status: int = 200
    location: str = ""
    seconds_each: float = 0  # for a slice

    @property
    def etag(self) -> str:
        return f'"{hashlib.md5(self.body).hexdigest()}"' if self.tag is None else self.tag


class Site:
    """The pages by their paths, and what was asked: (path, Range or "")."""

    def __init__(self) -> None:
        self.pages: dict[str, Page] = {}
        self.asked: list[tuple[str, str]] = []
        self.url = ""

    def serve(self, path: str, body: bytes, **more: object) -> str:
        """The address at which a body is served from now on."""
        self.pages[path] = Page(body, **more)  # type: ignore[arg-type]
        return f"{self.url}{path}"


@contextmanager
def running(site: Site) -> Iterator[Site]:
    """Serve until the end of the block."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            site.asked.append((path, self.headers.get("Range", "")))
            page = site.pages.get(path, Page(status=404))
            if page.location:
                self.send_response(302)
                self.send_header("Location", page.location)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self._answer(page)

        def _answer(self, page: Page) -> None:
            start = 0
            asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
            same = self.headers.get("If-Range", page.etag) in (page.etag, page.date)
            if asked and page.ranges and same:
                start = int(asked[1])
            if start and start >= len(page.body):
                self.send_error(416)
                return
            self.send_response(206 if start else page.status)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(page.body) - 1}/{len(page.body)}")
            self.send_header("Content-Length", str(len(page.body) - start))
            for name, value in (("ETag", page.etag), ("Last-Modified", page.date)):
                if value:
                    self.send_header(name, value)
            self.end_headers()
            end = start + page.breaks.pop(0) if page.breaks else len(page.body)
            for at in range(start, min(end, len(page.body)), SLICE):
                self.wfile.write(page.body[at : min(at + SLICE, end)])
                time.sleep(page.seconds_each)

        def log_message(self, *_: object) -> None:
            pass

        def handle(self) -> None:
            with suppress(OSError):  # who asked is gone
                super().handle()

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        site.url = f"http://127.0.0.1:{http.server_port}"
        thread = Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield site
        finally:
            http.shutdown()
            thread.join()
