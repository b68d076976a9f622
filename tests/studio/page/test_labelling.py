"""Photos are chosen, labelled, removed and brought back, by keys and by the mouse; the server has what is shown."""

import json
import time

import pytest
from chromium import PATIENCE, Page
from studio_page import Opening, at, shown
from studio_stand_in import Studio, filled

pytestmark = pytest.mark.browser
FOCUS = "document.querySelector('#grid').focus()"


def chosen(page: Page) -> int:
    found: int = page.run("document.querySelectorAll('.tile[aria-selected=true]').length")
    return found


def names(studio: Studio, label: str | None) -> set[str]:
    return {photo.path for photo in studio.photos if photo.label == label}


def toast(page: Page, text: str) -> None:
    page.wait(f"document.querySelector('#toasts').textContent.includes({json.dumps(text)})")


def test_a_digit_puts_chosen_photos_into_its_class_and_u_brings_them_back(opened: Opening) -> None:
    studio = filled({"siamese": 3, "tabby": 4})
    page = opened(studio)
    at(page, "class", "tabby")
    page.wait("document.querySelectorAll('.tile').length === 4")
    page.run(FOCUS)
    page.key("ArrowRight", "Shift")
    assert chosen(page) == 2
    page.key("1")
    toast(page, "Moved 2 photos to ⁨siamese⁩")
    assert studio.asked[-1][0] == "move"
    assert names(studio, "siamese") == {f"siamese/{name}.jpg" for name in ("0-0", "0-1", "0-2", "1-3", "1-2")}
    page.wait("document.querySelectorAll('.tile').length === 2 && document.activeElement.id === 'grid'")
    page.key("u")
    toast(page, "Undone")
    page.wait("document.querySelectorAll('.tile').length === 4")
    assert names(studio, "tabby") == {f"tabby/1-{number}.jpg" for number in range(4)}


def test_keys_choose(opened: Opening) -> None:
    page = opened(filled({"siamese": 2, "tabby": 30}))
    at(page, "class", "tabby")
    page.wait("document.querySelectorAll('.tile').length > 20")
    page.run(FOCUS)
    page.key("a", "Control")
    assert "30 chosen" in page.text("#head")
    page.key("Escape")
    assert chosen(page) == 0
    page.key(" ")
    page.key("ArrowDown")
    page.key(" ")
    assert chosen(page) == 2
    current = (
        "document.getElementById(document.querySelector('#grid').getAttribute('aria-activedescendant')).ariaPosInSet"
    )
    columns = int(page.run(current)) - 1
    page.key("End")
    assert page.run(current) == "30"
    page.key("Home")
    page.key("ArrowRight")
    assert page.run(current) == "2" and columns > 2


def test_clicks_choose(opened: Opening) -> None:
    page = opened(filled({"siamese": 2, "tabby": 9}))
    at(page, "class", "tabby")
    page.wait("document.querySelectorAll('.tile').length === 9")
    click = (
        "[...document.querySelectorAll('.tile')].find(e => e.ariaPosInSet === '%d')"
        ".dispatchEvent(new MouseEvent('click', {bubbles: true, detail: 1, %s}))"
    )
    page.run(click % (2, ""))
    page.run(click % (5, "shiftKey: true"))
    assert chosen(page) == 4
    page.run(click % (3, "ctrlKey: true"))
    assert chosen(page) == 3
    page.run(click % (7, ""))
    assert chosen(page) == 1
    page.run(click % (7, ""))
    assert chosen(page) == 0


def test_delete_removes_and_the_toast_undoes(opened: Opening) -> None:
    studio = filled({"siamese": 2, "tabby": 3})
    page = opened(studio)
    at(page, "class", "tabby")
    page.wait("document.querySelectorAll('.tile').length === 3")
    page.run(FOCUS)
    page.key("Delete")
    toast(page, "Removed 1 photo")
    assert len(names(studio, "tabby")) == 2
    page.press("#toasts .link")
    page.wait("document.querySelectorAll('.tile').length === 3")
    assert len(names(studio, "tabby")) == 3


