"""A static host as they are found: files under a sub-path, and types that are wrong; it can be stopped."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

SCRIPT = "text/javascript"
TYPES = {
    "html": "text/html; charset=utf-8", "js": SCRIPT, "mjs": SCRIPT, "css": "text/css", "png": "image/png",
    "json": "application/json", "webmanifest": "application/manifest+json",
}  # fmt: skip


class Host:
    """What is served by its path, without the slash; `sent` is how many bytes went out for each request.

    `answers` are given to what is posted, by its path; `posted` has each path, its token and what was posted.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.answers: dict[str, bytes] = {}
        self.sent: list[tuple[str, int]] = []
        self.posted: list[tuple[str, str, bytes]] = []
        self.url = ""
        self.stop = lambda: None

    def serve(self, folder: str, files: Mapping[str, bytes]) -> str:
        """The address of a folder of files."""
        self.files |= {f"{folder}{name}": data for name, data in files.items()}
        return f"{self.url}{folder}"


@contextmanager
def hosted() -> Iterator[Host]:
    """Serve until the end of the block, or until `stop`."""
    host = Host()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = self.path.partition("?")[0].removeprefix("/")
            path += "index.html" if path.endswith("/") or not path else ""
            self._answer(path, host.files.get(path))

        def do_POST(self) -> None:
            path = self.path.removeprefix("/")
            body = self.rfile.read(int(self.headers["Content-Length"]))
            host.posted.append((path, self.headers.get("Authorization", ""), body))
            self._answer("answer.json", host.answers.get(path))

        def _answer(self, path: str, data: bytes | None) -> None:
            self.send_response(404 if data is None else 200)
            kind = TYPES.get(Path(path).suffix[1:], "application/octet-stream")  # WebAssembly among them
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data or b"")))
            self.end_headers()
            host.sent.append((path, len(data or b"")))
            self.wfile.write(data or b"")

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        host.url = f"http://127.0.0.1:{server.server_port}/"
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()

        def stop() -> None:
            server.shutdown()
            server.server_close()

        host.stop = stop
        try:
            yield host
        finally:
            stop()
            thread.join()
