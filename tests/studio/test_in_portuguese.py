"""One studio answers two pages, each in its language: whatever was found or went wrong, in whichever thread."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from in_studio import Asking, asking, config_for
from painting import paint

PORTUGUESE = {"Accept-Language": "pt-BR,pt;q=0.9,en;q=0.5"}


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Asking]:
    """Of a folder with two classes, a copy in the wrong one of them, and a file that is no photo."""
    for colour in ("red", "blue"):
        for seed in range(6):
            paint(tmp_path / "photos" / colour / f"{seed}.jpg", colour, seed)
    (tmp_path / "photos/blue/copy.jpg").write_bytes((tmp_path / "photos/red/0.jpg").read_bytes())
    (tmp_path / "photos/blue/empty.jpg").touch()
    with asking(config_for(tmp_path / "photos")) as page:
        page.done()
        yield page


def both(page: Asking, path: str) -> tuple[Any, Any]:
    """What is answered in English, and in Portuguese."""
    return page.client.get(path).json(), page.client.get(path, headers=PORTUGUESE).json()


def test_why_a_file_is_not_used(page: Asking) -> None:
    english, portuguese = both(page, "/api/state")
    assert [item["reason"] for item in english["seeing"]["skipped"]] == ["is empty (0 bytes)"]
    assert [item["reason"] for item in portuguese["seeing"]["skipped"]] == ["está vazio (0 bytes)"]


def test_what_the_doctor_found(page: Asking) -> None:
    english, portuguese = both(page, "/api/doctor")
    assert (english, portuguese) == (
        {"error": "The photos were not examined yet."}, {"error": "As fotos ainda não foram examinadas."}
    )  # fmt: skip
    page.post("/api/examine", status=202)
    page.until(lambda state: state["doctor"] and not state["work"])
    english, portuguese = both(page, "/api/doctor")
    words = {section["kind"]: section for section in portuguese["sections"]}
    assert [section["kind"] for section in english["sections"]] == list(words)
    assert words["copy_across_classes"]["heading"] == "A mesma foto em duas classes"
    assert all(card["sentence"].startswith("Os mesmos bytes de ") for card in words["copy_across_classes"]["cards"])
    assert {card["suggestion"] for card in words["copy_across_classes"]["cards"]} == {"remove"}  # of programs


@pytest.mark.parametrize(
    ("path", "sent", "status", "said"),
    [
        ("/api/photos?name=a b.jpg", b"%PDF-1.4", 415, "a b.jpg não é uma foto: é um documento PDF."),
        ("/api/try", b"<html>", 409, "Ainda não há modelo: treine primeiro."),
    ],
)
def test_what_is_refused(page: Asking, path: str, sent: bytes, status: int, said: str) -> None:
    answer = page.client.post(path, content=sent, headers=PORTUGUESE)
    assert (answer.status_code, answer.json()["error"]) == (status, said)


def test_what_came_of_a_work_is_said_in_each_language(page: Asking) -> None:
    page.post("/api/classes/remove", name="red")
    page.done()
    page.post("/api/train", status=202)
    page.until(lambda state: state["failure"])
    english, portuguese = both(page, "/api/state")
    assert english["failure"].startswith("Only the class 'blue' has photos that can be used")
    assert portuguese["failure"].startswith("Só a classe 'blue' tem fotos que podem ser usadas")
