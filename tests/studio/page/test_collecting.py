"""Photos come in: chosen, dropped and pasted, as folders and archives, by webcam and phone; what is refused is told."""

import json
import re
from pathlib import Path

import pytest
from chromium import Page
from painting import paint
from studio_page import Opening, at
from studio_stand_in import Studio, filled

pytestmark = pytest.mark.browser


def dropped(page: Page, *paths: Path) -> None:
    """Drop files or folders from outside the browser in the middle of the page."""
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        page.call("Input.dispatchDragEvent", type=kind, x=600, y=500, data=data)


def added(studio: Studio) -> set[tuple[str | None, str]]:
    return {(label, name) for what, value in studio.asked if what == "photos" for label, name, _ in [value]}


def test_from_nothing_two_classes_are_named(opened: Opening) -> None:
    studio = Studio()
    page = opened(studio)
    assert page.text("#empty h2") == "What should it tell apart?"
    assert page.run("getComputedStyle(document.querySelector('#model')).display") == "none"
    for key, name in (("first", "tabby"), ("second", "siamese")):
        page.run(f"document.querySelector('#class-{key}').value = '{name}'")
    page.press(".two .main")
    page.wait("document.querySelector('#heading')?.textContent === 'tabby'")
    assert studio.classes == ["siamese", "tabby"]
    assert page.text("#empty").startswith("Drop photos here")
    assert page.text("#train .go").startswith("There are no photos of")


def test_chosen_files_go_into_the_class_that_is_looked_at(opened: Opening, tmp_path: Path) -> None:
    studio = filled({"siamese": 1, "tabby": 1})
    page = opened(studio)
    at(page, "class", "tabby")
    page.press("[data-key=addPhotos]")
    page.choose("#chooser", paint(tmp_path / "a.png"), paint(tmp_path / "b.png", "blue"))
    page.wait("document.querySelectorAll('.tile').length === 3")
    assert added(studio) == {("tabby", "a.png"), ("tabby", "b.png")}
    page.wait("document.querySelector('#toasts').textContent.includes('2 photos added')")


def test_dropped_folders_are_classes(opened: Opening, tmp_path: Path) -> None:
    for name in ("cats/tabby/a.png", "cats/siamese/old/b.png", "c.png"):
        paint(tmp_path / name)
    (tmp_path / "cats" / ".DS_Store").write_bytes(b"x")
    studio = Studio()
    page = opened(studio)
    page.wait("!!document.querySelector('.welcome')")
    dropped(page, tmp_path / "cats", tmp_path / "c.png")
    page.wait("document.querySelectorAll('.tile').length === 3")
    assert added(studio) == {("tabby", "a.png"), ("siamese", "b.png"), (None, "c.png")}


def test_what_is_refused_is_listed_with_its_reason(opened: Opening, tmp_path: Path) -> None:
    studio = filled({"siamese": 1, "tabby": 1})
    studio.refuses["bad.png"] = "bad.png is no photo."
    page = opened(studio)
    page.press("[data-key=addPhotos]")
    page.choose("#chooser", paint(tmp_path / "bad.png"), paint(tmp_path / "good.png"))
    page.wait("!!document.querySelector('.failed li')")
    assert page.text(".failed li") == "bad.png is no photo."
    page.wait("document.querySelectorAll('.tile').length === 3")
    page.press("[data-key=forget]")
    assert page.run("document.querySelector('#uploads').hidden")
    page.browser.said.clear()  # the answer of 415 is told on the console too


def test_an_archive_goes_as_a_whole(opened: Opening, tmp_path: Path) -> None:
    (tmp_path / "cats.zip").write_bytes(b"PK and so on")
    studio = filled({"siamese": 1, "tabby": 1})
    page = opened(studio)
    page.press("[data-key=addPhotos]")
    page.choose("#chooser", tmp_path / "cats.zip")
    page.wait("!!document.querySelector('.failed li')")
    assert ("archives", [None, 12]) in studio.asked
    assert "notes.txt" in page.text(".failed li")
    page.wait("document.querySelector('#toasts').textContent.includes('3 photos added. 1 was there already.')")