def test_enter_enlarges_and_escape_leads_back(opened: Opening) -> None:
    page = opened(filled({"siamese": 2, "tabby": 3}))
    page.wait("document.querySelectorAll('.tile').length === 5")
    page.run(FOCUS)
    page.key("Enter")
    first = page.run("document.querySelector('dialog .file').textContent")
    page.wait("document.querySelectorAll('dialog .nearest img').length === 4")
    page.key("ArrowRight")
    assert page.run("document.querySelector('dialog .file').textContent") != first
    assert page.run("document.querySelectorAll('dialog .nearest img').length") == 0
    page.wait("document.querySelectorAll('dialog .nearest img').length === 4")
    page.key("Escape")
    page.wait("!document.querySelector('dialog') && document.activeElement.id === 'grid'")


def test_guesses_are_accepted_one_by_one_or_all_above(opened: Opening) -> None:
    studio = filled({"siamese": 6, "tabby": 6}, unlabelled=12)
    page = opened(studio)
    page.run("document.querySelector('[data-key=train]').click()")
    page.wait("document.querySelector('.result .figure')?.textContent")
    at(page, "unlabelled")
    page.wait("document.querySelectorAll('.tile.guessed').length === 12")
    shares = page.run(
        "[...document.querySelectorAll('.tile')].sort((a, b) => a.ariaPosInSet - b.ariaPosInSet)"
        ".map(e => parseInt(e.querySelector('.share').textContent || '0'))"
    )
    assert shares == sorted(shares)
    first = shown(page)[0]
    page.run(FOCUS)
    page.key("Enter")
    page.wait("document.querySelectorAll('.tile').length === 11")
    end = time.monotonic() + PATIENCE
    while first in names(studio, None):  # the page shows it before the server has answered
        assert time.monotonic() < end
        time.sleep(0.02)
    page.run("const s = document.querySelector('#above'); s.value = '0.5'; s.dispatchEvent(new Event('change'))")
    assert page.text("[data-key=accept]") == "Accept 11 guesses"
    page.press("[data-key=accept]")
    page.wait("document.querySelectorAll('.tile').length === 0")
    assert names(studio, None) == set() and studio.asked[-1] == ("guesses/accept", {"above": 0.5})
    assert page.text("#empty").startswith("Every photo has a label.")


def test_a_class_is_made_renamed_merged_and_removed(opened: Opening) -> None:
    studio = filled({"siamese": 2, "tabby": 3})
    page = opened(studio)

    def answer(text: str) -> None:
        page.wait("!!document.querySelector('dialog input')")
        page.run(f"document.querySelector('dialog input').value = {json.dumps(text)}")
        page.press("dialog .main")

    page.press("[data-key=new-class]")
    answer("bengal")
    page.wait("document.querySelector('#heading').textContent === 'bengal'")
    page.press("[data-key=rename]")
    answer("bobtail")
    page.wait("document.querySelector('#heading').textContent === 'bobtail'")
    assert studio.classes == ["bobtail", "siamese", "tabby"]
    at(page, "class", "siamese")
    page.press("[data-key=rename]")
    answer("tabby")
    page.wait("document.querySelector('dialog h2')?.textContent.includes('already')")
    page.press("dialog .main")
    page.wait("document.querySelector('#heading').textContent === 'tabby'")
    assert studio.classes == ["bobtail", "tabby"] and len(names(studio, "tabby")) == 5
    page.press("[data-key=removeClass]")
    page.wait("!!document.querySelector('dialog')")
    page.press("dialog .main")
    toast(page, "Removed the class ⁨tabby⁩")
    assert studio.classes == ["bobtail"]
    page.press("#undo")
    page.wait("document.querySelectorAll('.tile').length === 5")


def test_a_class_that_cannot_be_is_told_in_the_servers_words(opened: Opening) -> None:
    page = opened(filled({"siamese": 2, "tabby": 3}))
    page.press("[data-key=new-class]")
    page.run("document.querySelector('dialog input').value = 'a/b'")
    page.press("dialog .main")
    toast(page, "`a/b` has a slash")
    page.browser.said.clear()  # the answer of 400 is told on the console too


def test_two_pages_agree(opened: Opening) -> None:
    studio = filled({"siamese": 2, "tabby": 3})
    server = opened.serve(studio)
    one, other = opened(server), opened(server)
    at(one, "class", "tabby")
    at(other, "class", "tabby")
    other.wait("document.querySelectorAll('.tile').length === 3")
    one.call("Page.bringToFront")
    one.wait("document.querySelectorAll('.tile').length === 3")
    one.run(FOCUS)
    one.key("1")
    other.call("Page.bringToFront")
    other.wait("document.querySelectorAll('.tile').length === 2")
    assert other.run("[...document.querySelectorAll('.rail .count')].map(e => e.textContent).join()") == "5,3,2"


