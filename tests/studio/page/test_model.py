"""A model is trained, tried, examined with and taken away, and what comes of it is seen."""

from pathlib import Path

import pytest
from chromium import Page
from painting import paint
from studio_page import Opening, at
from studio_stand_in import Studio, filled

pytestmark = pytest.mark.browser


@pytest.fixture
def studio() -> Studio:
    return filled({"bengal": 9, "siamese": 9, "tabby": 9}, unlabelled=2)


def trained(page: Page) -> None:
    page.press("[data-key=train]")
    page.wait("document.querySelector('.result .figure')?.textContent")


def test_t_trains_with_a_live_curve_and_the_result_is_said(opened: Opening, studio: Studio) -> None:
    studio.pace = 0.1
    page = opened(studio)
    page.wait("!document.querySelector('[data-key=train]').disabled")
    page.key("t")
    page.wait("document.querySelectorAll('.live path.line').length === 1")
    page.wait("document.querySelector('.result .figure')?.textContent === '88.9%'")
    assert page.text(".result .words") == "Of 100 new photos like these, expect it to name 84 to 92 right."
    assert page.run("document.querySelector('#said').textContent") == "Trained: 89% right"
    assert page.run("document.querySelector('.live').children.length") == 0


def test_details_fold_open_and_stay_so(opened: Opening, studio: Studio) -> None:
    page = opened(studio)
    trained(page)
    page.press("[data-key=fold-confusion]")
    rows = "[...document.querySelectorAll('.confusion tbody tr')]"
    cells = f"{rows}.map(row => [...row.querySelectorAll('td')].map(cell => cell.textContent))"
    assert page.run(cells) == [["8", "1", "·"], ["·", "8", "1"], ["1", "·", "8"]]
    trained(page)
    page.wait("document.querySelector('[data-key=fold-confusion]').parentElement.open")
    page.press("[data-key=fold-mistakes]")
    assert page.run("document.querySelectorAll('.mistakes img').length") == 3
    page.press("[data-key=fold-more]")
    assert "More photos of ⁨bengal⁩ would help most" in page.text(".result details:last-child")
    assert page.run("document.querySelectorAll('.gains .helps').length") == 1


def test_confusions_of_many_classes_are_a_list(opened: Opening) -> None:
    page = opened(filled({f"class {number}": 5 for number in range(9)}))
    trained(page)
    page.press("[data-key=fold-confusion]")
    told = page.run("[...document.querySelectorAll('.confused li')].map(e => e.textContent)")
    assert told[0] == "⁨class 0⁩ taken for ⁨class 1⁩: 1 photo, 20%" and len(told) == 5
    assert page.run("document.querySelectorAll('.confusion').length") == 0


def test_changed_photos_make_the_result_stale(opened: Opening, studio: Studio) -> None:
    page = opened(studio)
    trained(page)
    assert page.run("document.querySelectorAll('#train .stale').length") == 0
    page.run("document.querySelector('#grid').focus()")
    page.key("Delete")
    page.wait("document.querySelector('#train .stale')?.textContent.includes('train again')")
    assert page.run("document.activeElement.id") == "grid"


def test_a_photo_is_tried(opened: Opening, studio: Studio, tmp_path: Path) -> None:
    page = opened(studio)
    trained(page)
    page.press("[data-key=try-file]")
    page.choose("#try-chooser", paint(tmp_path / "a.png"))
    page.wait("document.querySelector('#try .first .name')?.textContent === 'bengal'")
    assert page.run("[...document.querySelectorAll('.others .share')].map(e => e.textContent)") == ["86%", "11%", "3%"]
    assert page.run("document.querySelectorAll('.nearest img').length") == 4
    assert page.run("document.querySelector('.heat').hidden")
    page.press("[data-key=heat]")
    assert page.run(
        "!document.querySelector('.heat').hidden && document.querySelector('.heat').src.startsWith('data:image/png')"
    )
    assert page.run("document.querySelector('#said').textContent") == "bengal, 86%"


def test_the_camera_is_answered_one_picture_at_a_time(opened: Opening, studio: Studio) -> None:
    page = opened(studio)
    trained(page)
    page.press("[data-key=try-camera]")
    page.wait("document.querySelector('#try .first .name')?.textContent === 'bengal'")
    sizes = [value for what, value in studio.asked if what == "try"]
    assert sizes and max(sizes) < 60_000
    page.press("[data-key=try-camera]")
    page.wait("document.querySelector('#try .stage').hidden")


def test_the_doctors_cards_are_decided(opened: Opening, studio: Studio) -> None:
    page = opened(studio)
    at(page, "doctor")
    page.press("[data-key=examine]")
    page.wait("document.querySelectorAll('.finding').length === 2")
    page.run("document.querySelector('.finding').focus()")
    page.key("ArrowRight")
    assert page.run("document.activeElement.querySelector('.suggested').textContent") == "Remove"
    page.key("ArrowLeft")
    page.key("Enter")
    page.wait("document.querySelector('#toasts').textContent.includes('Moved 1 photo to')")
    what, asked = studio.asked[-1]
    assert what == "decisions" and asked["action"] == "relabel:tabby" and asked["kind"] == "label"
    assert sum(photo.label == "tabby" for photo in studio.photos) == 10


def test_formats_are_written_and_taken_away(opened: Opening, studio: Studio) -> None:
    page = opened(studio)
    assert page.text("#take").endswith("it can be taken to phones, web pages and programs.")
    trained(page)
    page.wait("!!document.querySelector('[data-key=take-saved_model]')")
    assert (
        page.run("document.querySelector('[data-key=take-saved_model]').getAttribute('href')")
        == "/api/take/saved_model"
    )
    page.press("[data-key=fold-formats]")
    assert "this machine lacks" in page.text("#take details")
    assert page.run("document.querySelector('[data-key=write-coreml]').disabled")
    assert "Write the phone page first" in page.text("#take")
    page.press("[data-key=write-web]")
    page.wait("!!document.querySelector('[data-key=take-web]')")
    assert "retrain studio /home/ana/cats --phone" in page.text("#take .code")
    studio.phone = {"isReachable": True, "collect": "http://10.0.0.2/collect/#token=x", "try": "https://10.0.0.2/try/"}
    studio.tell()
    page.wait("document.querySelector('#take .qr')?.complete")
    assert "https://10.0.0.2/try/" in page.text("#take .code")


@pytest.mark.parametrize("width", [390, 820])
def test_one_column_has_tabs_and_nothing_is_wider_than_the_screen(opened: Opening, studio: Studio, width: int) -> None:
    page = opened(studio, width=width)
    seen = {}
    trained(page)
    for tab in ("photos", "train", "try", "take"):
        page.press(f".tabs [data-tab={tab}]")
        seen[tab] = page.run("['view', 'train', 'try', 'take'].filter(id => document.getElementById(id).offsetWidth)")
        assert page.run("document.documentElement.scrollWidth") == width
        right = "[...document.querySelectorAll('main *:not(.scroll *)')].map(e => e.getBoundingClientRect().right)"
        assert page.run(f"Math.max(...{right})") <= width
    assert seen == {"photos": ["view"], "train": ["train"], "try": ["try"], "take": ["take"]}
