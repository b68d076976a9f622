"""The studio from an empty folder on, as its pages ask it."""

import io
import os
import shutil
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from in_studio import Asking, asking, config_for
from PIL import Image
from starlette.testclient import TestClient

RED, BLUE = (200, 40, 40), (40, 40, 200)


def photo(colour: tuple[int, int, int], number: int, kind: str = "JPEG") -> bytes:
    """A noisy photo of a colour; another number is another photo."""
    noise = np.random.default_rng(number).normal(colour, 25, (48, 64, 3))
    file = io.BytesIO()
    Image.fromarray(noise.clip(0, 255).astype(np.uint8)).save(file, kind)
    return file.getvalue()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "photos"


@pytest.fixture
def page(folder: Path) -> Iterator[Asking]:
    with asking(config_for(folder)) as page:
        yield page


def filled(page: Asking, each: int = 20) -> None:
    """Photos in two classes."""
    for label, colour in (("red", RED), ("blue", BLUE)):
        page.post("/api/classes", name=label)
        for number in range(each):
            page.add(photo(colour, number), f"{number}.jpg", label)


def test_an_empty_folder_is_made_and_says_so(page: Asking, folder: Path) -> None:
    state = page.state()
    assert folder.is_dir() and state["classes"] == [] and state["unlabelled"] == 0 and state["training"] is None
    assert state["seeing"]["total"] == 0 and state["failure"] is None and state["undo"] is None


def test_photos_become_files_of_their_class(page: Asking, folder: Path) -> None:
    page.post("/api/classes", name="red")
    added = page.add(photo(RED, 1), "a.jpg", "red")
    assert added["name"] == "red/a.jpg" and added["isNew"]
    assert (folder / "red" / "a.jpg").read_bytes() == photo(RED, 1)
    assert not page.add(photo(RED, 1), "again.jpg", "red")["isNew"]
    assert page.add(photo(RED, 2), "a.jpg", "red")["name"] != "red/a.jpg"
    page.add(photo(BLUE, 3), "loose.jpg")
    assert sorted(page.photos().values(), key=str) == [None, "red", "red"]
    assert page.state()["classes"] == [{"name": "red", "photos": 2}]


def test_what_is_done_to_the_files_shows(page: Asking, folder: Path) -> None:
    filled(page, 1)
    (folder / "red" / "0.jpg").rename(folder / "blue" / "moved.jpg")
    (folder / "green").mkdir()
    page.until(lambda state: {"name": "green", "photos": 0} in state["classes"])
    assert page.photos() == {"blue/0.jpg": "blue", "blue/moved.jpg": "blue"}


def test_changes_are_made_and_undone(page: Asking) -> None:
    filled(page, 3)
    before = page.photos()
    ids = page.ids()
    moved = page.post("/api/move", ids=[ids["red/0.jpg"], ids["red/1.jpg"]], label="blue")["change"]
    assert moved["action"] == "move" and moved["count"] == 2 and moved["to"] == "blue"
    assert sorted(page.photos().values()) == ["blue"] * 5 + ["red"]
    page.post("/api/remove", ids=[page.ids()["red/2.jpg"]])
    page.post("/api/classes/rename", name="blue", to="sky")
    page.post("/api/classes/remove", name="sky")
    assert page.photos() == {}
    for _ in range(4):
        assert page.post("/api/undo")["change"] is not None
    assert page.photos() == before


def test_a_training_says_how_good_it_is_and_what_is_wrong(page: Asking) -> None:
    filled(page)
    wrong = page.add(photo(BLUE, 99), "wrong.jpg", "red")
    page.post("/api/train", status=202)
    state = page.until(lambda state: state["training"] and state["training"]["more"])
    training = state["training"]
    assert training["isCurrent"] and training["photos"] == 41 and training["classes"] == ["blue", "red"]
    assert training["accuracy"] == pytest.approx(40 / 41) and training["interval"][0] < 40 / 41
    assert [row[0] for row in training["mistakes"]] == [wrong["id"]] and training["mistakes"][0][1:3] == ["red", "blue"]
    assert np.sum(training["confusion"]) == 41
    page.post("/api/move", ids=[wrong["id"]], label="blue")
    assert not page.state()["training"]["isCurrent"]
    page.post("/api/train", status=202)
    assert page.until(lambda state: state["training"]["isCurrent"] and not state["work"])["training"]["accuracy"] == 1


