"""Addresses as people write them: what is asked of a server, and what is not."""

from collections.abc import Iterator

import pytest
from web_site import Site, running

from label_image.errors import DownloadError
from label_image.web_address import check_address, opened, quoted, with_checksum

SECRETS = [
    "https://ana:secret@photos.example/g.jpg",
    "https://ana:secret@photos.example:443/g.jpg",
    "https://secret@photos.example/g.jpg",
    "https://ana%3Asecret%40photos.example/g.jpg",
    "https://ana:secret@[photos/g.jpg",
    "ftp://ana:secret@photos.example/g.jpg",
]


@pytest.fixture
def site() -> Iterator[Site]:
    with running(Site()) as site:
        yield site


@pytest.mark.parametrize(
    ("written", "asked"),
    [
        ("https://a.example/gató.jpg", "https://a.example/gat%C3%B3.jpg"),
        ("https://a.example/a b.jpg?q=á é", "https://a.example/a%20b.jpg?q=%C3%A1%20%C3%A9"),
        ("https://a.example/gat%C3%B3+100%.jpg?q=a%20b&c='(1)'", None),
        ("https://bücher.example:8443/猫", "https://xn--bcher-kva.example:8443/%E7%8C%AB"),
        ("https://b%C3%BCcher.example/", "https://xn--bcher-kva.example/"),
        ("https://a.example/\udcff.jpg", "https://a.example/%FF.jpg"),
        ("http://[::1]:8501/a", None),
        ("https://a.example", None),
    ],
)
def test_an_address_is_asked_in_ascii_and_what_is_quoted_stays(written: str, asked: str | None) -> None:
    assert quoted(written) == (asked or written)
    assert quoted(quoted(written)) == quoted(written)


@pytest.mark.parametrize("path", ["/gató.jpg", "/a b.jpg"])
def test_a_photo_with_accents_or_spaces_is_fetched(path: str, site: Site) -> None:
    site.serve(quoted(path), b"photo")
    with opened(site.url + path, {}, False) as answer:
        assert answer.read() == b"photo"
    url = site.serve("/to", b"", location=f"{site.url}{path}".encode().decode("latin-1"))
    with opened(url, {}, False) as answer:
        assert answer.read() == b"photo"


@pytest.mark.parametrize("url", SECRETS)
def test_a_password_is_refused_and_not_repeated(url: str) -> None:
    for refuse in (lambda: check_address(url, True), lambda: with_checksum(f"{url}#sha256=no")):
        with pytest.raises(DownloadError, match="was given with a user or a password, which are not sent") as raised:
            refuse()
        assert "secret" not in str(raised.value)


@pytest.mark.parametrize("url", [url for url in SECRETS if "[" not in url])
def test_a_server_that_leads_to_an_address_with_a_password_is_not_followed(url: str, site: Site) -> None:
    leading = site.serve("/to", b"", location=url)
    with pytest.raises(DownloadError, match=r"/to leads to .*: it is not followed") as raised:
        opened(leading, {}, False)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("host", [f"{'á' * 64}.example", "a..é", "é%2f.example"])
def test_a_host_that_cannot_be_looked_up_is_said(host: str) -> None:
    with pytest.raises(DownloadError, match="is not an address: "):
        check_address(f"https://{host}/a.jpg", True)


def test_an_at_sign_behind_the_host_is_no_password() -> None:
    check_address("https://photos.example/@ana:x/g.jpg?to=ana@b.example", False)