def test_a_pasted_picture_is_added(opened: Opening) -> None:
    studio = filled({"siamese": 1, "tabby": 1})
    page = opened(studio)
    at(page, "class", "siamese")
    page.run(
        "const data = new DataTransfer(); data.items.add(new File(['x'], 'image.png', {type: 'image/png'}));"
        "document.dispatchEvent(new ClipboardEvent('paste', {clipboardData: data}))"
    )
    page.wait("document.querySelectorAll('.tile').length === 2")
    assert added(studio) == {("siamese", "image.png")}


def test_holding_the_button_takes_a_burst(opened: Opening) -> None:
    studio = filled({"siamese": 1, "tabby": 1})
    page = opened(studio)
    at(page, "class", "tabby")
    page.press("[data-key=webcam]")
    page.wait("document.activeElement.id === 'hold' && document.querySelector('.webcam video').readyState > 1")
    space = {"key": " ", "code": "Space", "windowsVirtualKeyCode": 32}
    page.call("Input.dispatchKeyEvent", type="keyDown", text=" ", **space)
    page.wait("document.querySelectorAll('.tile').length >= 4")
    page.call("Input.dispatchKeyEvent", type="keyUp", **space)
    page.wait("document.querySelector('#uploads').hidden && !document.querySelector('.held')")
    names = sorted(name for label, name in added(studio) if label == "tabby")
    assert len(names) >= 3 and len(names) == len(added(studio))
    assert len({name.partition("_nohash_")[0] for name in names}) == 1
    assert all(re.fullmatch(r"webcam-\d{8}-\d{6}_nohash_\d\d\.jpg", name) for name in names)
    page.press("[data-key=close-webcam]")
    page.wait("!document.querySelector('.webcam')")


def test_a_lost_server_is_told_and_found_again_and_loses_no_photo(opened: Opening, tmp_path: Path) -> None:
    studio = filled({"siamese": 1, "tabby": 1})
    studio.options = "--port 8719 --output_dir 'my model'"
    server = opened.serve(studio)
    page = opened(server)
    page.wait("document.querySelectorAll('.tile').length === 2")
    server.stop()
    page.wait("!document.querySelector('#banner').hidden")
    assert [line for line in page.text("#banner").splitlines() if line] == [
        "The studio has stopped: your photos are safe in /home/ana/cats.",
        "Start it again with",
        r"make studio IMAGE_DIR=/home/ana/cats ARGS='--port 8719 --output_dir '\''my model'\'''",
        "or retrain studio /home/ana/cats --port 8719 --output_dir 'my model'",
    ]
    page.press("[data-key=addPhotos]")
    page.choose("#chooser", paint(tmp_path / "late.png"))
    page.wait("!!document.querySelector('#uploading, .failed')")
    server.start()
    page.wait("document.querySelector('#banner').hidden")
    page.wait("document.querySelectorAll('.tile').length === 3")
    assert added(studio) == {(None, "late.png")}
    page.browser.said.clear()  # of the server that was gone


def test_the_token_is_given_once_and_leaves_the_address(opened: Opening) -> None:
    studio = filled({"siamese": 1, "tabby": 1})
    studio.token = "a secret"
    page = opened(studio, "?lang=en#token=a%20secret")
    page.wait("document.querySelectorAll('.tile').length === 2")
    assert page.run("location.hash + location.search") == "?lang=en"


def test_without_the_token_it_is_told_how_to_get_in(opened: Opening) -> None:
    studio = filled({"siamese": 1, "tabby": 1})
    studio.token = "a secret"
    server = opened.serve(studio)
    page = opened.browser.open(f"{server.url}#token=wrong", 1280, 900)
    opened.pages.append(page)
    page.wait("!!document.querySelector('.locked')")
    assert page.text("h1") == "Open the address that the terminal shows"
    page.browser.said.clear()  # the answers of 401


def test_the_phones_page_sends_photos_into_the_class(opened: Opening, tmp_path: Path) -> None:
    studio = filled({"siamese": 1, "tabby": 1})
    page = opened(studio, "collect/", width=390)
    page.run("[...document.querySelectorAll('.labels input')].at(-1).click()")
    page.press("[data-key=take]")
    page.choose("#chooser", paint(tmp_path / "IMG_1.png"))
    page.wait("document.querySelector('#counted').textContent === '1 photo sent'")
    assert added(studio) == {("tabby", "IMG_1.png")}
    page.press("[data-key=live]")
    page.wait("document.querySelector('.live-camera')?.readyState > 1")
    page.run("document.querySelector('#shoot').focus()")
    page.key(" ")
    page.wait("document.querySelector('#counted').textContent === '2 photos sent'")
    assert json.dumps(sorted(name for _, name in added(studio))).count("_nohash_01.jpg") == 1


