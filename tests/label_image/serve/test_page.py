"""The page: files in memory, and nothing else."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from serving import client_of, settings_for
from starlette.testclient import TestClient

from label_image.errors import ModelError
from label_image.serve.page import CSP, PageFile, find, page_of
from label_image.serve.starting import service_of


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("index.html", "text/html; charset=utf-8"), ("app.js", "text/javascript; charset=utf-8"),
        ("a/b.mjs", "text/javascript; charset=utf-8"), ("style.css", "text/css; charset=utf-8"),
        ("runtime.wasm", "application/wasm"), ("runtime.wasm.gz", "application/gzip"),
        ("manifest.webmanifest", "application/manifest+json"), ("config.json", "application/json"),
        ("icon.png", "image/png"), ("model-1.tflite.gz", "application/gzip"),
        ("model.tflite", "application/octet-stream"),
        ("LICENCES.txt", "text/plain; charset=utf-8"),
    ],
)  # fmt: skip
def test_files_say_what_they_are(name: str, kind: str) -> None:
    assert PageFile.named(name, b"").kind == kind


def test_the_page_is_at_the_root_with_its_policy(client: TestClient) -> None:
    root, index = client.get("/"), client.get("/index.html")
    assert root.content == index.content and root.headers["content-type"].startswith("text/html")
    assert root.headers["content-security-policy"] == CSP
    assert f'content="{CSP}"' in root.text  # a static host sends no header
    head = client.head("/")
    assert head.status_code == 200 and head.content == b""


def test_what_has_not_changed_is_not_sent_again(client: TestClient) -> None:
    first = client.get("/sw.js")
    assert first.headers["cache-control"] == "no-cache"
    for tag in (first.headers["etag"], f"W/{first.headers['etag']}", f'"x", {first.headers["etag"]}', "*"):
        again = client.get("/sw.js", headers={"If-None-Match": tag})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    assert client.get("/sw.js", headers={"If-None-Match": '"x"'}).status_code == 200


@pytest.mark.parametrize(
    "path",
    ["/../model.json", "/%2e%2e/model.json", "/..%2f..%2fetc/passwd", "//etc/passwd", "/etc/passwd", "/model.json",
     "/%00", "/index.html/", "/index.html%00.js", "/\\..\\x", "/model.tflite", "/saved_model.pb",
     "/label/", "/v1/models/colours/", "/v2/", "/%ff", "/v1/models/..%2fcolours", "/v2/models/colours/versions/../1"],
)  # fmt: skip
def test_nothing_else_is_there(client: TestClient, path: str) -> None:
    import httpx2

    answer = client.request("GET", httpx2.URL("http://127.0.0.1:8501", raw_path=path.encode()))
    assert (answer.status_code, list(answer.json())) == (404, ["error"])


def test_other_methods_are_refused_with_those_that_are_known(client: TestClient) -> None:
    for path, allowed in (("/", "GET, HEAD"), ("/metrics", "GET, HEAD"), ("/v1/models/colours:predict", "POST")):
        for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"):
            answer = client.request(method, path)
            assert (answer.status_code, list(answer.json())) == (405, ["error"])
            assert set(answer.headers["allow"].split(", ")) == set(allowed.split(", "))


def test_the_model_of_the_page_before_stays_for_pages_that_are_being_loaded() -> None:
    first = page_of(lambda model, labels: {"index.html": b"1", "model-1.tflite": b"1"}, Path(), (), {})
    second = page_of(lambda model, labels: {"index.html": b"2", "model-2.tflite.gz": b"2"}, Path(), (), first)
    assert {name: file.content for name, file in second.items()} == {
        "index.html": b"2", "model-1.tflite": b"1", "model-2.tflite.gz": b"2"
    }  # fmt: skip
    third = page_of(lambda model, labels: {"index.html": b"3", "model-3.tflite": b"3"}, Path(), (), second)
    assert sorted(third) == ["index.html", "model-2.tflite.gz", "model-3.tflite"]


def test_a_model_without_a_page_has_none() -> None:
    def refuse(model: Path, labels: Sequence[str]) -> dict[str, bytes]:
        raise ModelError("It has no .tflite.")

    assert page_of(refuse, Path(), (), {}) == {} and find({}, "/") is None


def test_a_model_without_a_page_says_what_to_do(colours: Path, red: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("label_image.serve.starting.page_files", lambda model, labels: {})
    with client_of(colours) as client:
        answer = client.get("/")
        assert answer.status_code == 404 and "/label" in answer.json()["error"]
        assert client.post("/label", content=red).json()["label"] == "red"


def test_the_page_names_the_classes_as_the_server_does(colours: Path, tmp_path: Path) -> None:
    names = tmp_path / "names.txt"
    names.write_text("rot\ngrün\nblau\n", encoding="utf-8")
    loaded = service_of(replace(settings_for(colours), labels=str(names)), print).models.current
    assert (
        json.loads(loaded.page["config.json"].content)["labels"] == list(loaded.model.labels) == ["rot", "grün", "blau"]
    )
