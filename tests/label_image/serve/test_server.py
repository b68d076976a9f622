"""How a server begins and ends."""

import contextlib
import json
import os
import shutil
import signal
import socket
import threading
import time
import urllib.request
from pathlib import Path

import pytest
from serving import Served, served

HEAD = b"POST /label HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"


def everything(connection: socket.socket) -> bytes:
    found = b""
    while data := connection.recv(65536):
        found += data
    return found


def answer(server: Served, path: str, body: bytes | None = None) -> bytes:
    with urllib.request.urlopen(server.url + path, body, timeout=60) as found:
        return bytes(found.read())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_what_was_asked_is_answered_before_it_ends(colours: Path, red: bytes, number: signal.Signals) -> None:
    with served(colours) as server, server.connect() as asking, server.connect():
        asking.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(red) + red[:10])
        time.sleep(0.5)
        server.process.send_signal(number)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:  # until nobody new is let in
            try:
                server.connect().close()
            except OSError:
                break
        asking.sendall(red[10:])
        answer = everything(asking)
        assert answer.startswith(b"HTTP/1.1 200 ") and json.loads(answer.split(b"\r\n\r\n")[1])["label"] == "red"
        assert server.process.wait(60) == 0
        assert "Traceback" not in server.process.stdout.read()  # type: ignore[union-attr]


def test_a_second_signal_ends_it_at_once(colours: Path, red: bytes) -> None:
    with served(colours) as server, server.connect() as asking:
        asking.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(red) + red[:10])
        time.sleep(0.5)
        server.process.terminate()
        time.sleep(1)
        assert server.process.poll() is None
        server.process.terminate()
        assert server.process.wait(10) == 128 + signal.SIGTERM


def test_a_port_that_is_taken_is_said(colours: Path) -> None:
    said = r"Error: 127\.0\.0\.1, port \d+ cannot be listened on \([^()]*\): pass another --port"
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(AssertionError, match=said),
        served(colours, "--port", str(taken.getsockname()[1])),
    ):
        pass


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="no IPv6 here")
def test_all_addresses_are_those_of_both_kinds(colours: Path) -> None:
    """The address that is said, and drawn for a phone, is one of IPv4."""
    with served(colours, "--host", "::") as server:
        for host in ("127.0.0.1", "::1"):
            socket.create_connection((host, server.port), timeout=10).close()


def test_that_nobody_reads_what_it_says_does_not_end_it(colours: Path, red: bytes, tmp_path: Path) -> None:
    place = Path(shutil.copytree(colours, tmp_path / "model"))
    with served(place) as server:
        server.process.stdout.close()  # type: ignore[union-attr]  # as `| head -1` does
        os.utime(place / "model.json")  # a new model, of which it speaks
        deadline = time.monotonic() + 60
        while b'"version":"2"' not in answer(server, "v1/models/colours"):
            assert time.monotonic() < deadline
            time.sleep(0.2)
        assert b'"label":"red"' in answer(server, "label", red)
        server.process.terminate()
        assert server.process.wait(60) == 0


def test_it_writes_no_file(colours: Path, red: bytes, tmp_path: Path) -> None:
    environment = {name: str(tmp_path) for name in ("HOME", "TMPDIR", "XDG_DATA_HOME", "XDG_CACHE_HOME")}
    big = {"Content-Type": "multipart/form-data; boundary=x"}
    form = b'--x\r\nContent-Disposition: form-data; filename="a"\r\n\r\n' + red + b"\0" * 3_000_000 + b"\r\n--x--\r\n"
    with served(colours, environment=environment) as server:
        for body, headers in ((red, {}), (form, big)):
            request = urllib.request.Request(server.url + "label", body, headers)
            with contextlib.suppress(urllib.error.HTTPError):
                urllib.request.urlopen(request, timeout=60).close()
        files = [os.readlink(file) for file in Path(f"/proc/{server.process.pid}/fd").iterdir()]
        assert not [file for file in files if "deleted" in file or file.startswith(str(tmp_path))]
        assert server.end()[0] == 0
    assert list(tmp_path.iterdir()) == []


def test_overload_is_answered_by_503_and_ends_with_it(colours: Path) -> None:
    """More than may wait: each gets an answer or is told to come again, and afterwards all is as before."""
    from serving import photo

    large = photo((220, 30, 30), "PNG", (1500, 1500))
    codes: list[int] = []

    def ask(url: str) -> None:
        request = urllib.request.Request(url + "label", large)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                assert json.load(answer)["label"] == "red"
                codes.append(answer.status)
        except urllib.error.HTTPError as error:
            assert error.headers["Retry-After"] == "1" and "busy" in json.load(error)["error"]
            codes.append(error.code)

    with served(colours, "--threads", "1", "--waiting", "1") as server:
        threads = [threading.Thread(target=ask, args=(server.url,)) for _ in range(24)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(codes) == 24 and set(codes) == {200, 503}
        codes.clear()
        ask(server.url)
        assert codes == [200] and server.end()[0] == 0