def test_a_file_that_is_gone_once_it_is_sent_is_told_as_such(opened: Opening, tmp_path: Path) -> None:
    studio = filled({"siamese": 1, "tabby": 1})
    page = opened(studio)
    late = paint(tmp_path / "late.png")
    page.run(
        "window.choose = HTMLInputElement.prototype.click; HTMLInputElement.prototype.click = function () {"
        "if (this.type !== 'file') window.choose.call(this); }"
    )
    page.press("[data-key=addPhotos]")
    page.run(
        "document.querySelector('#chooser').addEventListener('change', event => {"
        "window.chosen = [...event.target.files]; event.stopImmediatePropagation(); }, true)"
    )
    page.choose("#chooser", late)
    page.wait("!!window.chosen")
    late.unlink()
    page.run(
        "const data = new DataTransfer(); for (const file of window.chosen) data.items.add(file);"
        "document.dispatchEvent(new ClipboardEvent('paste', {clipboardData: data}))"
    )
    page.wait("!!document.querySelector('.failed li')")
    told = "late.png cannot be read or sent. If it was moved or changed since, choose it again."
    assert page.text(".failed li") == told
    page.browser.said.clear()  # that it was not found


def test_of_many_that_are_refused_a_hundred_are_listed_and_the_others_counted(opened: Opening) -> None:
    studio = filled({"siamese": 1, "tabby": 1})
    studio.refuses = {f"{number}.txt": "is no photo." for number in range(130)}
    page = opened(studio)
    page.run(
        "const data = new DataTransfer(); for (let i = 0; i < 130; i++) data.items.add(new File(['x'], `${i}.txt`));"
        "document.dispatchEvent(new ClipboardEvent('paste', {clipboardData: data}))"
    )
    page.wait("!!document.querySelector('.failed[role=alert]')")
    assert page.run("document.querySelectorAll('.failed li').length") == 101
    assert page.text(".failed li:last-child") == "and 30 more"
    assert page.text(".failed p") == "130 files were not added"
    page.browser.said.clear()  # the answers of 415


def test_a_drop_without_photos_is_answered(opened: Opening, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    studio = filled({"siamese": 1, "tabby": 1})
    page = opened(studio)
    dropped(page, tmp_path / "empty")
    page.wait("document.querySelector('#toasts').textContent.includes('There is no photo in it.')")
    assert added(studio) == set()


def test_a_page_with_photos_on_their_way_asks_before_it_is_left(opened: Opening) -> None:
    page = opened(filled({"siamese": 1, "tabby": 1}))
    leave = "!dispatchEvent(new Event('beforeunload', {cancelable: true}))"
    assert page.run(leave) is False
    begin = (
        "const data = new DataTransfer(); data.items.add(new File(['x'], 'image.png', {type: 'image/png'}));"
        "document.dispatchEvent(new ClipboardEvent('paste', {clipboardData: data}));"
    )
    assert page.run(f"new Promise(done => {{ {begin} setTimeout(() => done({leave}), 0); }})") is True
    page.wait("document.querySelector('#uploads').hidden")


def test_a_webcam_that_is_unplugged_is_told_and_opened_again(opened: Opening) -> None:
    page = opened(filled({"siamese": 1, "tabby": 1}))
    video = "document.querySelector('.webcam video')"
    page.press("[data-key=webcam]")
    page.wait(f"document.activeElement.id === 'hold' && {video}.readyState > 1")
    page.run(f"{video}.srcObject.getTracks()[0].dispatchEvent(new Event('ended'))")
    assert page.text(".webcam .notice") == "The camera was unplugged or closed. Open it again, or choose photos."
    assert page.run("document.querySelector('#hold').disabled")
    page.press("[data-key=webcam]")
    page.wait(f"document.activeElement.id === 'hold' && {video}.readyState > 1")
