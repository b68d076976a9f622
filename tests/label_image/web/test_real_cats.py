"""The camera page with real networks and real photos of cats: the figures of docs/phone.md, with `-s`."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from camera import video
from chromium import Page, chromium
from PIL import Image
from static_host import Host, hosted

from label_image.model import Model, load_model
from label_image.preprocessing import read_header
from label_image.web.site import why_no_runtime
from retrain.exports.formats.web import run_web

SHARED = Path(__file__).resolve().parents[4] / "shared"
CATS = SHARED / "data" / "cats"
WEIGHTS = SHARED / "weights" / "mobilenet_0.25_128.weights.h5"
pytestmark = [
    pytest.mark.real,
    pytest.mark.browser,
    pytest.mark.skipif(why_no_runtime() is not None, reason="no runtime of the camera page: make web-runtime"),
    pytest.mark.skipif(not CATS.is_dir(), reason="no photos of cats in ../shared/data"),
]

STARTED = "document.querySelector('#private-text').textContent"
STILLS = 60
CLOSE = 1e-5  # of a probability
# By network the format, the most bytes of a first visit, and how far a probability may be off for a JPEG that training
# decodes at a fraction of its size, which no browser can: int8 answers in steps, and turns over more easily.
NETWORKS = {"mobilenet_0.25_128": ("web", 4_000_000, 0.05), "efficientnet_lite0": ("web_int8", 7_000_000, 0.25)}


class Exported(NamedTuple):
    """A page in an export, and the model in it as `label_image` runs it."""

    page: Path
    model: Model
    most: int
    at_a_fraction: float


@pytest.fixture(scope="module", params=NETWORKS)
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    from retrain.cli.main import main

    name, folder = request.param, tmp_path_factory.mktemp("phone")
    photos = few(folder / "photos", 20)
    format, most, at_a_fraction = NETWORKS[name]
    weights = ["--weights", str(WEIGHTS)] if name.startswith("mobilenet") else []
    kept = ["--bottleneck_dir", str(folder / "b"), "--image_dir", str(photos)]
    model_dir = ["--model_dir", str(folder / "m"), "--folds", "0"]
    main(["--output_dir", str(folder / "model"), "--architecture", name, *model_dir, *weights, *kept])
    main(["export", str(folder / "model"), "--to", format, "--force", *kept])
    model = load_model(folder / "model")
    page = folder / "model" / format
    return Exported(page, Model(model.labels, model.preprocessing, run_web(page), model.threshold), most, at_a_fraction)


def few(folder: Path, each: int) -> Path:
    """Links to the first photos of each class."""
    for breed in sorted(CATS.iterdir()):
        (folder / breed.name).mkdir(parents=True)
        for photo in sorted(breed.iterdir())[:each]:
            (folder / breed.name / photo.name).symlink_to(photo)
    return folder


@contextmanager
def served(page: Path) -> Iterator[tuple[Host, str]]:
    with hosted() as host:
        yield host, host.serve("app/", {file.name: file.read_bytes() for file in page.iterdir()})


def test_stills_are_answered_as_label_image_does(exported: Exported, browser: str, tmp_path: Path) -> None:
    photos = [photo for breed in sorted(CATS.iterdir()) for photo in sorted(breed.iterdir())[-STILLS // 12 :]]
    assert len(photos) == STILLS
    photos += [enlarged(photo, tmp_path) for photo in photos[::15]]
    with served(exported.page) as (host, url), chromium(browser, tmp_path / "profile") as running:
        host.serve("app/photos/", {f"{number}": photo.read_bytes() for number, photo in enumerate(photos)})
        page = running.open(url)
        page.wait(STARTED)
        answers = page.run(ANSWER_ALL.replace("COUNT", str(len(photos))))
        assert running.said == []
    greatest = {"whole": 0.0, "at a fraction": 0.0}
    for photo, said in zip(photos, answers, strict=True):
        data = photo.read_bytes()
        expected = exported.model.run(exported.model.preprocessing.pixels(data)[None])
        difference = float(np.abs(np.array(said["scores"]) - expected.probabilities[0]).max())
        header = read_header(data)
        is_whole = min(header.width, header.height) < 4 * exported.model.preprocessing.size
        kind, limit = ("whole", CLOSE) if is_whole else ("at a fraction", exported.at_a_fraction)
        greatest[kind] = max(greatest[kind], difference)
        assert difference <= limit, photo
        assert expected.similarity is not None and abs(said["similarity"] - expected.similarity[0]) <= limit, photo
        same = int(np.argmax(said["scores"])) == int(expected.probabilities[0].argmax())
        assert same or not is_whole, photo
    assert greatest["at a fraction"] > 0
    print(f"\n{exported.page.name}: {STILLS} stills, greatest differences {greatest}")


def enlarged(photo: Path, folder: Path) -> Path:
    """As large as phones make them: such a JPEG is decoded at a fraction of its size in training."""
    with Image.open(photo) as image:
        image.convert("RGB").resize((4000, 3000), Image.Resampling.BICUBIC).save(folder / photo.name, quality=92)
    return folder / photo.name


ANSWER_ALL = """(async () => {
    const { openEngine } = await import("./engine.js");
    const engine = await openEngine(await (await fetch("config.json")).json(), () => {});
    const found = [];
    for (let number = 0; number < COUNT; number++) {
        const { scores, similarity } = await engine.answer(await (await fetch(`photos/${number}`)).blob());
        found.push({ scores: Array.from(scores), similarity });
    }
    return found;
})()"""


def test_it_names_the_breed_in_a_video_and_is_small(exported: Exported, browser: str, tmp_path: Path) -> None:
    breed, picture = surest(exported.model)
    shown = video(tmp_path / "cat.mjpeg", [picture])
    with served(exported.page) as (host, url), chromium(browser, tmp_path / "profile", shown) as running:
        page = running.open(url)
        page.wait(STARTED)
        loaded = sum(size for _, size in host.sent)
        page.press("#open")
        page.wait(f"document.querySelector('#name').textContent === {json.dumps(breed.replace('_', ' '))}")
        answers, frames = rates(page)
        host.stop()
        page.reload()
        page.wait(STARTED)
        page.press("#open")
        page.wait(f"document.querySelector('#name').textContent === {json.dumps(breed.replace('_', ' '))}")
        assert running.said == [] and all(asked.startswith(url) for asked in running.asked)
    print(f"\n{exported.page.name}: {loaded} bytes to load, {answers:.1f} answers/s, {frames:.1f} frames/s of the page")
    assert loaded <= exported.most
    assert answers > 5 and frames > 10  # on a machine that does much else: 20 and 50 are measured


def surest(model: Model) -> tuple[str, Image.Image]:
    """The photo that the model is surest of, as a frame of a camera, and its breed."""
    found = []
    for breed in sorted(CATS.iterdir()):
        with Image.open(sorted(breed.iterdir())[0]) as photo:
            frame = photo.convert("RGB").resize((640, 480))
        square = frame.resize((model.preprocessing.size,) * 2, Image.Resampling.BILINEAR)
        outputs = model.run(np.asarray(square)[None])
        if (
            model.labels[int(outputs.probabilities[0].argmax())] == breed.name
            and not (model.refuses(outputs) or [False])[0]
        ):
            found.append((float(outputs.probabilities[0].max()), breed.name, frame))
    _, name, frame = max(found, key=lambda each: each[0])
    return name, frame


def rates(page: Page) -> tuple[float, float]:
    """Answers and frames in a second, over five of them."""
    page.wait("document.body.dataset.rate > 1")
    page.run("window.frames_seen = 0; (function count() { frames_seen++; requestAnimationFrame(count); })()")
    time.sleep(2)
    page.run("window.answers_seen = 0; new MutationObserver(() => answers_seen++)"
             ".observe(document.body, { attributeFilter: ['data-rate'] })")  # fmt: skip
    before, began = page.run("[answers_seen, frames_seen]"), time.monotonic()
    time.sleep(5)
    after, seconds = page.run("[answers_seen, frames_seen]"), time.monotonic() - began
    return (after[0] - before[0]) / seconds, (after[1] - before[1]) / seconds
