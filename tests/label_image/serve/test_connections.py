"""Who is slow, silent, endless or numerous on purpose, against a server in a process of its own."""

import contextlib
import json
import os
import socket
import struct
import threading
import time
import urllib.request
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from serving import Served, photo, served

HEAD = b"POST /label HTTP/1.1\r\nHost: localhost\r\n"


@pytest.fixture(scope="module")
def server(colours: Path) -> Iterator[Served]:
    with served(colours, "--max_seconds", "3", "--max_megabytes", "2", "--connections", "16") as server:
        yield server
        assert server.end() == (0, "Only this machine reaches it; for a phone: --host 0.0.0.0 --https.\n")


def until_closed(connection: socket.socket) -> bytes:
    """All that comes; a connection that is cut off ends it, too."""
    found = b""
    with contextlib.suppress(ConnectionError):
        while data := connection.recv(65536):
            found += data
    return found


def ask(server: Served, body: bytes, path: str = "label") -> dict[str, object]:
    with urllib.request.urlopen(server.url + path, body, timeout=60) as answer:
        said: dict[str, object] = json.load(answer)
        return said


def memory_of(server: Served) -> int:
    """Resident, in bytes."""
    pages = Path(f"/proc/{server.process.pid}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def test_a_body_that_trickles_is_given_up(server: Served, red: bytes) -> None:
    with server.connect() as connection:
        connection.sendall(HEAD + b"Content-Length: 1000\r\n\r\n")
        began = time.monotonic()
        stop = threading.Event()

        def trickle() -> None:
            with contextlib.suppress(OSError):
                while not stop.wait(0.2):
                    connection.sendall(b"x")

        thread = threading.Thread(target=trickle)
        thread.start()
        answer = until_closed(connection)
        stop.set()
        thread.join()
    assert answer.startswith(b"HTTP/1.1 408 ") and b"within 3 seconds" in answer
    assert time.monotonic() - began < 30
    assert ask(server, red)["label"] == "red"


@pytest.mark.parametrize("sent", [b"", b"POST /label HTTP/1.1\r\nHo"])
def test_a_head_that_does_not_come_is_given_up(colours: Path, sent: bytes) -> None:
    from label_image.serve.limits import Limits

    with served(colours) as server, server.connect() as connection:
        connection.sendall(sent)
        began = time.monotonic()
        assert until_closed(connection) == b""
        assert Limits().head_seconds - 1 < time.monotonic() - began < Limits().head_seconds + 30


def test_an_endless_head_is_cut_off(server: Served) -> None:
    with server.connect() as connection:
        connection.sendall(HEAD)
        with contextlib.suppress(ConnectionError):
            for _ in range(1000):
                connection.sendall(b"X-Header: " + b"x" * 1000 + b"\r\n")
        assert until_closed(connection).startswith((b"HTTP/1.1 431 ", b""))


def test_a_gigabyte_that_is_announced_is_refused_before_it_is_sent(server: Served) -> None:
    with server.connect() as connection:
        connection.sendall(HEAD + b"Content-Length: 1073741824\r\n\r\n")
        answer = until_closed(connection)
    assert answer.startswith(b"HTTP/1.1 413 ") and b"2 MiB" in answer


@pytest.mark.parametrize("chunked", [False, True])
def test_a_gigabyte_that_is_sent_is_refused_and_cut_off(server: Served, chunked: bool) -> None:
    before = memory_of(server)
    megabyte = b"x" * 2**20
    part = b"100000\r\n" + megabyte + b"\r\n" if chunked else megabyte
    with server.connect() as connection:
        connection.sendall(
            HEAD + (b"Transfer-Encoding: chunked\r\n\r\n" if chunked else b"Content-Length: 1073741824\r\n\r\n")
        )
        answer = b""
        connection.settimeout(0.01)
        with contextlib.suppress(ConnectionError):
            for _ in range(1024):
                connection.settimeout(60)
                connection.sendall(part)
                connection.settimeout(0.001)
                with contextlib.suppress(TimeoutError):
                    answer += connection.recv(65536)
        assert answer.startswith(b"HTTP/1.1 413 ")
    assert memory_of(server) - before < 64 * 2**20


def test_silent_connections_make_room(server: Served, red: bytes) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(64):  # four times as many as may be open
            stack.enter_context(server.connect())
        assert ask(server, red)["label"] == "red"


def test_photos_made_to_hurt_are_refused(server: Served, red: bytes) -> None:
    before = memory_of(server)
    bombs = {
        "a PNG of 30,000 x 30,000 pixels": png(30_000, 30_000),
        "one of 4 billion": png(2**31 - 1, 2),
        "half a photo": photo((1, 2, 3), "JPEG", (640, 480))[:2000],
        "a GIF that says much": b"GIF89a" + struct.pack("<HHBBB", 65535, 65535, 0, 0, 0) + b",",
        "a text": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    }
    for name, data in bombs.items():
        with pytest.raises(urllib.error.HTTPError) as refused:
            ask(server, data)
        assert refused.value.code == 422, name
        assert json.load(refused.value)["error"].endswith("."), name
    assert memory_of(server) - before < 64 * 2**20
    assert ask(server, red)["label"] == "red"


def png(width: int, height: int) -> bytes:
    """One that says to be large."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 10**6))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    "request_",
    [
        b"\0\1\2\3", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET http:// HTTP/1.1\r\nHost: localhost\r\n\r\n",
        HEAD + b"Content-Length: -1\r\n\r\n", HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
        HEAD + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET /../../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /./index.html HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET \\..\\x HTTP/1.1\r\nHost: localhost\r\n\r\n", b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"CONNECT a:1 HTTP/1.1\r\nHost: localhost\r\n\r\n", b"GET //evil/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: [\r\n\r\n", b"GET /label HTTP/1.1\r\nHost: localhost\r\nX: \xff\r\n\r\n",
    ],
)  # fmt: skip
def test_what_is_no_sound_request_gets_no_answer_but_a_refusal(server: Served, red: bytes, request_: bytes) -> None:
    with server.connect() as connection:
        connection.sendall(request_)
        connection.shutdown(socket.SHUT_WR)
        answer = until_closed(connection)
    head, _, said = answer.partition(b"\r\n\r\n")
    assert answer == b"" or (head.startswith(b"HTTP/1.1 4") and list(json.loads(said)) == ["error"]), answer
    assert b"root:" not in answer
    assert ask(server, red)["label"] == "red"


def test_requests_behind_each_other_are_answered_in_order(server: Served, red: bytes, blue: bytes) -> None:
    def request(body: bytes) -> bytes:
        return HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body

    with server.connect() as connection:
        connection.sendall(request(red) + request(b"none") + request(blue))
        answer = b""
        while answer.count(b'"label"') < 2 * 4:
            answer += connection.recv(65536)
    answers = [part.partition(b"\r\n\r\n") for part in answer.split(b"HTTP/1.1 ")[1:]]
    assert [head[:3] for head, _, _ in answers] == [b"200", b"422", b"200"]
    assert [json.loads(body).get("label") for _, _, body in answers] == ["red", None, "blue"]


def test_a_client_that_does_not_read_does_not_keep_its_place(server: Served, red: bytes) -> None:
    """The page's files are larger than what a connection holds by itself."""
    with server.connect() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        request = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n"
        connection.sendall(request * 400)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with urllib.request.urlopen(server.url + "metrics", timeout=60) as answer:
                if b"label_image_requests_in_work 0.0" in answer.read():
                    break
            time.sleep(0.2)
        assert ask(server, red)["label"] == "red"
