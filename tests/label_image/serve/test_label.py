"""`POST /label`: what `label_image --json` prints."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from calling import call
from serving import client_of, photo
from starlette.testclient import TestClient

from label_image.cli import main
from label_image.model import Outputs
from label_image.serve.answers import Task
from label_image.serve.label import CAMERAS
from label_image.serve.limits import Limits


def printed(*arguments: object) -> dict[str, Any]:
    code, out, err = call(main, "--json", *arguments)
    assert code == 0, err
    answer: dict[str, Any] = json.loads(out)
    return answer


def test_bytes_are_answered_as_the_command_line_does(
    client: TestClient, colours: Path, red: bytes, tmp_path: Path
) -> None:
    (tmp_path / "r.png").write_bytes(red)
    expected = printed("--model", colours, tmp_path / "r.png")
    answer = client.post("/label", content=red)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json() == {**expected, "image": None}
    assert answer.json()["label"] == "red"


def test_a_form_is_answered_with_the_name_of_its_file(client: TestClient, red: bytes, blue: bytes) -> None:
    for data in (red, blue):
        form = client.post("/label", files={"photo": ("猫 1.png", data)}, data={"note": "x"})
        assert form.json() == {**client.post("/label", content=data).json(), "image": "猫 1.png"}


def test_top_k_and_always_answer(client: TestClient, colours: Path, tmp_path: Path) -> None:
    grey = photo((128, 128, 128))
    (tmp_path / "grey.png").write_bytes(grey)
    expected = printed("--model", colours, "--top_k", 2, "--always_answer", tmp_path / "grey.png")
    assert client.post("/label", content=grey).json()["unknown"] is True
    answer = client.post("/label?top_k=2&always_answer=true", content=grey).json()
    assert answer == {**expected, "image": None} and len(answer["top"]) == 2 and answer["unknown"] is False


@pytest.mark.parametrize(
    ("query", "part"),
    [
        ("top_k=0", "top_k"), ("top_k=-1", "top_k"), ("top_k=1e3", "top_k"), ("top_k=٣", "top_k"),
        ("always_answer=yes", "always_answer"), ("camera=../x", "camera"), ("camera=", "camera"), ("q=1", "'q'"),
    ],
)  # fmt: skip
def test_wrong_parameters_are_named(client: TestClient, red: bytes, query: str, part: str) -> None:
    answer = client.post(f"/label?{query}", content=red)
    assert answer.status_code == 400 and part in answer.json()["error"]


@pytest.mark.parametrize("body", [b"", b"no photo", b"\xff\xd8\xff", b"%PDF-1.7", b"\x89PNG\r\n\x1a\n" + b"\0" * 50])
def test_what_is_no_photo_is_said(client: TestClient, body: bytes) -> None:
    answer = client.post("/label", content=body)
    assert answer.status_code == (422 if body else 400) and answer.json()["error"].endswith(".")


FORM = {"Content-Type": "multipart/form-data; boundary=x"}


@pytest.mark.parametrize(
    ("headers", "body", "part"),
    [
        ({"Content-Type": "multipart/form-data"}, b"", "boundary"),
        (FORM, b"", "damaged"),
        (FORM, b"--y\r\n\r\n--y--", "damaged"),
        (FORM, b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n--x--\r\n', "has 0"),
        (FORM, b'--x\r\nContent-Disposition: form-data; filename="a"\r\n\r\nb\r\n' * 2 + b"--x--\r\n", "has 2"),
        (FORM, b'--x\r\nContent-Disposition: form-data; filename="a"\r\n\r\nb\r\n' * 99 + b"--x--\r\n", "16 parts"),
        (FORM, b'--x\r\nContent-Disposition: form-data; filename="a"\r\n\r\n', "damaged"),
        (FORM, b"--x\r\n" + b"A: b\r\n" * 99 + b"\r\n\r\n--x--\r\n", "damaged"),
    ],
)
def test_forms_that_have_not_one_file_are_said(
    client: TestClient, headers: dict[str, str], body: bytes, part: str
) -> None:
    answer = client.post("/label", content=body, headers=headers)
    assert answer.status_code == 400 and part in answer.json()["error"]


def test_a_photo_of_too_many_pixels_is_not_decoded(colours: Path, red: bytes) -> None:
    with client_of(colours, limits=Limits(pixels=40 * 30 - 1)) as client:
        answer = client.post("/label", content=red)
    assert answer.status_code == 422 and answer.json()["error"] == "The photo is 40 x 30 pixels; the limit is 1199."
    with client_of(colours, limits=Limits(pixels=40 * 30)) as client:
        assert client.post("/label", content=red).status_code == 200


def test_the_last_answer_of_a_camera_is_kept_and_no_other(client: TestClient, red: bytes, blue: bytes) -> None:
    assert client.get("/label?camera=door").status_code == 404
    answer = client.post("/label?camera=door", content=red).json()
    client.post("/label", content=blue)
    client.post("/label?camera=garden", content=blue)
    kept = client.get("/label?camera=door").json()
    assert 0 <= kept.pop("seconds_ago") < 60 and kept == answer
    assert client.get("/label").status_code == 400
    client.post("/label?camera=door", content=b"no photo")
    assert client.get("/label?camera=door").json()["label"] == "red"


def test_the_newest_photo_of_a_camera_counts_not_the_last_answer(
    colours: Path, red: bytes, blue: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on, of_photo = Event(), Event(), Task.of_photo

    def slow(task: Task, photo: bytes) -> Outputs:
        if photo == blue:
            begun.set()
            assert go_on.wait(60)
        return of_photo(task, photo)

    monkeypatch.setattr(Task, "of_photo", slow)
    with client_of(colours) as client, ThreadPoolExecutor(1) as threads:
        older = threads.submit(client.post, "/label?camera=door", content=blue)
        assert begun.wait(60)
        assert client.post("/label?camera=door", content=red).json()["label"] == "red"
        go_on.set()
        assert older.result(60).json()["label"] == "blue"
        assert client.get("/label?camera=door").json()["label"] == "red"


def test_how_long_ago_a_photo_came_counts_from_its_arrival(
    client: TestClient, red: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_photo = Task.of_photo

    def slow(task: Task, photo: bytes) -> Outputs:
        time.sleep(0.3)
        return of_photo(task, photo)

    monkeypatch.setattr(Task, "of_photo", slow)
    client.post("/label?camera=door", content=red)
    assert client.get("/label?camera=door").json()["seconds_ago"] >= 0.3


def test_the_answers_of_a_hundred_cameras_are_kept(client: TestClient, red: bytes) -> None:
    for number in range(CAMERAS + 1):
        client.post(f"/label?camera=number-{number}", content=red)
    assert client.get("/label?camera=number-0").status_code == 404
    assert client.get("/label?camera=number-1").status_code == 200


def test_what_is_compressed_is_not_read(client: TestClient, red: bytes) -> None:
    answer = client.post("/label", content=red, headers={"Content-Encoding": "gzip"})
    assert answer.status_code == 415


@pytest.mark.parametrize("chunked", [False, True])
def test_a_large_body_is_refused(colours: Path, chunked: bool) -> None:
    with client_of(colours, limits=Limits(body=1000)) as client:
        data = b"x" * 1001
        answer = client.post("/label", content=iter([data[:600], data[600:]]) if chunked else data)
    assert answer.status_code == 413


def test_bodies_are_bounded_together(colours: Path, red: bytes) -> None:
    with client_of(colours, limits=Limits(bodies=10)) as client:
        answer = client.post("/label", content=red)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert client.get("/metrics").text.count("\nlabel_image_bytes_in_work 0.0\n") == 1
