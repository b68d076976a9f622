"""TensorFlow Serving's REST, as its page on the API describes it."""

import base64
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from serving import b64, client_of
from starlette.testclient import TestClient

from label_image.model import load_model
from label_image.serve.limits import Limits

PREDICT = "/v1/models/colours:predict"
SIZE = 16


def test_status_and_version(client: TestClient) -> None:
    expected = {
        "model_version_status": [
            {"version": "1", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
        ]
    }
    assert client.get("/v1/models/colours").json() == expected
    assert client.get("/v1/models/colours/versions/1").json() == expected
    for path in ("/v1/models/cats", "/v1/models/colours/versions/2", "/v1/models/colours/versions/x"):
        answer = client.get(path)
        assert (answer.status_code, list(answer.json())) == (404, ["error"])


def expected_scores(model: Path, *photos: bytes) -> list[list[float]]:
    loaded = load_model(model)
    return [loaded.run(loaded.preprocessing.pixels(photo)[None]).probabilities[0].tolist() for photo in photos]


@pytest.mark.parametrize("signature", [None, "serve_bytes", "serving_default"])
@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize("version", ["", "/versions/1"])
def test_photos_by_rows(
    client: TestClient, colours: Path, red: bytes, blue: bytes, signature: str | None, named: bool, version: str
) -> None:
    if named and signature == "serving_default":
        pytest.skip("its input is called image")
    rows: list[Any] = [b64(red), b64(blue)]
    content = {"instances": [{"image_bytes": row} for row in rows] if named else rows}
    answer = client.post(
        f"/v1/models/colours{version}:predict", json=content | ({"signature_name": signature} if signature else {})
    )
    predictions = answer.json()["predictions"]
    assert [row["scores"] for row in predictions] == expected_scores(colours, red, blue)
    assert [row["classes"][int(np.argmax(row["scores"]))] for row in predictions] == ["red", "blue"]
    assert all(len(row["similarity"]) == 1 for row in predictions)


@pytest.mark.parametrize("named", [False, True])
def test_photos_by_columns(client: TestClient, colours: Path, red: bytes, blue: bytes, named: bool) -> None:
    photos = [b64(red), b64(blue)]
    outputs = client.post(PREDICT, json={"inputs": {"image_bytes": photos} if named else photos}).json()["outputs"]
    assert outputs["scores"] == expected_scores(colours, red, blue)
    assert np.shape(outputs["similarity"]) == (2, 1) and np.shape(outputs["classes"]) == (2, 3)
    (one,) = client.post(PREDICT, json={"inputs": b64(red)}).json()["outputs"]["scores"]
    assert [one] == expected_scores(colours, red)


@pytest.mark.parametrize("by_rows", [False, True])
@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize("signature", [None, "serving_default", "numeric"])
def test_pixels(
    client: TestClient, colours: Path, red: bytes, by_rows: bool, named: bool, signature: str | None
) -> None:
    pixels = load_model(colours).preprocessing.pixels(red).tolist()
    values: Any = [pixels, pixels]
    if named:
        values = [{"image": pixels}] * 2 if by_rows else {"image": values}
    content = {"instances" if by_rows else "inputs": values}
    said = client.post(PREDICT, json=content | ({"signature_name": signature} if signature else {})).json()
    scores = [row["scores"] for row in said["predictions"]] if by_rows else said["outputs"]["scores"]
    assert scores == expected_scores(colours, red) * 2
    outputs = said["predictions"][0] if by_rows else said["outputs"]
    assert set(outputs) == {"scores", "similarity"} | (set() if signature == "numeric" else {"classes"})


def test_base64_may_have_lines(client: TestClient, red: bytes) -> None:
    """`base64` without -w 0 writes them, and TensorFlow Serving reads them."""
    lines = base64.encodebytes(red).decode()
    assert "\n" in lines
    answers = [
        client.post("/v1/models/colours:predict", json={"instances": [{"b64": text}]})
        for text in (lines, lines.replace("\n", ""))
    ]
    assert answers[0].status_code == 200 and answers[0].json() == answers[1].json()


def test_classify(client: TestClient, colours: Path, red: bytes) -> None:
    examples = [{"image_bytes": b64(red)}]
    (pairs,) = client.post("/v1/models/colours:classify", json={"examples": examples}).json()["results"]
    assert [label for label, _ in pairs] == ["blue", "green", "red"]
    assert [[score for _, score in pairs]] == expected_scores(colours, red)


WRONG: list[Any] = [
    [], 1, None, "x", {}, {"instances": []}, {"instances": {}}, {"instances": 1}, {"inputs": {}}, {"inputs": []},
    {"instances": [1], "inputs": [1]},
    {"instances": ["text"]},
    {"instances": [{"b64": 1}]},
    {"instances": [{"b64": "no base64!"}]},
    {"instances": [{"b64": "aGVsbG8=", "more": 1}]},
    {"instances": [{"image": {"b64": "aGVsbG8="}}, {"other": 1}]},
    {"instances": [{"b64": "aGVsbG8="}, [1]]},
    {"inputs": {"image": [[1]], "image_bytes": [{"b64": ""}]}},
    {"inputs": {"nothing": [1]}},
    {"instances": [[[[1, 2, 3]]]]},
    {"instances": [[[1], [1, 2]]]},
    {"instances": [[["a"]]]},
    {"signature_name": "other", "instances": [1]},
    {"signature_name": 1, "instances": [1]},
    {"signature_name": ["x"], "instances": [1]},
    {"signature_name": "serve_bytes", "instances": [[[[1, 2, 3]]]]},
]  # fmt: skip


@pytest.mark.parametrize("content", WRONG, ids=str)
def test_wrong_requests_are_refused_in_a_sentence(client: TestClient, content: Any) -> None:
    answer = client.post(PREDICT, json=content)
    assert (answer.status_code, list(answer.json())) == (400, ["error"])
    assert answer.json()["error"].endswith(".")
    assert client.post("/v1/models/colours:classify", json=content).status_code == 400


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"[" * 10_000, b'{"instances": NaN}', b"\0"])
def test_what_is_no_json_is_refused(client: TestClient, body: bytes) -> None:
    for path in (PREDICT, "/v1/models/colours:classify", "/v2/models/colours/infer"):
        answer = client.post(path, content=body)
        assert (answer.status_code, list(answer.json())) == (400, ["error"])


