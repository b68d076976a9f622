"""The camera page in Debian's Chromium, with a camera that shows a video, and a phone's size."""

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from camera import video
from chromium import Browser, Page, chromium
from PIL import Image
from static_host import Host

from label_image.model import load_model
from label_image.web import page_files

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("built")]

RED, PURPLE = (220, 30, 30), (150, 30, 120)
STARTED = "document.querySelector('#private-text').textContent"
LIVE = "document.body.dataset.rate > 3"
WHAT = "document.querySelector('#name').textContent"
SEEN = f"document.body.dataset.view !== 'start' && {WHAT} !== 'Looking …' && {WHAT}"

ASKS = "navigator.permissions.query = async () => ({ state: 'prompt' })"  # the camera is not opened by itself


@contextmanager
def browsing(browser: str, folder: Path, colour: tuple[int, int, int] = RED, *switches: str) -> Iterator[Browser]:
    shown = video(folder / "camera.mjpeg", [Image.new("RGB", (640, 480), colour)])
    with chromium(browser, folder / "profile", shown, *switches) as found:
        yield found


@pytest.fixture
def site(three_colours: Path, host: Host) -> str:
    """The page of three colours, under a path."""
    return host.serve("some/where/", page_files(three_colours / "model", server=False))


def page_files_of(host: Host, folder: str) -> dict[str, bytes]:
    """What is served in a folder."""
    return {path.removeprefix(folder): data for path, data in host.files.items() if path.startswith(folder)}


def opened(page: Page) -> Page:
    """With its camera open."""
    page.wait(STARTED)
    page.press("#open")
    page.wait(LIVE)
    return page


def test_it_names_what_the_camera_sees_and_speaks_to_nobody(
    browser: str, site: str, host: Host, tmp_path: Path
) -> None:
    with browsing(browser, tmp_path) as running:
        page = opened(running.open(site))
        assert page.wait(SEEN) == "red"
        assert page.text("#share").endswith("%") and page.run("document.querySelectorAll('#others li').length") == 2
        assert page.text("#private") == "Nothing leaves this phone, and it works without a network."
        page.wait("document.querySelector('#said').textContent.startsWith('red, ')")  # read aloud, once it stays
        assert page.run("document.querySelector('#still').checkVisibility({visibilityProperty: true})") is False
        page.press("#freeze")
        page.wait("document.body.dataset.view === 'frozen'")
        assert page.wait(SEEN) == "red" and page.text("#freeze") == "Camera"
        page.press("#freeze")
        page.wait("document.body.dataset.view === 'live'")
        assert running.said == [] and {url for url in running.asked if not url.startswith(site)} == set()
        # What is large is fetched once, and not by the page and its service worker both.
        assert max(host.sent.count(each) for each in host.sent if each[1] > 10_000) == 1
        assert sum(size for _, size in host.sent) < 3_200_000 and host.posted == []


def test_it_works_without_a_network_after_the_first_visit(browser: str, site: str, host: Host, tmp_path: Path) -> None:
    with browsing(browser, tmp_path) as running:
        page = opened(running.open(site))
        host.stop()
        page.reload()
        assert opened(page).wait(SEEN) == "red"
        page.go(f"{site}index.html?from=home")
        assert opened(page).wait(SEEN) == "red"
        assert running.said == []


def test_what_it_was_not_trained_on_is_unknown(browser: str, site: str, tmp_path: Path) -> None:
    with browsing(browser, tmp_path, PURPLE) as running:
        page = opened(running.open(site, language="pt-BR"))
        page.wait("document.querySelector('#answer').matches('.unknown')")
        assert page.text("#name") == "Desconhecido" and page.text("#share") == ""
        assert "Mais parecida: " in page.text("#why")
        page.go(f"{site}?lang=en")  # as its address says, whatever the browser prefers
        opened(page).wait("document.querySelector('#answer').matches('.unknown')")
        assert page.text("#name") == "Unknown" and page.run("document.documentElement.lang") == "en"