def test_guesses_are_accepted(page: Asking) -> None:
    filled(page)
    for number in range(6):
        page.add(photo((RED, BLUE)[number % 2], 200 + number), f"new{number}.jpg")
    assert page.client.get("/api/guesses").status_code == 409
    page.post("/api/train", status=202)
    page.until(lambda state: state["guesses"] == 6)
    names = {one: name for name, one in page.ids().items()}
    guessed = {names[one]: label for one, label, _, _ in page.get("/api/guesses")["guesses"]}
    assert guessed == {f"new{number}.jpg": ("red", "blue")[number % 2] for number in range(6)}
    change = page.post("/api/guesses/accept", above=0.5)["change"]
    assert change["count"] == 6 and page.state()["unlabelled"] == 0
    page.post("/api/undo")
    assert page.state()["unlabelled"] == 6


@pytest.mark.parametrize("change", ["rename", "remove"])
def test_guesses_of_a_class_that_is_gone_bring_it_not_back(page: Asking, change: str) -> None:
    filled(page)
    for number in range(6):
        page.add(photo((RED, BLUE)[number % 2], 200 + number), f"new{number}.jpg")
    page.post("/api/train", status=202)
    page.until(lambda state: state["guesses"] == 6)
    page.post(f"/api/classes/{change}", name="red", **({"to": "crimson"} if change == "rename" else {}))
    assert {label for _, label, _, _ in page.get("/api/guesses")["guesses"]} == {"blue"}
    page.done()
    assert {label for _, label, _, _ in page.get("/api/guesses")["guesses"]} == {"blue"}
    assert page.post("/api/guesses/accept", above=0.5)["change"]["count"] == 3
    assert "red" not in {entry["name"] for entry in page.state()["classes"]}
    page.done()
    page.post("/api/undo")
    page.post("/api/undo")
    page.until(lambda state: state["guesses"] == 6)


def test_the_doctor_s_findings_are_decided_on(page: Asking) -> None:
    filled(page)
    wrong = page.add(photo(BLUE, 99), "wrong.jpg", "red")
    assert page.client.get("/api/doctor").status_code == 409
    page.post("/api/examine", status=202)
    page.until(lambda state: state["doctor"] and not state["work"])
    sections = {section["kind"]: section for section in page.get("/api/doctor")["sections"]}
    [card] = [card for card in sections["label"]["cards"] if card["id"] == wrong["id"]]
    assert card["suggestion"] == "relabel:blue" and "keep" in card["choices"]
    page.post("/api/decisions", ids=[wrong["id"]], kind="label", action=card["suggestion"])
    assert page.photos()["blue/wrong.jpg"] == "blue"
    again = {section["kind"]: section for section in page.get("/api/doctor")["sections"]}
    assert wrong["id"] not in [card["id"] for card in again.get("label", {"cards": []})["cards"]]


def test_a_photo_is_tried(page: Asking) -> None:
    assert page.client.post("/api/try", content=photo(RED, 5)).status_code == 409
    filled(page)
    page.post("/api/train", status=202)
    page.until(lambda state: state["training"] and not state["work"])
    answer = page.client.post("/api/try", content=photo(RED, 500)).json()
    assert answer["top"][0]["label"] == "red" and answer["top"][0]["probability"] > 0.9 and not answer["unknown"]
    assert {one["label"] for one in answer["nearest"]} == {"red"} and answer["nearest"][0]["id"] in page.ids().values()
    assert page.client.post("/api/try", content=b"no photo").status_code == 415


def test_pictures_are_jpegs(page: Asking) -> None:
    added = page.add(photo(RED, 1, "TIFF"), "a.tiff", None)
    for address in (f"/api/thumbnails/{added['id']}?v=1", f"/api/photos/{added['id']}"):
        answer = page.client.get(address)
        assert answer.headers["content-type"] == "image/jpeg"
        assert Image.open(io.BytesIO(answer.content)).size == (64, 48)
    assert page.client.get("/api/photos/0123456789abcdef").status_code == 404


def test_a_photo_that_is_gone_since_it_was_listed_is_not_called_one_that_cannot_be_read(page: Asking) -> None:
    added, broken = page.add(photo(RED, 1), "a.jpg", None), page.add(photo(RED, 2), "b.jpg", None)
    paths = {one.id: Path(one.file.path) for one in page.studio.known.listing.photos}
    paths[added["id"]].unlink()
    paths[broken["id"]].write_bytes(b"no photo")
    for where in ("thumbnails", "photos"):
        answer = page.client.get(f"/api/{where}/{added['id']}")
        assert (answer.status_code, "not there any more" in answer.text) == (404, True)
        assert page.client.get(f"/api/{where}/{broken['id']}").status_code == 415


