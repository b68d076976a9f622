"""Downloads that break off, go on, and lead elsewhere."""

import hashlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from web_site import Site, running

from retrain.core import download as module
from retrain.core.download import download
from retrain.core.errors import DownloadError

BODY = bytes(range(251)) * 12_000  # 3 MB, and no two chunks alike
SHA256 = hashlib.sha256(BODY).hexdigest()


@pytest.fixture
def site() -> Iterator[Site]:
    with running(Site()) as site:
        yield site


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSE", 0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "downloads" / "cats.zip"


def test_a_break_is_gone_over_in_the_same_run(site: Site, path: Path) -> None:
    url = site.serve("/cats.zip", BODY, breaks=[1_000_000, 700_001, 5])
    seen: list[int] = []
    download(url, path, SHA256, lambda done, total: seen.append(done))
    assert path.read_bytes() == BODY and os.listdir(path.parent) == ["cats.zip"]
    assert [asked for _, asked in site.asked] == ["", "bytes=1000000-", "bytes=1700001-", "bytes=1700006-"]
    assert seen == sorted(seen) and seen[-1] == len(BODY)


@pytest.mark.parametrize("more", [{}, {"tag": "", "date": "Sat, 28 Nov 2026 10:00:00 GMT"}], ids=["tag", "date"])
def test_the_next_run_goes_on(more: dict[str, str], site: Site, path: Path) -> None:
    url = site.serve("/cats.zip", BODY, **more)

    def interrupt(done: int, total: int | None) -> None:
        if done > 1_000_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download(url, path, progress=interrupt)
    seen: list[int] = []
    download(url, path, progress=lambda done, total: seen.append(done))
    assert path.read_bytes() == BODY and os.listdir(path.parent) == ["cats.zip"]
    assert site.asked[1][1] == f"bytes={seen[0]}-" and seen[0] > 1_000_000


@pytest.mark.parametrize("ranges", [True, False])
def test_a_file_that_has_changed_is_fetched_from_its_beginning(ranges: bool, site: Site, path: Path) -> None:
    url = site.serve("/cats.zip", BODY[::-1], breaks=[1_000_000, 0])
    with pytest.raises(DownloadError, match="broke off after 1000000 of 3012000 bytes: run the same command again"):
        download(url, path)
    site.serve("/cats.zip", BODY, ranges=ranges)
    download(url, path)
    assert path.read_bytes() == BODY


def test_a_server_without_ranges_starts_again(site: Site, path: Path) -> None:
    url = site.serve("/cats.zip", BODY, ranges=False, breaks=[1_000_000])
    download(url, path, SHA256)
    assert path.read_bytes() == BODY


def test_nothing_is_kept_of_a_file_whose_state_nobody_knows(site: Site, path: Path) -> None:
    url = site.serve("/cats.zip", BODY, tag="", breaks=[1_000_000])
    with pytest.raises(DownloadError, match="broke off"):
        download(url, path)
    assert os.listdir(path.parent) == []
    url = site.serve("/cats.zip", BODY, tag='W/"weak"', breaks=[1_000_000])
    with pytest.raises(DownloadError, match="broke off"):
        download(url, path)
    assert os.listdir(path.parent) == []


def test_parts_of_two_states_are_found_by_the_checksum_and_fetched_again(site: Site, path: Path) -> None:
    url = site.serve("/cats.zip", BODY[::-1], tag="", breaks=[1_000_000, 0])
    with pytest.raises(DownloadError, match="broke off"):
        download(url, path, SHA256)
    site.serve("/cats.zip", BODY, tag="")
    download(url, path, SHA256)
    assert path.read_bytes() == BODY
    assert [asked for _, asked in site.asked] == ["", "bytes=1000000-", "bytes=1000000-", ""]


def test_a_part_of_another_address_is_not_gone_on_with(site: Site, path: Path) -> None:
    url = site.serve("/cats.zip", BODY[::-1], breaks=[1_000_000, 0])
    with pytest.raises(DownloadError, match="broke off"):
        download(url, path, SHA256)
    download(site.serve("/other.zip", BODY), path, SHA256)
    assert path.read_bytes() == BODY and site.asked[-1] == ("/other.zip", "")


def test_a_wrong_checksum_and_a_wrong_size_are_refused(site: Site, path: Path) -> None:
    url = site.serve("/cats.zip", BODY)
    with pytest.raises(DownloadError, match=f"arrived with checksum {SHA256} instead of {'0' * 64}"):
        download(url, path, "0" * 64)
    with pytest.raises(DownloadError, match="has 3012000 bytes, not the 5 of the file that is meant"):
        download(url, path, size=5)
    with pytest.raises(DownloadError, match="arrived with checksum"):
        download(f"{url}#sha256={'0' * 64}", path)
    assert os.listdir(path.parent) == []
    download(f"{url}#sha256={SHA256.upper()}", path)
    assert path.read_bytes() == BODY


