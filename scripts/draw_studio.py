"""Draw docs/studio/: each step of `retrain studio` in Chromium, in every language, on the drawn cats of `retrain demo`.

    .venv/bin/python scripts/draw_studio.py docs/studio

Needs Chromium. The same versions of everything draw nearly the same pictures.
"""

import io
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))

from chromium import Browser, Page, chromium
from in_studio import Opened

from retrain.cli.main import main as retrain
from retrain.core.language import LANGUAGES, TAGS

SIZE = (1280, 800)
SHOWN = (960, 600)
COATS = ("colourpoint", "spotted", "tabby")
UNLABELLED, WRONG = 6, 2  # drawings of each coat without a label, and of one coat in the class of another


def draw(target: Path) -> None:
    """Collect, label, train and try in each language, and take a picture of each step."""
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        retrain(["demo", str(folder / "drawn"), "--photo", str(folder / "cat.jpg")])
        for language in LANGUAGES:
            room = folder / language / ("gatos" if language == "pt" else "cats")
            with chromium("chromium", folder / language / "profile") as browser:
                for step, picture in steps(browser, room, folder, language):
                    small = picture.resize(SHOWN, Image.Resampling.LANCZOS)
                    small.save(target / f"{step}.{language}.webp", "WEBP", quality=72, method=6)


def steps(browser: Browser, room: Path, folder: Path, language: str) -> Iterator[tuple[str, Image.Image]]:
    """Each step's name and what is seen then."""
    with opened(room) as studio:
        page = begun(browser, studio, language)
        page.wait("!!document.querySelector('#class-first')")
        yield "begin", seen(page)
        fill(room, folder / "drawn")
        page.wait("document.querySelectorAll('.tile img').length > 8")
        look_at(page, "class/tabby")
        page.wait("document.querySelector('#heading').textContent === 'tabby'")
        yield "collect", seen(page)
        press(page, "train")
        page.wait("!!document.querySelector('[data-key=fold-more]')")
        look_at(page, "unlabelled/")
        page.wait("document.querySelectorAll('.tile.guessed').length > 8")
        yield "label", seen(page)
        look_at(page, "doctor/")
        press(page, "examine")
        page.wait("document.querySelectorAll('.finding img').length > 1")
        yield "check", seen(page)
        look_at(page, "all/")
        page.press("[data-key=fold-perClass] h3")
        page.press("[data-key=fold-confusion] h3")
        page.run("document.querySelector('#model').scrollTop = 0")
        yield "train", seen(page)
        press(page, "try-file")
        page.choose("#try-chooser", folder / "cat.jpg")
        page.wait("document.querySelector('#try .answer').textContent.length > 0")
        press(page, "heat")
        page.run("document.querySelector('#try').scrollIntoView()")
        yield "try", seen(page)
        press(page, "write-web")
        page.wait("!!document.querySelector('a[href^=\"/try/\"]')")
        page.run("document.querySelector('#take').scrollIntoView()")
        yield "take", seen(page)


@contextmanager
def opened(room: Path) -> Iterator[Opened]:
    """A studio over a new folder, on the default network."""
    room.parent.mkdir(parents=True, exist_ok=True)
    studio = Opened(room, architecture="efficientnet_lite0")
    try:
        yield studio
    finally:
        studio.end()


def begun(browser: Browser, studio: Opened, language: str) -> Page:
    """Its page, in that language."""
    return browser.open(studio.address, *SIZE, language=TAGS[language])


def fill(room: Path, drawn: Path) -> None:
    """Drawings of some coats, some of them without a label, and some with a wrong one."""
    for coat in COATS:
        drawings = sorted((drawn / coat).iterdir())
        (room / coat).mkdir()
        for drawing in drawings[UNLABELLED:]:
            shutil.copy(drawing, room / coat / drawing.name)
        for drawing in drawings[:UNLABELLED]:
            shutil.copy(drawing, room / f"{coat[0]}{drawing.name}")
    for drawing in sorted((room / "colourpoint").iterdir())[:WRONG]:
        drawing.rename(room / "tabby" / f"s{drawing.name}")


def look_at(page: Page, key: str) -> None:
    item = f"[...document.querySelectorAll('.rail .item')].find(each => each.dataset.key === {key!r})"
    page.wait(f"!!{item}")
    page.run(f"{item}.click()")


def press(page: Page, key: str) -> None:
    """A button, as soon as it can be pressed."""
    button = f"document.querySelector('[data-key={key}]')"
    page.wait(f"{button} && !{button}.disabled && !{button}.ariaDisabled")
    page.run(f"{button}.click()")


def seen(page: Page) -> Image.Image:
    """A picture of the page, once all that is in it has come."""
    page.wait("[...document.images].every(each => each.complete) && !document.querySelector('#toasts').textContent")
    page.run("new Promise(done => setTimeout(done, 700))")
    return Image.open(io.BytesIO(page.picture())).convert("RGB")


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def main(folder: Path) -> None:
    """Draw each step of the studio, in every language, into FOLDER, such as docs/studio."""
    draw(folder)


if __name__ == "__main__":
    main()