def test_an_archive_brings_classes(page: Asking) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in ("cats/red/1.jpg", "cats/red/2.jpg", "cats/blue/1.jpg"):
            archive.writestr(name, photo(RED if "red" in name else BLUE, len(name) + ord(name[-5])))
        archive.writestr("cats/blue/evil.jpg", b"no photo")
    answer = page.client.post("/api/archives", content=file.getvalue()).json()
    assert answer["added"] == 3 and [item["name"].endswith("evil.jpg") for item in answer["refused"]] == [True]
    assert sorted(page.photos().values(), key=str) == ["blue", "red", "red"]
    assert page.client.post("/api/archives", content=b"no archive").status_code in (409, 415)


def test_a_second_studio_of_a_folder_is_refused(page: Asking, folder: Path) -> None:
    from retrain.core.errors import StudioError

    with pytest.raises(StudioError, match="studio"):
        asking(config_for(folder)).__enter__()


def test_all_of_it_is_there_after_a_new_start(folder: Path, tmp_path: Path) -> None:
    with asking(config_for(folder)) as page:
        filled(page, 4)
        page.post("/api/move", ids=[page.ids()["red/0.jpg"]], label="blue")
        before = page.photos()
        page.done()
    with asking(config_for(folder)) as page:
        assert page.photos() == before
        assert page.post("/api/undo")["change"]["action"] == "move"
        assert sorted(page.photos().values()) == ["blue"] * 4 + ["red"] * 4


def test_a_folder_that_is_gone_is_a_sentence(page: Asking, folder: Path) -> None:
    filled(page, 2)
    page.done()
    shutil.rmtree(folder)
    state = page.until(lambda state: state["failure"])
    assert "photos" in state["failure"] and "mistake" not in state["failure"]
    answer = page.client.post("/api/move", json={"ids": [], "label": "red"})
    assert answer.status_code == 409 and "mistake" not in answer.text


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/classes", {"name": "../evil"}),
        ("/api/classes", {"name": "a/b"}),
        ("/api/classes", {"name": ""}),
        ("/api/classes", {"name": ".hidden"}),
        ("/api/classes/rename", {"name": "none", "to": "some"}),
        ("/api/move", {"ids": [], "label": "../evil"}),
        ("/api/classes/remove", {"name": ".."}),
    ],
)
def test_paths_are_no_names(page: Asking, folder: Path, path: str, body: dict[str, object]) -> None:
    filled(page, 1)
    answer = page.client.post(path, json=body)
    assert answer.status_code == 409 and answer.json()["error"].endswith("."), answer.text
    assert sorted(name for name in os.listdir(folder) if not name.startswith(".")) == ["blue", "red"]
    assert not {"evil", "evil.jpg"} & set(os.listdir(folder.parent))


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"name": 1}', b'{"name": "a", "more": 1}', b"\xff"])
def test_what_is_no_request_is_refused(page: Asking, body: bytes) -> None:
    answer = page.client.post("/api/classes", content=body)
    assert answer.status_code == 400 and "error" in answer.json()


def test_who_has_not_entered_gets_nothing_but_the_page(page: Asking) -> None:
    stranger = TestClient(page.client.app, base_url="http://127.0.0.1:8600")
    assert stranger.get("/").status_code == 200
    assert stranger.get("/api/state").status_code == 401
    assert stranger.get("/", headers={"host": "evil.example.com"}).status_code == 421
    for name in ("/../config.py", "/%2e%2e/config.py", "//etc/passwd", "/page/../config.py"):
        assert stranger.get(name).status_code == 404


def test_the_page_runs_no_script_of_its_own(page: Asking) -> None:
    answer = page.client.get("/")
    assert "script-src 'self';" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_training_does_not_wait_for_photos_that_keep_arriving(page: Asking, folder: Path) -> None:
    filled(page, 5)
    has_ended = threading.Event()

    def arrive() -> None:
        number = 1000
        while not has_ended.is_set():
            number += 1
            (folder / "red" / f"{number}.jpg").write_bytes(photo(RED, number))
            page.studio.look()

    thread = threading.Thread(target=arrive)
    thread.start()
    try:
        page.post("/api/train", status=202)
        page.until(lambda state: state["training"])
    finally:
        has_ended.set()
        thread.join()