@pytest.mark.parametrize("fragment", ["sha256=12", "md5=0", "cats"])
def test_what_is_no_checksum_is_refused(fragment: str, path: Path) -> None:
    with pytest.raises(DownloadError, match="write #sha256= and 64 hex digits"):
        download(f"https://example.invalid/cats.zip#{fragment}", path)


def test_it_is_followed_on_this_machine(site: Site, path: Path) -> None:
    site.serve("/b.zip", BODY)
    url = site.serve("/a.zip", b"", location="/b.zip")
    download(url, path)
    assert path.read_bytes() == BODY


@pytest.mark.parametrize(
    "location", ["http://example.invalid/a.zip", "ftp://127.0.0.1/a.zip", "file:///etc/hostname", "data:,abc"]
)
def test_it_is_not_followed_to_where_it_could_be_changed(location: str, site: Site, path: Path) -> None:
    url = site.serve("/a.zip", b"", location=location)
    with pytest.raises(DownloadError, match=r"a\.zip (leads to .*: it is not followed|answered 302 .* is not allowed)"):
        download(url, path)


def test_a_circle_is_one_sentence(site: Site, path: Path) -> None:
    url = site.serve("/a.zip", b"", location="/a.zip")
    with pytest.raises(DownloadError, match=r"answered 302 [^\n]+\. Fetch it"):
        download(url, path)


@pytest.mark.parametrize("url", ["http://example.invalid/a.zip", "http://10.0.0.1/a.zip", "http://localhost.evil/a"])
def test_plain_http_to_others_needs_a_checksum(url: str, path: Path) -> None:
    with pytest.raises(DownloadError, match=r"is not encrypted.*add the file's checksum"):
        download(url, path)
    with pytest.raises(DownloadError, match="cannot be reached"):
        download("http://127.0.0.1:9/a.zip", path)


def test_https_never_leads_to_http() -> None:
    from io import BytesIO
    from urllib.request import Request

    from label_image.web_address import _Redirects

    follow = _Redirects("https://example.invalid/a")
    asked = Request("https://example.invalid/a")
    with pytest.raises(DownloadError, match="not followed"):
        follow.redirect_request(asked, BytesIO(), 302, "Found", {}, "http://127.0.0.1/a")
    assert follow.redirect_request(asked, BytesIO(), 302, "Found", {}, "https://other.invalid/a") is not None


def test_a_second_run_waits_for_the_first_and_fetches_nothing(site: Site, path: Path) -> None:
    url = site.serve("/cats.zip", BODY, seconds_each=0.01)
    begun = threading.Event()
    first = threading.Thread(target=download, args=(url, path, SHA256, lambda done, total: begun.set()))
    first.start()
    assert begun.wait(60)
    seen: list[tuple[int, int | None]] = []
    download(url, path, SHA256, lambda done, total: seen.append((done, total)))
    first.join()
    assert path.read_bytes() == BODY and len(site.asked) == 1 and os.listdir(path.parent) == ["cats.zip"]
    assert seen and {total for _, total in seen} <= {None, len(BODY)}


def test_where_there_are_no_locks_each_run_has_its_own_part(
    site: Site, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("retrain.core.part.locked", lambda descriptor: None)
    url = site.serve("/cats.zip", BODY, breaks=[1_000_000])
    download(url, path)
    assert path.read_bytes() == BODY and os.listdir(path.parent) == ["cats.zip"]


@pytest.mark.kills
def test_it_goes_on_after_kills(site: Site, path: Path) -> None:
    url = site.serve("/cats.zip", BODY * 4, seconds_each=0.002)
    sha256 = hashlib.sha256(BODY * 4).hexdigest()
    code = "import sys; from pathlib import Path; from retrain.core.download import download; "
    code += "download(sys.argv[1], Path(sys.argv[2]), sys.argv[3], lambda done, total: print(done, flush=True))"
    last = 0
    for kill_at in (0.1, 0.3, 0.55, 0.7, 0.9, 2):
        with subprocess.Popen(
            [sys.executable, "-c", code, url, path, sha256], stdout=subprocess.PIPE, text=True
        ) as run:
            assert run.stdout is not None
            told = [int(line) for line in iter(run.stdout.readline, "") if not _kill(run, int(line), kill_at)]
        assert not told or told[0] >= last - module.CHUNK
        last = told[-1] if told else last
    assert hashlib.sha256(path.read_bytes()).hexdigest() == sha256 and os.listdir(path.parent) == ["cats.zip"]


def _kill(run: "subprocess.Popen[str]", done: int, kill_at: float) -> bool:
    if done < kill_at * len(BODY) * 4:
        return False
    run.send_signal(signal.SIGKILL)
    return True