@pytest.mark.parametrize("value", [1e39, -1e39, 1e308, 10**30])
def test_pixels_that_leave_the_range_of_float32_are_refused(client: TestClient, value: float) -> None:
    size = client.get("/v2/models/colours").json()["inputs"][1]["shape"][1]
    pixels = [[[[value] * 3] * size] * size]
    answer = client.post(PREDICT, json={"instances": pixels})
    assert answer.status_code == 400, answer.text


def test_no_more_photos_than_are_allowed(colours: Path, red: bytes) -> None:
    with client_of(colours, limits=Limits(photos=2)) as client:
        for number, status in ((1, 200), (2, 200), (3, 400)):
            assert client.post(PREDICT, json={"instances": [b64(red)] * number}).status_code == status


def test_the_photo_that_cannot_be_read_is_named(client: TestClient, red: bytes) -> None:
    answer = client.post(PREDICT, json={"instances": [b64(red), b64(b"none"), b64(red)]})
    assert answer.status_code == 422 and answer.json()["error"].startswith("Photo 1 ")


def test_metadata_names_the_signatures(client: TestClient) -> None:
    said = client.get("/v1/models/colours/metadata").json()
    assert said["model_spec"] == {"name": "colours", "signature_name": "", "version": "1"}
    signatures = said["metadata"]["signature_def"]["signature_def"]
    assert set(signatures) == {"serving_default", "serve_bytes", "numeric"}
    assert signatures["serve_bytes"]["inputs"]["image_bytes"]["dtype"] == "DT_STRING"
    assert all(output["dtype"] == "DT_FLOAT" for output in signatures["numeric"]["outputs"].values())
