"""A page that nobody sees holds no connection, and knows everything again when it is looked at."""

import time

import pytest
from studio_page import Opening
from studio_stand_in import filled

pytestmark = pytest.mark.browser
SOONER = "const later = setTimeout; window.setTimeout = (what, when) => later(what, when === 20000 ? 20 : when)"


def test_a_tab_behind_others_is_told_no_more_until_it_is_seen(opened: Opening) -> None:
    studio = filled({"siamese": 2, "tabby": 3})
    page = opened(studio, before=SOONER)
    page.wait("document.querySelectorAll('.tile').length === 5")

    def turn(hidden: str) -> None:
        page.run(f"Object.defineProperty(document, 'hidden', {{get: () => {hidden}, configurable: true}})")
        page.run("document.dispatchEvent(new Event('visibilitychange'))")

    assert len(studio.listeners) == 1
    turn("true")
    end = time.monotonic() + 60
    while studio.listeners:
        studio.tell()  # a server notices at the next word that nobody listens
        assert time.monotonic() < end
        time.sleep(0.1)
    studio.add("tabby", "new.jpg", studio.photos[0].data)
    turn("false")
    page.wait("document.querySelectorAll('.tile').length === 6")
    assert len(studio.listeners) == 1
