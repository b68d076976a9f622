"""Photos from standard input and from addresses."""

import hashlib
import io
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread

import pytest
from labelling import label, rows
from painting import paint
from web_site import Site, running

from label_image import one_photo
from label_image.find_photos import find_photos

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def model(trained: Path) -> Path:
    return trained


@pytest.fixture
def red(here: Path) -> bytes:
    return paint(here / "r.jpg", "red").read_bytes()


@pytest.fixture
def site() -> Iterator[Site]:
    with running(Site()) as site:
        yield site


def feed(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


# Standard input


def test_standard_input(model: Path, red: bytes) -> None:
    command = [sys.executable, "-m", "label_image", "--model", model, "-", "--json"]
    done = subprocess.run(command, input=red, capture_output=True, cwd=ROOT, check=True)
    answer = json.loads(done.stdout)
    assert (answer["image"], answer["label"], done.stderr) == ("-", "red", b"")


def test_standard_input_among_others_and_in_a_table(model: Path, red: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    feed(monkeypatch, red)
    said = label(model, "r.jpg", "-", "--csv", "t.csv")
    assert "2 photos: 2 labelled" in said.out
    assert [row["path"] for row in rows(Path("t.csv"))] == ["r.jpg", "-"]


def test_standard_input_that_is_no_photo(model: Path, red: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    feed(monkeypatch, b"no photo")
    assert label(model, "-", code=1).err.startswith("Error: Standard input is not a photo")


def test_standard_input_that_is_closed(model: Path, red: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    assert label(model, "-", code=1).err == "Error: Standard input cannot be read: it is closed.\n"


def test_standard_input_without_end(model: Path, red: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(one_photo, "MAX_BYTES", 1000)
    feed(monkeypatch, bytes(1001))
    assert "has more than 1000 bytes" in label(model, "-", code=1).err


def test_a_file_that_is_called_so_can_be_named(model: Path, red: bytes) -> None:
    Path("-").write_bytes(red)
    assert list(find_photos(["."])) == ["./-", "r.jpg"]
    assert label(model, "./-").out.startswith("./-\n")


# Addresses


def test_an_address(model: Path, red: bytes, site: Site) -> None:
    url = site.serve("/cats/r.jpg", red)
    said = label(model, url, "--json")
    assert json.loads(said.out)["image"] == url and json.loads(said.out)["label"] == "red"
    assert [path for path, _ in site.asked] == ["/cats/r.jpg"]


def test_an_address_with_the_signs_of_a_pattern_is_one(model: Path, red: bytes, site: Site) -> None:
    url = site.serve("/r.jpg", red) + "?size=[1]*"
    assert label(model, url).out.startswith(url)


@pytest.mark.parametrize(("name", "asked"), [("gató.jpg", "/gat%C3%B3.jpg"), ("a b.jpg", "/a%20b.jpg")])
def test_an_address_with_accents_or_spaces(name: str, asked: str, model: Path, red: bytes, site: Site) -> None:
    site.serve(asked, red)
    said = label(model, f"{site.url}/{name}", "--json")
    assert json.loads(said.out)["image"] == f"{site.url}/{name}" and json.loads(said.out)["label"] == "red"


def test_an_address_with_a_password_is_a_wrong_call_that_does_not_repeat_it(model: Path, red: bytes) -> None:
    said = label(model, "https://ana:secret@photos.example.com/g.jpg", code=2)
    assert "https://photos.example.com/g.jpg was given with a user or a password" in said.err
    assert "secret" not in said.err


def test_its_checksum_is_checked(model: Path, red: bytes, site: Site) -> None:
    url = site.serve("/r.jpg", red)
    label(model, f"{url}#sha256={hashlib.sha256(red).hexdigest()}")
    said = label(model, f"{url}#sha256={'0' * 64}", code=1)
    assert "arrived with another checksum than the address says" in said.err


def test_a_server_that_has_no_such_photo(model: Path, red: bytes, site: Site) -> None:
    assert (
        f"{site.url}/none.jpg cannot be fetched: the server answered 404"
        in label(model, f"{site.url}/none.jpg", code=1).err
    )


def test_a_page_is_no_photo(model: Path, red: bytes, site: Site) -> None:
    assert "is not a photo" in label(model, site.serve("/x", b"<html>"), code=1).err


def test_a_server_that_leads_to_what_is_not_encrypted_is_not_followed(model: Path, red: bytes, site: Site) -> None:
    url = site.serve("/r.jpg", b"", location="http://example.com/r.jpg")
    assert "it is not followed" in label(model, url, code=1).err


def test_a_photo_that_breaks_off(model: Path, red: bytes, site: Site) -> None:
    url = site.serve("/r.jpg", red, breaks=[100])
    assert f"broke off {len(red) - 100} bytes before its end" in label(model, url, code=1).err


def test_a_photo_that_is_too_large(model: Path, red: bytes, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(one_photo, "MAX_BYTES", 100_000)
    assert "has more than 100000 bytes" in label(model, site.serve("/x", bytes(200_000)), code=1).err


def test_nobody_is_there(model: Path, red: bytes) -> None:
    assert "cannot be fetched: [Errno 111] Connection refused" in label(model, "http://127.0.0.1:9/r.jpg", code=1).err


def test_a_server_that_sends_byte_by_byte(model: Path, red: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(one_photo, "SECONDS", 1.0)
    ended = Event()

    class Slow(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            while not ended.wait(0.05):  # of its first line
                self.wfile.write(b"H")

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Slow) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        began = time.monotonic()
        try:
            said = label(model, f"http://127.0.0.1:{server.server_port}/r.jpg", code=1)
        finally:
            ended.set()
            server.shutdown()
            thread.join()
    assert "has not arrived within 1 seconds" in said.err and time.monotonic() - began < 30
