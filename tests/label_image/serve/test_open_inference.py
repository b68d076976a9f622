"""The Open Inference Protocol, version 2, in JSON and with its extension for binary tensors."""

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from serving import b64
from starlette.testclient import TestClient

from label_image.model import load_model
from label_image.preprocessing import Pixels

INFER = "/v2/models/colours/infer"
BYTES = {"name": "image_bytes", "datatype": "BYTES", "shape": [1]}


@pytest.fixture
def pixels(colours: Path, red: bytes) -> Pixels:
    return load_model(colours).preprocessing.pixels(red)


def scores_of(colours: Path, pixels: Pixels) -> list[float]:
    found: list[float] = load_model(colours).run(pixels[None]).probabilities[0].tolist()
    return found


def outputs(content: dict[str, Any]) -> dict[str, Any]:
    return {output["name"]: output["data"] for output in content["outputs"]}


def element(data: bytes) -> bytes:
    return len(data).to_bytes(4, "little") + data


def post_binary(client: TestClient, header: Any, data: bytes, length: int | str | None = None) -> Any:
    text = json.dumps(header).encode()
    headers = {"Inference-Header-Content-Length": str(len(text) if length is None else length)}
    return client.post(INFER, content=text + data, headers=headers)


def test_health_and_metadata(client: TestClient) -> None:
    assert client.get("/v2/health/live").json()["live"] is True
    assert client.get("/v2/health/ready").json()["ready"] is True
    assert client.get("/v2").json()["extensions"] == ["binary_tensor_data"]
    for base in ("/v2/models/colours", "/v2/models/colours/versions/1"):
        assert client.get(f"{base}/ready").json() == {"name": "colours", "ready": True}
        model = client.get(base).json()
        assert (model["name"], model["versions"]) == ("colours", ["1"])
        assert [tensor["name"] for tensor in model["inputs"]] == ["image_bytes", "image"]
    for path in ("/v2/models/x", "/v2/models/colours/versions/2", "/v2/models/x/ready"):
        assert (client.get(path).status_code, list(client.get(path).json())) == (404, ["error"])


@pytest.mark.parametrize("as_object", [False, True])
def test_a_photo_in_json(client: TestClient, colours: Path, red: bytes, pixels: Pixels, as_object: bool) -> None:
    data = [b64(red) if as_object else base64.b64encode(red).decode()]
    said = client.post(INFER, json={"id": "7", "inputs": [{**BYTES, "data": data}]}).json()
    assert (said["model_name"], said["model_version"], said["id"]) == ("colours", "1", "7")
    found = outputs(said)
    assert found["label"] == ["red"] and found["unknown"] == [False] and found["classes"] == ["blue", "green", "red"]
    assert found["scores"] == scores_of(colours, pixels) and len(found["similarity"]) == 1


def test_what_is_said_is_what_the_metadata_promise(client: TestClient, red: bytes) -> None:
    promised = client.get("/v2/models/colours").json()["outputs"]
    said = client.post(INFER, json={"inputs": [{**BYTES, "data": [b64(red)]}]}).json()["outputs"]
    assert [(o["name"], o["datatype"], [-1, *o["shape"][1:]]) for o in said] == [
        (o["name"], o["datatype"], o["shape"]) for o in promised
    ]


@pytest.mark.parametrize(("datatype", "dtype"), [("FP32", "<f4"), ("UINT8", "u1")])
@pytest.mark.parametrize("binary", [False, True])
def test_pixels(client: TestClient, colours: Path, pixels: Pixels, datatype: str, dtype: str, binary: bool) -> None:
    header: dict[str, Any] = {"name": "image", "datatype": datatype, "shape": [1, *pixels.shape]}
    if binary:
        data = pixels.astype(dtype).tobytes()
        header["parameters"] = {"binary_data_size": len(data)}
        said = post_binary(client, {"inputs": [header]}, data).json()
    else:
        said = client.post(INFER, json={"inputs": [{**header, "data": pixels.reshape(-1).tolist()}]}).json()
    assert outputs(said)["scores"] == scores_of(colours, pixels)


def test_photos_as_bytes_behind_the_json(client: TestClient, red: bytes, blue: bytes) -> None:
    data = element(red) + element(blue)
    header = {**BYTES, "shape": [2], "parameters": {"binary_data_size": len(data)}}
    assert outputs(post_binary(client, {"inputs": [header]}, data).json())["label"] == ["red", "blue"]


def test_outputs_as_bytes(client: TestClient, colours: Path, red: bytes, pixels: Pixels) -> None:
    header = {**BYTES, "parameters": {"binary_data_size": len(element(red))}}
    asked = {"inputs": [header], "parameters": {"binary_data_output": True}}
    answer = post_binary(client, asked, element(red))
    length = int(answer.headers["inference-header-content-length"])
    head, rest = json.loads(answer.content[:length]), answer.content[length:]
    found = {}
    for output in head["outputs"]:
        size = output["parameters"]["binary_data_size"]
        found[output["name"]], rest = rest[:size], rest[size:]
    assert rest == b""
    assert np.frombuffer(found["scores"], "<f4").tolist() == scores_of(colours, pixels)
    assert (found["label"], found["unknown"]) == (element(b"red"), b"\0")


def test_outputs_that_are_asked_for(client: TestClient, red: bytes) -> None:
    wanted = [{"name": "scores", "parameters": {"classification": 2}}, {"name": "label"}]
    said = client.post(INFER, json={"inputs": [{**BYTES, "data": [b64(red)]}], "outputs": wanted}).json()
    assert [output["name"] for output in said["outputs"]] == ["scores", "label"]
    best, second = (text.split(":") for text in said["outputs"][0]["data"])
    assert best[1:] == ["2", "red"] and float(best[0]) > float(second[0])


