"""The Open Inference Protocol, version 2, over HTTP: `/v2`, as KServe, Triton and OpenVINO's server speak it.

The model takes one of two inputs: `image_bytes`, BYTES (n,), photos as they are; or `image`, FP32 or UINT8
(n, size, size, 3), pixels. Without an Inference-Header-Content-Length all of a body is JSON; where it is 0, all of a
body is one photo (Triton's raw request).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from label_image.installing import DISTRIBUTION, versions
from label_image.model import Outputs
from label_image.serve.answers import Task
from label_image.serve.label import json_response
from label_image.serve.model_in_use import Loaded
from label_image.serve.refused import Refused
from label_image.serve.service import Service
from label_image.serve.tensors import Tensor, read_tensor
from label_image.serve.tf_serving import json_object

HEADER_LENGTH = "Inference-Header-Content-Length"
PIXELS, PHOTOS = "image", "image_bytes"


def open_inference_routes(service: Service) -> list[Route]:
    def model_of(request: Request) -> Loaded:
        return service.models.of(request.path_params["name"], request.path_params.get("version"))

    async def server(request: Request) -> Response:
        version = versions(["retrain"])["retrain"]
        return json_response({"name": DISTRIBUTION, "version": version, "extensions": ["binary_tensor_data"]})

    async def live(request: Request) -> Response:
        return json_response({"live": True})

    async def ready(request: Request) -> Response:
        return json_response({"live": True, "ready": True})

    async def metadata(request: Request) -> Response:
        return json_response(metadata_of(model_of(request)))

    async def model_ready(request: Request) -> Response:
        return json_response({"name": model_of(request).name, "ready": True})

    async def infer(request: Request) -> Response:
        length = request.headers.get(HEADER_LENGTH)

        def work(task: Task, body: bytes) -> Response:
            asked = Asked.of(body, length, service.limits.body)
            outputs = _run(task, asked.input)
            service.metrics.photos(len(outputs.probabilities))
            return asked.response(task.loaded, outputs_of(task.loaded, outputs))

        return await service.answer(request, model_of(request), work)

    routes = [
        Route("/v2", server, methods=["GET"]),
        Route("/v2/health/live", live, methods=["GET"]),
        Route("/v2/health/ready", ready, methods=["GET"]),
    ]
    for base in ("/v2/models/{name}", "/v2/models/{name}/versions/{version}"):
        routes += [
            Route(base, metadata, methods=["GET"]),
            Route(f"{base}/ready", model_ready, methods=["GET"]),
            Route(f"{base}/infer", infer, methods=["POST"]),
        ]
    return routes


@dataclass(frozen=True)
class Wanted:
    """An output that is asked for: as bytes or in JSON; `best` are the classes that are to be named, if any."""

    name: str
    as_bytes: bool
    best: int = 0


@dataclass(frozen=True)
class Asked:
    """A request to infer. `wanted` is None for all outputs."""

    input: Tensor
    id: str | None
    wanted: tuple[Wanted, ...] | None
    all_as_bytes: bool

    @classmethod
    def of(cls, body: bytes, length: str | None, limit: int) -> "Asked":
        """Raises Refused."""
        if length is not None and length.strip() == "0":
            return cls(Tensor(PHOTOS, "BYTES", (1,), [body]), None, None, False)
        header = _header_length(length, len(body))
        content = json_object(body[:header], limit)
        inputs = content.get("inputs")
        if not isinstance(inputs, list) or len(inputs) != 1:
            raise Refused(400, f'The request must have "inputs" with one of them: {PHOTOS} or {PIXELS}.')
        rest = body[header:]
        size = _parameters(inputs[0]).get("binary_data_size")
        if size is not None and size != len(rest):
            raise Refused(400, f"binary_data_size is {size!r}, and behind the JSON are {len(rest)} bytes.")
        if size is None and rest:
            raise Refused(
                400, "There are bytes behind the JSON, and no input says by binary_data_size that they are its."
            )
        request_id = content.get("id")
        if request_id is not None and not isinstance(request_id, str):
            raise Refused(400, "id must be text.")
        as_bytes = _parameters(content).get("binary_data_output") is True
        tensor = read_tensor(inputs[0], None if size is None else rest)
        return cls(tensor, request_id, _wanted(content.get("outputs"), as_bytes), as_bytes)

    def response(self, loaded: Loaded, found: Mapping[str, Tensor]) -> Response:
        """Raises Refused."""
        wanted = self.wanted or tuple(Wanted(name, self.all_as_bytes) for name in found)
        unknown = [each.name for each in wanted if each.name not in found]
        if unknown:
            raise Refused(400, f"There is no output {unknown[0]!r}: {', '.join(found)} are known.")
        described: list[Mapping[str, Any]] = []
        behind: list[bytes] = []
        for each in wanted:
            tensor = best_classes(found[each.name], each.best, loaded) if each.best else found[each.name]
            data = tensor.as_bytes() if each.as_bytes else None
            described.append(tensor.described(None if data is None else len(data)))
            behind += [] if data is None else [data]
        content: dict[str, Any] = {"model_name": loaded.name, "model_version": str(loaded.version)}
        content |= {} if self.id is None else {"id": self.id}
        content["outputs"] = described
        if not behind:
            return json_response(content)
        head = msgspec.json.encode(content)
        headers = {HEADER_LENGTH: str(len(head)), "Cache-Control": "no-store"}
        return Response(b"".join([head, *behind]), media_type="application/octet-stream", headers=headers)


def outputs_of(loaded: Loaded, outputs: Outputs) -> Mapping[str, Tensor]:
    """All outputs by name: those of the SavedModel, and the answer as `label_image` gives it."""
    labels, scores = loaded.model.labels, outputs.probabilities
    refused = loaded.model.refuses(outputs)
    best = scores.argmax(axis=1)
    found = [
        Tensor.of_texts("label", (len(scores),), [labels[index] for index in best]),
        Tensor.of_numbers("unknown", "BOOL", np.zeros(len(scores), np.bool_) if refused is None else refused),
        Tensor.of_numbers("scores", "FP32", scores),
        Tensor.of_texts("classes", scores.shape, list(labels) * len(scores)),
    ]
    if outputs.similarity is not None:
        found.append(Tensor.of_numbers("similarity", "FP32", outputs.similarity[:, None]))
    return {tensor.name: tensor for tensor in found}


def best_classes(scores: Tensor, count: int, loaded: Loaded) -> Tensor:
    """The `count` best of the scores as texts "score:index:label" (Triton's classification extension)."""
    if scores.name != "scores":
        raise Refused(400, "Only of the scores the best classes can be named.")
    order = np.argsort(-scores.values, axis=1, kind="stable")[:, :count]
    labels = loaded.model.labels
    texts = [
        f"{row[index]:f}:{index}:{labels[index]}"
        for row, best in zip(scores.values, order, strict=True)
        for index in best
    ]
    return Tensor.of_texts("scores", order.shape, texts)


def metadata_of(loaded: Loaded) -> Mapping[str, Any]:
    """The two inputs, of which a request has one, and the outputs."""
    labels, size = len(loaded.model.labels), loaded.size
    outputs = [("label", "BYTES", [-1]), ("unknown", "BOOL", [-1])]
    outputs += [("scores", "FP32", [-1, labels]), ("classes", "BYTES", [-1, labels])]
    if loaded.tells_similarity:
        outputs.append(("similarity", "FP32", [-1, 1]))
    inputs = [(PHOTOS, "BYTES", [-1]), (PIXELS, "FP32", [-1, size, size, 3])]
    return {
        "name": loaded.name,
        "versions": [str(loaded.version)],
        "platform": "retrain-export",
        "inputs": [_described(*tensor) for tensor in inputs],
        "outputs": [_described(*tensor) for tensor in outputs],
    }


def _described(name: str, datatype: str, shape: list[int]) -> Mapping[str, Any]:
    return {"name": name, "datatype": datatype, "shape": shape}


def _run(task: Task, tensor: Tensor) -> Outputs:
    readers: Mapping[str, Callable[[Any], Outputs]] = {PHOTOS: task.of_photos, PIXELS: task.of_pixels}
    if tensor.name not in readers:
        raise Refused(400, f"There is no input {tensor.name!r}: {PHOTOS} and {PIXELS} are known.")
    if (tensor.datatype == "BYTES") != (tensor.name == PHOTOS):
        raise Refused(400, f"The input {PHOTOS} is BYTES, and {PIXELS} FP32 or UINT8.")
    if tensor.name == PHOTOS and len(tensor.shape) > 2:
        raise Refused(400, f"The input {PHOTOS} has the shape [photos].")
    return readers[tensor.name](tensor.values)


def _header_length(text: str | None, body: int) -> int:
    if text is None:
        return body
    if not text.strip().isdigit() or not text.isascii() or int(text) > body:
        raise Refused(400, f"{HEADER_LENGTH} is {text!r}: it must be the length of the JSON, in bytes.")
    return int(text)


def _parameters(of: Any) -> Mapping[str, Any]:
    found = of.get("parameters", {}) if isinstance(of, dict) else {}
    if not isinstance(found, dict):
        raise Refused(400, "parameters must be an object of JSON.")
    return found


def _wanted(outputs: Any, as_bytes: bool) -> tuple[Wanted, ...] | None:
    if outputs is None or outputs == []:
        return None
    if not isinstance(outputs, list) or not all(
        isinstance(each, dict) and isinstance(each.get("name"), str) for each in outputs
    ):
        raise Refused(400, 'Each of the "outputs" is an object with a name.')
    wanted: list[Wanted] = []
    for each in outputs:
        parameters = _parameters(each)
        best = parameters.get("classification", 0)
        if not isinstance(best, int) or isinstance(best, bool) or best < 0:
            raise Refused(400, "classification must be the number of classes that are to be named.")
        if any(each["name"] == other.name for other in wanted):  # else a small request has an answer without end
            raise Refused(400, f"The output {each['name']!r} is asked for twice.")
        wanted.append(Wanted(each["name"], parameters.get("binary_data", as_bytes) is True, best))
    return tuple(wanted)
