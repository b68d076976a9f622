"""The camera page as the server hands it out, with the headers that a browser obeys."""

from pathlib import Path

import pytest
from camera import video
from chromium import chromium
from PIL import Image
from serving import COMMAND, served

WITHOUT_RUNTIME = (
    "-c",
    "import sys; from pathlib import Path; import label_image.web.site as site; site.RUNTIME = Path('nothing'); "
    "from label_image.serve.cli import main; main(sys.argv[1:])",
)
WHAT = "document.querySelector('#name').textContent"
SEEN = f"document.body.dataset.view !== 'start' && {WHAT} !== 'Looking …' && {WHAT}"

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("python", [COMMAND, WITHOUT_RUNTIME], ids=["as it is", "asking the server"])
def test_the_camera_page_names_what_it_sees(
    browser: str, colours: Path, tmp_path: Path, python: tuple[str, ...]
) -> None:
    shown = video(tmp_path / "camera.mjpeg", [Image.new("RGB", (640, 480), (220, 30, 30))])
    with (
        served(colours, environment={"LABEL_IMAGE_TOKEN": "a&secret"}, python=python) as server,
        chromium(browser, tmp_path / "profile", shown) as running,
    ):
        page = running.open(f"{server.url}#token=a%26secret")
        page.wait("document.querySelector('#private-text').textContent")
        page.press("#open")
        assert page.wait(SEEN) == "red"
        assert running.said == []
        if python is WITHOUT_RUNTIME:
            assert page.text("#private").startswith("This phone does not run the model")
        assert server.end()[0] == 0
