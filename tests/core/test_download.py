import hashlib
import os
import socket
from pathlib import Path
from types import SimpleNamespace as Server

import pytest

from retrain.core import download as module
from retrain.core.download import download
from retrain.core.errors import DownloadError

BODY = bytes(range(256)) * 3000  # several chunks


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "models" / "net.h5"


def refused(url: str, path: Path, checksum: str | None = None) -> str:
    """The sentence of a download that fails, having left no temporary file."""
    with pytest.raises(DownloadError) as error:
        download(url, path, checksum)
    assert not list(path.parent.glob(".*"))
    return str(error.value)


@pytest.mark.parametrize("length", [len(BODY), None], ids=["length promised", "no length"])
def test_a_file_arrives_whole_with_progress(length: int | None, server: Server, path: Path) -> None:
    server.pages["/net.h5"] = (200, BODY, length)
    seen: list[tuple[int, int | None]] = []
    download(server.url + "net.h5", path, progress=lambda done, total: seen.append((done, total)))
    assert path.read_bytes() == BODY
    assert os.listdir(path.parent) == ["net.h5"]
    assert [done for done, _ in seen] == [module.CHUNK, 2 * module.CHUNK, len(BODY)]
    assert {total for _, total in seen} == {length}


@pytest.mark.parametrize("algorithm", ["md5", "sha256"])
def test_the_checksum_is_checked(algorithm: str, server: Server, path: Path) -> None:
    server.pages["/net.h5"] = (200, BODY, len(BODY))
    checksum = hashlib.new(algorithm, BODY).hexdigest()
    download(server.url + "net.h5", path, checksum)
    assert path.read_bytes() == BODY
    path.unlink()
    wrong = hashlib.new(algorithm, b"other").hexdigest()
    sentence = refused(server.url + "net.h5", path, wrong)
    assert checksum in sentence and wrong in sentence and str(path) in sentence
    assert not path.exists()


def test_a_page_that_is_not_there_is_named(server: Server, path: Path) -> None:
    sentence = refused(server.url + "net.h5", path)
    assert f"{server.url}net.h5 answered 404 Not Found" in sentence
    assert f"put it at {path}" in sentence


def test_a_body_cut_short_is_refused(server: Server, path: Path) -> None:
    server.pages["/net.h5"] = (200, BODY[:1000], len(BODY))
    assert f"1000 of {len(BODY)} bytes" in refused(server.url + "net.h5", path)
    assert not path.exists()


def test_a_machine_that_refuses_is_named(path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    sentence = refused(f"http://127.0.0.1:{port}/net.h5", path)
    assert "cannot be reached" in sentence and f"put it at {path}" in sentence


def test_a_server_that_speaks_no_http_is_a_download_error(path: Path) -> None:
    from threading import Thread

    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"SSH-2.0-OpenSSH\r\n")

        thread = Thread(target=answer)
        thread.start()
        sentence = refused(f"http://127.0.0.1:{listening.getsockname()[1]}/net.h5", path)
        thread.join()
    assert "cannot be reached" in sentence


@pytest.mark.parametrize("page", [(404, b"", 0), (200, BODY[:5], len(BODY)), (200, b"other", 5)])
def test_an_existing_file_survives_a_failure(page: tuple[int, bytes, int], server: Server, path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"the old one")
    server.pages["/net.h5"] = page
    with pytest.raises(DownloadError):
        download(server.url + "net.h5", path, hashlib.md5(BODY).hexdigest())
    assert path.read_bytes() == b"the old one"
    server.pages["/net.h5"] = (200, BODY, len(BODY))
    download(server.url + "net.h5", path, hashlib.md5(BODY).hexdigest())
    assert path.read_bytes() == BODY


def test_an_interrupted_download_leaves_nothing(server: Server, path: Path) -> None:
    server.pages["/net.h5"] = (200, BODY, len(BODY))

    def interrupt(done: int, total: int | None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download(server.url + "net.h5", path, progress=interrupt)
    assert os.listdir(path.parent) == []


@pytest.mark.parametrize("url", ["file:///etc/hostname", "ftp://host/net.h5", "net.h5"])
def test_only_the_web_is_fetched_from(url: str, path: Path) -> None:
    assert "not an http or https address" in refused(url, path)


@pytest.mark.parametrize("url", ["http://", "http://[::1/net.h5", "http://host:port/net.h5", "http://a b/"])
def test_an_address_that_makes_no_sense_is_a_download_error(url: str, path: Path) -> None:
    assert url in refused(url, path)


def test_a_folder_that_cannot_be_made_is_named(server: Server, tmp_path: Path) -> None:
    server.pages["/net.h5"] = (200, BODY, len(BODY))
    (tmp_path / "models").write_bytes(b"a file")
    with pytest.raises(DownloadError, match="cannot be written"):
        download(server.url + "net.h5", tmp_path / "models" / "net.h5")