def test_a_raw_photo(client: TestClient, red: bytes) -> None:
    answer = client.post(INFER, content=red, headers={"Inference-Header-Content-Length": "0"})
    assert outputs(answer.json())["label"] == ["red"]


WRONG: list[Any] = [
    [], 1, None, {}, {"inputs": []}, {"inputs": 1}, {"inputs": [1]}, {"inputs": [{}]}, {"inputs": [BYTES]},
    {"inputs": [BYTES, BYTES]},
    {"inputs": [{**BYTES, "data": []}]},
    {"inputs": [{**BYTES, "data": ["no base64!"]}]},
    {"inputs": [{**BYTES, "data": [1]}]},
    {"inputs": [{**BYTES, "data": ["aaaa", "aaaa"]}]},
    {"inputs": [{**BYTES, "shape": [2], "data": ["aaaa"]}]},
    {"inputs": [{**BYTES, "shape": [-1], "data": ["aaaa"]}]},
    {"inputs": [{**BYTES, "shape": [True], "data": ["aaaa"]}]},
    {"inputs": [{**BYTES, "shape": [2**40], "data": ["aaaa"]}]},
    {"inputs": [{**BYTES, "shape": [1] * 9, "data": ["aaaa"]}]},
    {"inputs": [{**BYTES, "shape": "1", "data": ["aaaa"]}]},
    {"inputs": [{**BYTES, "shape": [1, 1, 1], "data": ["aaaa"]}]},
    {"inputs": [{**BYTES, "datatype": "INT64", "data": ["aaaa"]}]},
    {"inputs": [{**BYTES, "datatype": ["BYTES"], "data": ["aaaa"]}]},
    {"inputs": [{**BYTES, "datatype": "FP32", "data": [1]}]},
    {"inputs": [{**BYTES, "name": "other", "data": ["aaaa"]}]},
    {"inputs": [{**BYTES, "name": 1, "data": ["aaaa"]}]},
    {"inputs": [{**BYTES, "data": ["aaaa"], "parameters": 1}]},
    {"inputs": [{**BYTES, "data": ["aaaa"], "parameters": {"binary_data_size": 4}}]},
    {"inputs": [{"name": "image", "datatype": "FP32", "shape": [1, 2, 2, 3], "data": [0] * 12}]},
    {"inputs": [{"name": "image", "datatype": "FP32", "shape": [1], "data": ["a"]}]},
    {"inputs": [{"name": "image", "datatype": "FP32", "shape": [1], "data": [[1], [1, 2]]}]},
    {"inputs": [{"name": "image", "datatype": "BYTES", "shape": [1], "data": ["aaaa"]}]},
    {"inputs": [{**BYTES, "data": ["aaaa"]}], "id": 1},
    {"inputs": [{**BYTES, "data": ["aaaa"]}], "parameters": []},
    {"inputs": [{**BYTES, "data": ["aaaa"]}], "outputs": 1},
    {"inputs": [{**BYTES, "data": ["aaaa"]}], "outputs": [1]},
]  # fmt: skip


@pytest.mark.parametrize("content", WRONG, ids=str)
def test_wrong_requests_are_refused_in_a_sentence(client: TestClient, content: Any) -> None:
    answer = client.post(INFER, json=content)
    assert (answer.status_code, list(answer.json())) == (400, ["error"]), answer.text
    assert answer.json()["error"].endswith(".")


@pytest.mark.parametrize(
    "outputs", [[{"name": "x"}], [{"name": "label", "parameters": {"classification": 1}}],
                [{"name": "scores", "parameters": {"classification": -1}}], [{"name": "scores"}] * 2,
                [{"name": "scores"}, {"name": "scores", "parameters": {"classification": 1}}]],
)  # fmt: skip
def test_wrong_outputs_are_refused(client: TestClient, red: bytes, outputs: Any) -> None:
    answer = client.post(INFER, json={"inputs": [{**BYTES, "data": [b64(red)]}], "outputs": outputs})
    assert answer.status_code == 400


@pytest.mark.parametrize("length", ["-1", "x", "99999999", "1e1", "²"])
def test_a_wrong_length_of_the_json_is_refused(client: TestClient, length: str) -> None:
    headers = [(b"Inference-Header-Content-Length", length.encode())]
    answer = client.post(INFER, content=b"{}", headers=headers)
    assert answer.status_code == 400


@pytest.mark.parametrize("data", [b"\1", b"\5\0\0\0abcd", b"\1\0\0\0a\0", b"\xff\xff\xff\xff"])
def test_elements_that_end_early_are_refused(client: TestClient, data: bytes) -> None:
    header = {**BYTES, "parameters": {"binary_data_size": len(data)}}
    assert post_binary(client, {"inputs": [header]}, data).status_code == 400
    floats = {"name": "image", "datatype": "FP32", "shape": [1], "parameters": {"binary_data_size": 3}}
    assert post_binary(client, {"inputs": [floats]}, b"abc").status_code == 400


def test_bytes_that_no_input_has_are_refused(client: TestClient, red: bytes) -> None:
    asked = {"inputs": [{**BYTES, "data": [b64(red)]}]}
    assert post_binary(client, asked, b"more").status_code == 400


def test_a_photo_that_cannot_be_read_is_said(client: TestClient) -> None:
    answer = client.post(INFER, json={"inputs": [{**BYTES, "data": ["aGVsbG8="]}]})
    assert answer.status_code == 422 and answer.json()["error"].startswith("The photo ")