def test_names_with_markup_are_only_text(opened: Opening) -> None:
    studio = filled({"<img src=x onerror=alert(1)>": 2, "\"'&amp;": 2})
    photo = studio.photos[0]
    studio.add("\"'&amp;", "<u>x</u>.jpg", photo.data)
    page = opened(studio)
    page.wait("document.querySelectorAll('.tile').length === 5")
    page.run("document.querySelector('[data-key=train]').click()")
    page.wait("document.querySelector('.result .figure')?.textContent")
    assert page.run("document.querySelectorAll('u, img[src=x]').length") == 0
    assert "<img src=x onerror=alert(1)>" in page.text("#rail")


def test_a_press_counts_though_photos_arrive_meanwhile(opened: Opening) -> None:
    studio = filled({"siamese": 2, "tabby": 3})
    page = opened(studio)
    page.wait("document.querySelectorAll('.tile').length === 5")
    box = page.run(
        "(b => [b.x + 20, b.y + 10])(document.querySelector('[data-key=\"class/tabby\"]').getBoundingClientRect())"
    )
    mouse = {"x": box[0], "y": box[1], "button": "left", "clickCount": 1}
    page.call("Input.dispatchMouseEvent", type="mousePressed", **mouse)
    studio.add("tabby", "late.jpg", studio.photos[0].data)
    studio.tell()
    page.wait("document.querySelectorAll('.tile').length === 6")
    assert "3" in page.text("[data-key='class/tabby']")
    page.call("Input.dispatchMouseEvent", type="mouseReleased", **mouse)
    page.wait("document.querySelector('#heading').textContent === 'tabby'")
    page.wait("document.querySelector('[data-key=\"class/tabby\"] .count').textContent === '4'")


def test_a_page_that_is_loaded_again_shows_what_it_showed(opened: Opening) -> None:
    studio = filled({"siamese": 2, "tabby": 3})
    page = opened(studio)
    at(page, "class", "tabby")
    page.wait("document.querySelectorAll('.tile').length === 3")
    page.reload()
    page.wait("document.querySelector('#heading')?.textContent === 'tabby'")
    studio.classes.remove("tabby")
    studio.photos = [photo for photo in studio.photos if photo.label != "tabby"]
    page.reload()
    page.wait("document.querySelector('#heading')?.textContent === 'All photos'")


def held(page: Page, key: str, times: int = 5) -> None:
    """Hold a key down, so that it repeats."""
    event = {"key": key, "code": {" ": "Space"}.get(key, key), "windowsVirtualKeyCode": ord(key[0].upper())}
    for press in range(times):
        page.call("Input.dispatchKeyEvent", type="keyDown", autoRepeat=press > 0, **event)
    page.call("Input.dispatchKeyEvent", type="keyUp", **event)


@pytest.mark.parametrize(("key", "what"), [("1", "move"), ("Delete", "remove")])
def test_a_key_that_is_held_down_is_meant_once(opened: Opening, key: str, what: str) -> None:
    studio = filled({"siamese": 1, "tabby": 1}, unlabelled=6)
    page = opened(studio)
    at(page, "unlabelled")
    page.wait("document.querySelectorAll('.tile').length === 6")
    page.run(FOCUS)
    held(page, key)
    page.wait("document.querySelectorAll('.tile').length === 5")
    page.key("Escape")
    page.run(FOCUS)
    held(page, "u")
    toast(page, "Undone")
    page.wait("document.querySelectorAll('.tile').length === 6")
    assert [each for each, _ in studio.asked] == [what, "undo"]


def test_guesses_are_not_accepted_by_an_enter_that_is_held_down(opened: Opening) -> None:
    studio = filled({"siamese": 8, "tabby": 8}, unlabelled=6)
    page = opened(studio)
    page.press("[data-key=train]")
    at(page, "unlabelled")
    page.wait("document.querySelectorAll('.tile.guessed').length === 6")
    page.run(FOCUS)
    held(page, "Enter")
    toast(page, "Moved 1 photo")
    page.key("u")
    toast(page, "Undone")
    assert [each for each, _ in studio.asked] == ["train", "move", "undo"]
