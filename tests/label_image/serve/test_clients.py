"""Programs that others wrote, against a server: curl, Triton's client, TensorFlow Serving's as people write it.

Home Assistant itself is not run: its `rest` sensor asks, parses JSON and fills a template of Jinja, and so is done here
with the configuration that docs/serve.md shows.
"""

import base64
import json
import re
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import jinja2
import numpy as np
import pytest
from serving import Served, served

from label_image.model import load_model
from retrain.exports.clients import write_clients

ROOT = Path(__file__).resolve().parents[3]
TOKEN = "a-token"


@pytest.fixture(scope="module")
def server(colours: Path) -> Iterator[Served]:
    with served(colours, environment={"LABEL_IMAGE_TOKEN": TOKEN}) as server:
        yield server


@pytest.fixture(scope="module")
def photo_file(red: bytes, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("photos") / "gato 1.png"
    file.write_bytes(red)
    return file


def curl(*arguments: str) -> str:
    if shutil.which("curl") is None:
        pytest.skip("no curl: apt-get install curl")
    done = subprocess.run(
        ["curl", "--silent", "--show-error", "--fail-with-body", "--noproxy", "*", *arguments,
         "-H", f"Authorization: Bearer {TOKEN}"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("http", ["--http1.0", "--http1.1", "--http2"])
def test_curl(server: Served, photo_file: Path, http: str) -> None:
    form = json.loads(curl(http, "-F", f"photo=@{photo_file}", f"{server.url}label"))
    assert (form["image"], form["label"]) == ("gato 1.png", "red")
    assert json.loads(curl(http, "--data-binary", f"@{photo_file}", f"{server.url}label"))["label"] == "red"
    chunked = ["-H", "Transfer-Encoding: chunked"] if http == "--http1.1" else []
    assert json.loads(curl(http, "-T", str(photo_file), "-X", "POST", *chunked, f"{server.url}label"))["label"] == "red"
    assert "label_image_photos_total" in curl(http, f"{server.url}metrics")


def test_tritonclient(server: Served, colours: Path, red: bytes, blue: bytes) -> None:
    import tritonclient.http as triton

    def headers() -> dict[str, str]:  # the client adds its own to those that it is given
        return {"Authorization": f"Bearer {TOKEN}"}

    client = triton.InferenceServerClient(f"127.0.0.1:{server.port}")
    try:
        assert client.is_server_live() and client.is_server_ready()
        assert client.is_model_ready("colours", headers=headers()) and not client.is_model_ready(
            "none", headers=headers()
        )
        assert client.get_server_metadata(headers=headers())["extensions"] == ["binary_tensor_data"]
        model = client.get_model_metadata("colours", headers=headers())
        photos = triton.InferInput("image_bytes", [2], "BYTES")
        photos.set_data_from_numpy(np.array([red, blue], object))
        found = client.infer("colours", [photos], headers=headers(), request_id="x")
        assert found.as_numpy("label").tolist() == [b"red", b"blue"] and found.get_response()["id"] == "x"
        assert found.as_numpy("unknown").tolist() == [False, False]
        assert found.as_numpy("scores").shape == (2, model["outputs"][2]["shape"][1])

        loaded = load_model(colours)
        pixels = loaded.preprocessing.pixels(red)[None]
        image = triton.InferInput("image", list(pixels.shape), "FP32")
        for binary in (True, False):
            image.set_data_from_numpy(pixels.astype(np.float32), binary_data=binary)
            wanted = [
                triton.InferRequestedOutput("scores", binary_data=binary),
                triton.InferRequestedOutput("scores", binary_data=binary, class_count=1),
            ]
            scores = client.infer("colours", [image], outputs=wanted[:1], headers=headers()).as_numpy("scores")
            assert scores.tolist() == loaded.run(pixels).probabilities.tolist()
            best = client.infer("colours", [image], outputs=wanted[1:], headers=headers()).as_numpy("scores")
            assert str(best.reshape(-1)[0]).rstrip("'").endswith(":2:red")
        with pytest.raises(triton.InferenceServerException, match="must be BYTES, FP32 or UINT8"):
            client.infer("colours", [triton.InferInput("image", [1], "INT64")], headers=headers())
        with pytest.raises(triton.InferenceServerException, match="needs the token"):
            client.infer("colours", [photos])
    finally:
        client.close()


def test_a_client_of_tensorflow_serving(server: Served, colours: Path, photo_file: Path) -> None:
    """As its guide and countless answers have it: base64 in JSON, posted to :predict."""
    encoded = base64.b64encode(photo_file.read_bytes()).decode("utf-8")
    body = json.dumps({"signature_name": "serve_bytes", "instances": [{"b64": encoded}]}).encode()
    request = urllib.request.Request(
        f"{server.url}v1/models/colours:predict",
        body,
        {"content-type": "application/json", "Authorization": f"Bearer {TOKEN}"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        (prediction,) = json.loads(answer.read())["predictions"]
    assert prediction["classes"][int(np.argmax(prediction["scores"]))] == "red"


def test_the_program_that_an_export_has_for_tensorflow_serving(colours: Path, photo_file: Path, tmp_path: Path) -> None:
    if not (shutil.which("curl") and shutil.which("jq")):
        pytest.skip("no curl or jq: apt-get install curl jq")
    export = Path(shutil.copytree(colours, tmp_path / "classifier"))
    write_clients(export)
    with served(export, "--name", "classifier") as server:
        command = ["sh", export / "clients/tf_serving.sh", photo_file, server.url.rstrip("/")]
        done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0 and json.loads(done.stdout)["label"] == "red", done.stderr


def test_the_sensor_of_home_assistant(server: Served, photo_file: Path) -> None:
    page = (ROOT / "docs/serve.md").read_text(encoding="utf-8")
    (resource,) = re.findall(r"^ +- resource: http://127\.0\.0\.1:8501/(\S+)$", page, re.M)
    (template,) = re.findall(r'^ +value_template: "(.*value_json.*)"$', page, re.M)
    (attributes,) = re.findall(r"^ +json_attributes: \[(.*)\]$", page, re.M)
    curl("-F", f"photo=@{photo_file}", f"{server.url}{resource}")
    request = urllib.request.Request(server.url + resource, headers={"Authorization": f"Bearer {TOKEN}"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        value = json.load(answer)
    assert jinja2.Template(template).render(value_json=value) == "red"
    assert jinja2.Template(template).render(value_json={**value, "unknown": True}) == "unknown"
    assert set(attributes.split(", ")) <= set(value)
