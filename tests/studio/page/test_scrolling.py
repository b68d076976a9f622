"""5,000 photos scroll at 50 frames a second, by the browser's own tracing; few of them are elements at any time.

A machine that is busy with other things draws fewer frames, whatever the page does: the best of some attempts counts.
On two cores without a graphics card, with five other test runs on them: 51 to 60 frames a second.
"""

from itertools import pairwise

import pytest
from chromium import Page
from studio_made_up import picture
from studio_page import Opening, at, shown
from studio_stand_in import Studio

pytestmark = pytest.mark.browser

PHOTOS = 5000
SPEED = 1500  # pixels a second, of a hand on a wheel
SECONDS = 3
LEAST = 50  # frames a second
ATTEMPTS = 6


@pytest.fixture
def page(opened: Opening) -> Page:
    studio = Studio()
    for number in range(PHOTOS):
        studio.add(("bengal", "siamese", "tabby")[number % 3], f"{number:04d}.jpg", picture(number % 3, number % 48))
    found = opened(studio)
    found.call("Emulation.setDeviceMetricsOverride", width=1280, height=900, deviceScaleFactor=1, mobile=False)
    found.wait("document.querySelectorAll('.tile').length > 10")
    return found


def frames_a_second(page: Page) -> float:
    """How many frames were drawn while the photos scrolled."""
    page.browser.trace("devtools.timeline", "disabled-by-default-devtools.timeline.frame", "devtools.timeline.frame")
    way = -SPEED * SECONDS
    page.call("Input.synthesizeScrollGesture", x=600, y=500, yDistance=way, speed=SPEED, gestureSourceType="mouse")
    drawn = sorted(event["ts"] for event in page.browser.traced() if event["name"] == "DrawFrame")
    assert len(drawn) > SECONDS * 10
    return (len(drawn) - 1) / ((drawn[-1] - drawn[0]) / 1e6)


def test_5000_photos_scroll_smoothly(page: Page) -> None:
    best = 0.0
    for _ in range(ATTEMPTS):
        best = max(best, frames_a_second(page))
        if best >= LEAST:
            break
    print(f"{best:.1f} frames/s")
    assert best >= LEAST
    assert page.run("document.querySelectorAll('.tile').length") < 80
    assert page.run("document.querySelector('#middle').scrollTop") >= SPEED * SECONDS


def test_wherever_it_is_scrolled_to_the_photos_are_there(page: Page) -> None:
    middle = "document.querySelector('#middle')"
    assert shown(page)[0] == "siamese/4999.jpg" and page.run(f"{middle}.scrollHeight") > 100_000
    page.run(f"{middle}.scrollTop = {middle}.scrollHeight")
    page.wait("[...document.querySelectorAll('.tile')].some(e => e.title === 'bengal/0000.jpg')")
    page.wait("[...document.querySelectorAll('.tile img')].every(e => e.complete && e.naturalWidth)")
    assert page.run("document.querySelectorAll('.tile').length") < 80
    page.run("document.querySelector('#grid').focus()")
    page.key("Home")
    page.key("End")
    assert page.run("document.querySelector('.tile.at').title") == "bengal/0000.jpg"
    seen = page.run("document.querySelector('.tile.at').getBoundingClientRect().bottom")
    assert 0 < seen <= page.run("innerHeight")
    at(page, "class", "bengal")
    page.wait(f"{middle}.scrollTop === 0 && document.querySelector('.tile').title.startsWith('bengal')")


def test_tiles_lie_in_rows_without_touching(page: Page) -> None:
    boxes = page.run(
        "[...document.querySelectorAll('.tile')].sort((a, b) => a.ariaPosInSet - b.ariaPosInSet)"
        ".map(e => e.getBoundingClientRect()).map(b => [b.left, b.top, b.right, b.bottom].map(Math.round))"
    )
    for (left, top, right, bottom), other in pairwise(boxes):
        assert other[0] >= right or other[1] >= bottom, ((left, top, right, bottom), other)
