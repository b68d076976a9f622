"""What a phone gets: addresses, their QR codes, and the camera page of the exported model."""

import os
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest
from studios import studio_in

from label_image.serve.page import find
from retrain.studio import phone
from retrain.studio.config import StudioConfig
from retrain.studio.phone import phone_addresses, phone_page, qr_svg


@pytest.fixture
def studio(tmp_path: Path) -> StudioConfig:
    return studio_in(tmp_path)


def test_the_address_for_collecting_has_the_phones_token_alone(studio: StudioConfig) -> None:
    found = phone_addresses(replace(studio, host="192.168.1.7", port=8443, https=True))
    assert found.collect == "https://192.168.1.7:8443/collect/#token=phone%20token"
    assert found.trying == "https://192.168.1.7:8443/try/"
    assert found.plain() == {"isReachable": True, "collect": found.collect, "try": found.trying}


@pytest.mark.parametrize(
    "host, https, reachable",
    [
        ("127.0.0.1", True, False),
        ("localhost", True, False),
        ("::1", True, False),
        ("192.168.1.7", False, False),
        ("192.168.1.7", True, True),
        ("fe80::1", True, True),
    ],
)
def test_a_phone_needs_a_network_and_https(studio: StudioConfig, host: str, https: bool, reachable: bool) -> None:
    assert phone_addresses(replace(studio, host=host, https=https)).is_reachable is reachable


@pytest.mark.parametrize("lan, host, reachable", [("10.1.2.3", "10.1.2.3", True), (None, "localhost", False)])
def test_all_addresses_are_shown_as_that_in_the_network(
    studio: StudioConfig, monkeypatch: pytest.MonkeyPatch, lan: str | None, host: str, reachable: bool
) -> None:
    monkeypatch.setattr(phone, "lan_address", lambda: lan)
    found = phone_addresses(replace(studio, host="0.0.0.0", https=True))
    assert found.collect.startswith(f"https://{host}:8000/") and found.is_reachable is reachable


def test_a_qr_code_is_a_picture_without_styles_and_scripts() -> None:
    drawn = qr_svg("https://192.168.1.7:8443/collect/#token=abc")
    root = ET.fromstring(drawn)
    assert root.tag == "{http://www.w3.org/2000/svg}svg" and root.get("viewBox") and not root.get("width")
    for element in root.iter():
        assert element.tag.rpartition("}")[2] in ("svg", "path", "g")
        assert not {"style", "class", "href"} & set(element.attrib)
        assert not any(name.startswith("on") for name in element.attrib)
    assert qr_svg("another") != drawn


def test_a_qr_code_says_what_it_was_made_of() -> None:
    """Its dark modules, read from the path, are those of the code itself."""
    segno = pytest.importorskip("segno")
    text = "https://192.168.1.7:8443/try/"
    (path,) = re.findall(rb'stroke="#000" d="([^"]+)"', qr_svg(text))
    dark = sum(int(length) for length in re.findall(rb"h(\d+)", path))
    assert dark == sum(map(sum, segno.make(text, error="m", micro=False).matrix))


def test_without_a_page_there_is_none(studio: StudioConfig) -> None:
    assert phone_page(studio.output_dir) == {}
    studio.output_dir.mkdir()
    assert phone_page(studio.output_dir) == {}


def write(folder: Path, text: str) -> None:
    """A page, put in place as a whole, as exports are."""
    new = folder.with_name("new")
    (new / "icons").mkdir(parents=True)
    (new / "index.html").write_text(text)
    (new / "icons" / "a.js").write_text("1")
    (new / "model-1.tflite.gz").write_bytes(b"model")
    if folder.exists():
        os.rename(folder, folder.with_name(f"old {text}"))
    os.rename(new, folder)


def test_the_page_is_read_once_and_again_when_it_is_another(studio: StudioConfig) -> None:
    folder = studio.output_dir / "web"
    folder.mkdir(parents=True)
    folder.rmdir()
    write(folder, "one")
    page = phone_page(studio.output_dir)
    assert set(page) == {"index.html", "icons/a.js", "model-1.tflite.gz"}
    index = find(page, "/")
    assert index is not None and index.content == b"one" and index.kind == "text/html; charset=utf-8"
    assert page["model-1.tflite.gz"].kind == "application/gzip"
    assert find(page, "/../photos/red/0.png") is None
    assert phone_page(studio.output_dir) is page
    write(folder, "two")
    assert phone_page(studio.output_dir)["index.html"].content == b"two"


def test_the_larger_page_goes_before_the_small_one(studio: StudioConfig) -> None:
    studio.output_dir.mkdir()
    write(studio.output_dir / "web_int8", "small")
    assert phone_page(studio.output_dir)["index.html"].content == b"small"
    write(studio.output_dir / "web", "large")
    assert phone_page(studio.output_dir)["index.html"].content == b"large"


def test_a_link_in_the_page_is_not_followed(studio: StudioConfig, tmp_path: Path) -> None:
    studio.output_dir.mkdir()
    write(studio.output_dir / "web", "one")
    (tmp_path / "secret").write_text("secret")
    (studio.output_dir / "web/linked").symlink_to(tmp_path / "secret")
    assert "linked" not in phone_page(studio.output_dir)


def test_a_page_that_another_takes_the_place_of_meanwhile_is_read_again(
    studio: StudioConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio.output_dir.mkdir()
    write(studio.output_dir / "web", "one")
    read, readings = phone._files, []

    def read_while_it_is_written(folder: Path) -> object:
        found = read(folder)
        if not readings:
            write(folder, "two")
        readings.append(found)
        return found

    monkeypatch.setattr(phone, "_files", read_while_it_is_written)
    assert phone_page(studio.output_dir)["index.html"].content == b"two"
    assert len(readings) == 2
