"""Draw docs/phone.webp: the camera page in Chromium at a phone's size, on the drawn cats of `retrain demo`.

    make web-runtime
    .venv/bin/python scripts/draw_phone_page.py docs/phone.webp

Needs Chromium. A fake camera shows the drawings; the same versions of everything draw nearly the same picture.
"""

import io
import sys
import tempfile
import time
from pathlib import Path

import click
from PIL import Image, ImageDraw

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))

from camera import video
from chromium import Browser, chromium
from static_host import hosted

from label_image.web import page_files
from retrain.cli.main import main as retrain

PHONE = (300, 649)  # of 390 x 844
GAP, BEND = 18, 22
FRAME = (480, 640)


def draw(target: Path) -> None:
    """Train on drawn cats, and take three pictures of the page."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        retrain(["demo", str(folder / "cats"), "--photo", str(folder / "cat.jpg")])
        store = ["--bottleneck_dir", str(folder / "b"), "--model_dir", str(folder / "m")]
        retrain(["--image_dir", str(folder / "cats"), "--output_dir", str(folder / "model"), *store])
        with hosted() as host:
            url = host.serve("", page_files(folder / "model", server=False))
            with Image.open(folder / "cat.jpg") as cat:
                square = cat.convert("RGB").resize((FRAME[0],) * 2)
            seen = Image.new("RGB", FRAME, square.getpixel((2, 2)))
            seen.paste(square, (0, (FRAME[1] - FRAME[0]) // 2))
            pictures = []
            for shown, scheme, language in (
                (None, "light", "en-GB"),
                (seen, "light", "en-GB"),
                (house(), "dark", "pt-BR"),
            ):
                shots = video(folder / "camera.mjpeg", [shown or seen])
                with chromium("chromium", folder / "profile", shots) as browser:
                    pictures.append(taken(browser, url, shown is not None, scheme, language))
    beside(pictures).save(target, "WEBP", quality=80, method=6)


def taken(browser: Browser, url: str, is_live: bool, scheme: str, language: str) -> Image.Image:
    """The page as it begins, or with its camera open."""
    never = "" if is_live else "navigator.permissions.query = async () => ({ state: 'prompt' })"
    page = browser.open(url, scheme=scheme, language=language, before=never)
    page.wait("document.querySelector('#private-text').textContent")
    if is_live:
        page.press("#open")
        page.wait("document.body.dataset.rate > 10")
        time.sleep(2)
        page.run("document.querySelector('#rate').hidden = true")  # it is this machine's
    return Image.open(io.BytesIO(page.picture())).convert("RGB")


def house() -> Image.Image:
    """Something that is no cat."""
    image = Image.new("RGB", FRAME, "#9fd3f2")
    pen = ImageDraw.Draw(image)
    pen.rectangle((0, 470, *FRAME), fill="#7dbb5c")
    pen.rectangle((110, 290, 370, 500), fill="#f3e3c3")
    pen.polygon([(80, 300), (240, 150), (400, 300)], fill="#b5472f")
    pen.rectangle((205, 390, 275, 500), fill="#6b4a32")
    for left in (135, 295):
        pen.rectangle((left, 330, left + 50, 375), fill="#7fb2cf", outline="#ffffff", width=5)
    return image


def beside(pictures: list[Image.Image]) -> Image.Image:
    """Phones in a row, with round corners."""
    row = Image.new("RGBA", (len(pictures) * (PHONE[0] + GAP) - GAP, PHONE[1]))
    mask = Image.new("L", PHONE)
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, PHONE[0] - 1, PHONE[1] - 1), BEND, fill=255)
    for number, picture in enumerate(pictures):
        small = picture.resize(PHONE, Image.Resampling.LANCZOS)
        pen = ImageDraw.Draw(small)
        pen.rounded_rectangle((0, 0, PHONE[0] - 1, PHONE[1] - 1), BEND, outline="#8a9099")
        row.paste(small, (number * (PHONE[0] + GAP), 0), mask)
    return row


@click.command()
@click.argument("picture", type=click.Path(dir_okay=False, path_type=Path))
def main(picture: Path) -> None:
    """Draw the camera page at a phone's size into PICTURE, such as docs/phone.webp."""
    draw(picture)


if __name__ == "__main__":
    main()
