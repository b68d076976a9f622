"""Every view of the studio's page, one after the other, with something in each."""

from collections.abc import Iterator
from pathlib import Path

from chromium import Page
from painting import paint
from studio_page import Opening, at
from studio_stand_in import Served, Studio, filled


def full() -> Studio:
    """A studio with something to see everywhere."""
    studio = filled({"bengal": 9, "siamese": 9, "tabby": 9}, unlabelled=4)
    studio.phone = {"isReachable": True, "collect": "http://10.0.0.2/collect/#token=x", "try": "https://10.0.0.2/try/"}
    studio.seeing = {"done": 30, "total": 31, "skipped": [{"name": "tabby/odd.jpg", "reason": "It is no photo."}]}
    return studio


def views(opened: Opening, server: Served, tmp_path: Path, **options: str | int) -> Iterator[tuple[str, Page]]:
    """Name and page of each view. The page is the same one, except where there is nothing yet."""
    nothing: Page = opened(Studio(), **options)  # type: ignore[arg-type]
    nothing.wait("!!document.querySelector('.welcome')")
    yield "nothing yet", nothing
    page: Page = opened(server, **options)  # type: ignore[arg-type]
    is_narrow = int(options.get("width", 1280)) < 1000
    page.wait("document.querySelectorAll('.tile').length > 10")
    yield "untrained", page
    at(page, "unlabelled")
    page.wait("!!document.querySelector('#guesses p')")
    yield "without guesses", page
    page.press("[data-key=train]")
    page.wait("document.querySelector('.result .figure')?.textContent && !!document.querySelector('.tile.guessed')")
    yield "guesses", page
    yield from _photos(page)
    at(page, "doctor")
    yield "unexamined", page
    page.press("[data-key=examine]")
    page.wait("!!document.querySelector('.finding')")
    yield "doctor", page
    page.run("for (const each of document.querySelectorAll('details')) each.open = true")
    page.press("[data-key=write-web]")
    page.wait("document.querySelector('#take .qr')?.complete")
    page.press("[data-key=try-file]")
    page.choose("#try-chooser", paint(tmp_path / "a.png"))
    page.wait("!!document.querySelector('#try .first')")
    for tab in ("train", "try", "take") if is_narrow else ("train",):
        page.press(f".tabs [data-tab={tab}]")
        yield tab, page


def _photos(page: Page) -> Iterator[tuple[str, Page]]:
    at(page, "class", "tabby")
    page.wait("document.querySelectorAll('.tile').length === 9")
    page.run("document.querySelector('#grid').focus()")
    page.key("ArrowRight", "Shift")
    yield "chosen", page
    page.key("Enter")
    page.wait("document.querySelectorAll('dialog .nearest img').length === 5")
    yield "enlarged", page
    page.key("Escape")
    page.wait("!document.querySelector('dialog')")
    for key in ("rename", "removeClass", "fromPhone"):
        page.run("document.querySelector('#grid').focus()")
        page.key("Escape")
        page.press(f"[data-key={key}]")
        page.wait("!!document.querySelector('dialog')")
        yield key, page
        page.run("document.querySelector('dialog').close()")
    page.press("[data-key=webcam]")
    page.wait("document.querySelector('.webcam video').readyState > 1")
    yield "webcam", page
    page.press("[data-key=close-webcam]")
    page.run("document.querySelector('#grid').focus()")
    page.key("Delete")
    page.wait("!!document.querySelector('.toast')")
    yield "toast", page