def test_a_photo_is_answered_as_label_image_does(browser: str, site: str, three_colours: Path, tmp_path: Path) -> None:
    """Turned by its EXIF, transparent over white, in several strips, without colours."""
    model = load_model(three_colours / "model")
    files = odd_photos(tmp_path)
    with browsing(browser, tmp_path) as running:
        page = running.open(site)
        page.wait(STARTED)
        for file in files:
            page.choose("#file", file)
            page.wait("document.body.dataset.view === 'photo' && document.querySelector('#photo').complete")
            page.wait(SEEN)
            verdict = model.label(file.read_bytes())
            expected = "Unknown" if verdict.unknown else verdict.answers[0].label
            assert page.wait(f"{WHAT} === {json.dumps(expected)}"), file
        scores = [told(page, site, file) for file in files]
        assert running.said == []
    outputs = [model.run(model.preprocessing.pixels(file.read_bytes())[None]) for file in files]
    for file, (said, similarity), expected in zip(files, scores, outputs, strict=True):
        assert np.abs(np.array(said) - expected.probabilities[0]).max() < 1e-5, file
        assert expected.similarity is not None and abs(similarity - expected.similarity[0]) < 1e-5, file


def odd_photos(folder: Path) -> list[Path]:
    """Half one colour and half another, so that it shows if an edge is missing."""
    halves = np.zeros((300, 200, 3), np.uint8)
    halves[:100], halves[100:] = (200, 40, 40), (90, 60, 150)
    plain = Image.fromarray(halves)
    plain.save(folder / "plain.png")
    turned = Image.Exif()
    turned[0x0112] = 6
    plain.resize((20, 30)).save(folder / "turned.jpg", exif=turned, quality=95)  # a larger one is decoded at a fraction
    transparent = plain.convert("RGBA")
    transparent.putalpha(90)
    transparent.save(folder / "transparent.png")
    plain.resize((1500, 2100)).save(folder / "large.png")
    plain.convert("L").save(folder / "grey.png")
    return [folder / name for name in ("plain.png", "turned.jpg", "transparent.png", "large.png", "grey.png")]


def told(page: Page, site: str, file: Path) -> tuple[list[float], float]:
    """What the page's own engine says of a photo: all probabilities, and the similarity."""
    data = list(file.read_bytes())
    found = page.run(f"""(async () => {{
        const {{ openEngine }} = await import({json.dumps(site + "engine.js")});
        const config = await (await fetch("config.json")).json();
        window.engine ??= await openEngine(config, () => {{}});
        const {{ scores, similarity }} = await window.engine.answer(new Blob([new Uint8Array({data})]));
        return {{ scores: Array.from(scores), similarity }};
    }})()""")
    return found["scores"], found["similarity"]


