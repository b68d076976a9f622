"""What all answers have, whatever is asked and whatever goes wrong."""

import asyncio
import os
from pathlib import Path

import msgspec
import pytest
from in_studio import asking, config_for
from studio_folders import png, put

from retrain.core.errors import OptionError, StudioError
from retrain.studio.answers import Answered
from retrain.studio.config import model_beside
from retrain.studio.opening import open_folder
from retrain.studio.requests import Above
from retrain.studio.studio import Studio


@pytest.mark.parametrize("path", ["/", "/nothing", "/api/state", "/api/nothing", "/api/take/report", "/try/", "/try"])
def test_each_answer_says_what_it_may_load(tmp_path: Path, path: str) -> None:
    with asking(config_for(tmp_path / "photos")) as page:
        headers = page.client.get(path, follow_redirects=False).headers
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff" and headers["referrer-policy"] == "no-referrer"


def test_a_mistake_is_answered_like_all_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("retrain.studio.state_routes.state_of", lambda studio: 1 / 0)
    with asking(config_for(tmp_path / "photos")) as page:
        answer = page.client.get("/api/state?lang=pt")
    assert answer.status_code == 500 and "estúdio" in answer.json()["error"]
    assert "content-security-policy" in answer.headers and "x-content-type-options" in answer.headers


def test_what_is_cut_off_at_the_end_is_told_so() -> None:
    async def never(scope: object, receive: object, send: object) -> None:
        await asyncio.Event().wait()

    async def work() -> list[object]:
        sent: list[object] = []

        async def send(part: object) -> None:
            sent.append(part)

        scope = {"type": "http", "method": "POST", "path": "/api/photos", "headers": []}
        task = asyncio.create_task(Answered(never)(scope, None, send))  # type: ignore[arg-type]
        await asyncio.sleep(0)
        task.cancel()
        await task
        return sent

    start, body = asyncio.run(work())
    assert start["status"] == 503 and b"The studio ends." in body["body"]  # type: ignore[index]


def test_names_that_are_no_text_are_told(tmp_path: Path) -> None:
    folder = put(tmp_path / os.fsdecode(b"pho\xfftos"), "cat/a.png", "dog/b.png")
    with asking(config_for(folder)) as page:
        page.done()
        os.mkdir(os.fsencode(folder) + b"/b\xffad")
        (folder / os.fsdecode(b"b\xffad") / "a.png").write_bytes(png(50))
        state = page.until(lambda state: len(state["classes"]) == 3)
        assert [one["name"] for one in state["classes"]] == ["b\\xffad", "cat", "dog"]
        assert page.photos()["b\\xffad/a.png"] == "b\\xffad"
        page.post("/api/train", status=202)
        state = page.until(lambda state: state["failure"] and not state["work"])
        assert "not valid UTF-8" in state["failure"]
        shown = folder.rename(folder.with_name("away"))
        assert "pho\\xfftos" in page.until(lambda state: "listed" in (state["failure"] or ""))["failure"]
        shown.rename(folder)


def test_a_model_whose_name_is_no_text_is_taken_away(tmp_path: Path) -> None:
    config = config_for(tmp_path / "photos", output_dir=tmp_path / os.fsdecode(b"mo\xffdel"))
    with asking(config) as page:
        put(config.output_dir, "labels.txt", "model.json", "model.tflite")
        answer = page.client.get("/api/take/all")
    assert answer.status_code == 200 and "mo%5Cxffdel_all.zip" in answer.headers["content-disposition"]


def test_nothing_to_remove_is_nothing_to_undo(tmp_path: Path) -> None:
    with asking(config_for(put(tmp_path / "photos", "cat/a.png"))) as page:
        assert page.post("/api/remove", ids=[])["change"]["count"] == 0
        assert page.state()["undo"] is None


@pytest.mark.parametrize("above", [-1, 1.5, -0.001])
def test_what_is_no_probability_accepts_nothing(above: float) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(msgspec.json.encode({"above": above}), type=Above)


def test_a_format_that_is_not_known_is_refused_at_once(tmp_path: Path) -> None:
    with asking(config_for(tmp_path / "photos")) as page:
        assert "not known" in page.post("/api/export", status=400, name="floppy")["error"]


def test_what_another_page_has_moved_meanwhile_is_passed_over(tmp_path: Path) -> None:
    with asking(config_for(put(tmp_path / "photos", "cat/a.png", "cat/b.png", "dog/c.png"))) as page:
        chosen = [page.ids()["cat/a.png"], page.ids()["cat/b.png"]]
        page.post("/api/move", ids=chosen[:1], label="dog")
        assert page.post("/api/move", ids=chosen, label="bird")["change"]["count"] == 1
        assert page.photos() == {"bird/b.png": "bird", "dog/a.png": "dog", "dog/c.png": "dog"}
        assert "not there any more" in page.post("/api/remove", status=404, ids=chosen)["error"]


def test_a_model_among_the_photos_is_refused_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="among the photos"):
        Studio(config_for(tmp_path / "photos", output_dir=tmp_path / "photos" / "model"))


def test_all_files_of_a_machine_are_no_folder_of_photos() -> None:
    assert model_beside(Path("/")) == Path("/_model")
    with pytest.raises(StudioError, match="holds all your files"):
        open_folder(Path("/"))


def test_an_export_is_no_folder_of_photos(tmp_path: Path) -> None:
    export = tmp_path / "model"
    export.mkdir()
    (export / "model.json").write_text('{"format": "retrain-export"}')
    for folder in (export, export / "photos"):
        with pytest.raises(StudioError, match=r"is an export of a model, or lies in one.*choose a folder of photos"):
            open_folder(folder)
    assert [path.name for path in export.iterdir()] == ["model.json"]