@pytest.mark.parametrize(
    ("name", "data", "sentence"),
    [
        ("a.tif", b"II*\0" + b"\0" * 40, "This browser does not read TIFF."),
        ("b.heic", b"\0\0\0\x18ftypheic" + b"\0" * 40, "This browser does not read HEIC."),
        ("c.jpg", b"not a photo at all", "This file is not a photo that this browser can read."),
    ],
)
def test_what_the_browser_cannot_read_is_explained(
    name: str, data: bytes, sentence: str, browser: str, site: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(data)
    with browsing(browser, tmp_path) as running:
        page = running.open(site)
        page.wait(STARTED)
        page.choose("#file", tmp_path / name)
        page.wait("!document.querySelector('#notice').hidden")
        assert page.text("#notice").startswith(sentence)


def test_plain_http_has_no_camera_and_says_why(browser: str, site: str, tmp_path: Path) -> None:
    """By another name than localhost's a page is as one in a local network."""
    paint = tmp_path / "red.png"
    Image.new("RGB", (40, 30), RED).save(paint)
    with browsing(browser, tmp_path, RED, "--host-resolver-rules=MAP phone.test 127.0.0.1") as running:
        page = running.open(site.replace("127.0.0.1", "phone.test"))
        page.wait("!document.querySelector('#notice').hidden")
        assert "only over https" in page.text("#notice")
        assert page.wait(STARTED) == "Nothing leaves this phone: the model runs here."  # and is not kept
        page.choose("#file", paint)
        assert page.wait(SEEN) == "red"


def test_where_there_is_nothing_to_run_it_the_server_is_asked_and_that_is_said(
    browser: str, three_colours: Path, host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("label_image.web.site.RUNTIME", tmp_path / "nothing")
    url = host.serve("", page_files(three_colours / "model"))
    top = [{"label": "azul", "probability": 0.9}, {"label": "red", "probability": 0.1}]  # by another name
    answer = {"image": "-", **top[0], "unknown": False, "similarity": 0.99, "threshold": 0.9, "top": top}
    host.answers["label"] = json.dumps(answer).encode()
    with browsing(browser, tmp_path) as running:
        page = opened(running.open(f"{url}#token=a%20secret"))
        assert page.wait(SEEN) == "azul" and page.text("#private").startswith("This phone does not run the model")
        assert host.url.split("/")[2] in page.text("#private")
        assert running.said == []
    path, token, photo = host.posted[0]
    assert (path, token) == ("label", "Bearer a secret") and Image.open(io.BytesIO(photo)).size == (640, 480)


def test_a_new_version_takes_the_place_of_the_old_one_as_a_whole(
    browser: str, three_colours: Path, host: Host, tmp_path: Path
) -> None:
    files = page_files(three_colours / "model", server=False)
    url = host.serve("page/", files)
    newer = {**files, "config.json": files["config.json"].replace(b'"red"', b'"rot"')}
    newer["sw.js"] = files["sw.js"].replace(b'VERSION = "', b'VERSION = "new')
    with browsing(browser, tmp_path) as running:
        page = opened(running.open(url))
        other = host.serve("other/", files)
        opened(running.open(other))  # another page of the same host keeps what is its own
        host.serve("page/", newer)
        page.reload()
        assert opened(page).wait(SEEN) == "red"  # until the new one is there as a whole
        page.wait("!document.querySelector('#update').hidden")
        page.press("#renew")
        page.wait("document.querySelector('#update').hidden && " + STARTED)
        assert opened(page).wait(SEEN) == "rot"
        names = page.run("caches.keys()")
        assert len(names) == 2 and {name.split(" ")[1] for name in names} == {url, other}


def test_a_camera_that_is_refused_is_explained(browser: str, site: str, tmp_path: Path) -> None:
    with browsing(browser, tmp_path) as running:
        refused = "async () => { throw new DOMException('', 'NotAllowedError') }"
        page = running.open(site, before=f"navigator.mediaDevices.getUserMedia = {refused}")
        page.wait(STARTED)
        page.press("#open")
        page.wait("!document.querySelector('#notice').hidden")
        assert page.text("#notice").startswith("The camera was not allowed.")
        assert page.run("document.body.dataset.view") == "start"


def test_two_pages_of_one_host_are_two_apps(browser: str, site: str, host: Host, tmp_path: Path) -> None:
    other = host.serve("else/where/", page_files_of(host, "some/where/"))
    with browsing(browser, tmp_path) as running:
        apps = []
        for url in (site, other):
            page = running.open(url)
            page.wait(STARTED)
            apps.append(page.call("Page.getAppId")["appId"])
        assert apps == [site, other]


def test_a_page_that_does_not_start_says_why(browser: str, site: str, host: Host, tmp_path: Path) -> None:
    """As a file, and in a browser that is too old, its modules do not run: without a word its buttons would be dead."""
    folder = tmp_path / "page"
    folder.mkdir()
    for name, data in page_files_of(host, "some/where/").items():
        (folder / name).write_bytes(data)
    # Until its style is there it is shown for a moment, and then hidden till the modules had their time.
    is_said = (
        "(said => document.readyState === 'complete' && said.includes('web server') && said.includes('servidor'))"
        "(document.querySelector('#asleep').innerText)"
    )
    with browsing(browser, tmp_path) as running:
        page = running.open((folder / "index.html").as_uri())
        page.wait(is_said)
        page.go(site)
        page.wait(STARTED)
        assert page.run("getComputedStyle(document.querySelector('#asleep')).display") == "none"


@pytest.mark.parametrize(("width", "height"), [(390, 844), (844, 390)])
def test_names_without_end_leave_the_rest_in_its_place(
    browser: str, site: str, host: Host, tmp_path: Path, width: int, height: int
) -> None:
    config = json.loads(host.files["some/where/config.json"])
    config["labels"] = ["\u202e" + "W" * 200, "long and " * 25, "x" * 200]
    host.files["some/where/config.json"] = json.dumps(config).encode()
    fits = (
        "(({top, bottom}) => top >= 0 && bottom <= innerHeight)(document.querySelector('%s').getBoundingClientRect())"
    )
    with browsing(browser, tmp_path) as running:
        page = running.open(site, width, height, before=ASKS)
        page.wait(STARTED)
        assert page.run(fits % ".mark") and page.run(fits % "#open")
        assert page.run("document.querySelector('.mark').getBoundingClientRect().height") > 40
        names = page.run("document.querySelector('#classes').textContent")
        assert names.count("\u2068") == names.count("\u2069") == 3 and "\u202e" not in names
        opened(page)
        page.wait(SEEN)
        assert page.run(fits % "#others")
