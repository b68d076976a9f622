"""TensorFlow Serving's REST: `/v1/models/NAME` and what hangs on it, for clients that were written for that server.

Its error is `{"error": …}`, its numbers may be NaN in JSON (ours never are). Photos come as `{"b64": …}`, or pixels as
nested lists; both by rows ("instances") or by columns ("inputs"). The server itself wants the signature named where it
is not the default one; here what was sent says which it is, and a name that is given has to fit.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from label_image.errors import ForeignFileError
from label_image.foreign_text import parse_json
from label_image.model import Outputs
from label_image.serve.answers import Task
from label_image.serve.label import json_response
from label_image.serve.model_in_use import Loaded
from label_image.serve.refused import Refused
from label_image.serve.service import Service

PIXELS, PHOTOS, NUMERIC = "serving_default", "serve_bytes", "numeric"
NAMES = {PIXELS: "image", NUMERIC: "image", PHOTOS: "image_bytes"}
HOW = 'send {"instances": [{"b64": "…"}]} with a photo in base64'


@dataclass(frozen=True)
class Asked:
    """A request to predict: the input, by rows or by columns, and the signature if one was named."""

    values: Any
    by_rows: bool
    signature: str | None

    @classmethod
    def of(cls, body: bytes, limit: int) -> "Asked":
        """Raises Refused."""
        content = json_object(body, limit)
        given = [key for key in ("instances", "inputs") if key in content]
        if len(given) != 1:
            raise Refused(400, f'The request must have either "instances" or "inputs": {HOW}.')
        signature = content.get("signature_name")
        if signature is not None and (not isinstance(signature, str) or signature not in NAMES):
            raise Refused(400, f"There is no signature {signature!r}: {', '.join(NAMES)} are known.")
        return cls(content[given[0]], given[0] == "instances", signature)


def tf_serving_routes(service: Service) -> list[Route]:
    def model_of(request: Request) -> Loaded:
        return service.models.of(request.path_params["name"], request.path_params.get("version"))

    async def status(request: Request) -> Response:
        loaded = model_of(request)
        state = {
            "version": str(loaded.version),
            "state": "AVAILABLE",
            "status": {"error_code": "OK", "error_message": ""},
        }
        return json_response({"model_version_status": [state]})

    async def metadata(request: Request) -> Response:
        return json_response(metadata_of(model_of(request)))

    async def predict(request: Request) -> Response:
        def work(task: Task, body: bytes) -> Response:
            asked = Asked.of(body, service.limits.body)
            outputs = _run(task, asked)
            service.metrics.photos(len(outputs.probabilities))
            columns = columns_of(task.loaded, outputs, asked.signature != NUMERIC)
            if not asked.by_rows:
                return json_response({"outputs": columns})
            rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
            return json_response({"predictions": rows})

        return await service.answer(request, model_of(request), work)

    async def classify(request: Request) -> Response:
        def work(task: Task, body: bytes) -> Response:
            examples = json_object(body, service.limits.body).get("examples")
            if not isinstance(examples, list) or not all(isinstance(example, dict) for example in examples):
                raise Refused(400, 'The request must have "examples": [{"image_bytes": {"b64": "…"}}].')
            outputs = task.of_photos([_photo(example.get("image_bytes")) for example in examples])
            service.metrics.photos(len(examples))
            labels = task.loaded.model.labels
            rows = [[list(pair) for pair in zip(labels, row, strict=True)] for row in outputs.probabilities.tolist()]
            return json_response({"results": rows})

        return await service.answer(request, model_of(request), work)

    routes = []
    for base in ("/v1/models/{name}", "/v1/models/{name}/versions/{version}"):
        routes += [
            Route(f"{base}:predict", predict, methods=["POST"]),
            Route(f"{base}:classify", classify, methods=["POST"]),
            Route(f"{base}/metadata", metadata, methods=["GET"]),
            Route(base, status, methods=["GET"]),
        ]
    return routes


def json_object(body: bytes, limit: int) -> dict[str, Any]:
    """Raises Refused for anything else."""
    try:
        content = parse_json(body, limit=limit)
    except ForeignFileError as error:
        raise Refused(400, f"The request {error}.") from None
    if not isinstance(content, dict):
        raise Refused(400, f"The request is not an object of JSON: {HOW}.")
    return content


def photo_of_base64(text: Any) -> bytes:
    """Raises Refused."""
    if not isinstance(text, str):
        raise Refused(400, f"A photo is text in base64: {HOW}.")
    try:
        return base64.b64decode("".join(text.split()), validate=True)  # many programs write it in lines
    except (binascii.Error, ValueError):
        raise Refused(400, f"A photo is not base64: {HOW}.") from None


def columns_of(loaded: Loaded, outputs: Outputs, with_classes: bool) -> dict[str, Any]:
    """The outputs by name, as the signatures of the SavedModel name them."""
    columns: dict[str, Any] = {"scores": outputs.probabilities.tolist()}
    if with_classes:
        columns["classes"] = [loaded.model.labels] * len(outputs.probabilities)
    if outputs.similarity is not None:
        columns["similarity"] = outputs.similarity[:, None].tolist()
    return columns


def _run(task: Task, asked: Asked) -> Outputs:
    values = _by_name(asked)
    if isinstance(values, dict) and set(values) == {"b64"}:  # one photo, without a list around it
        values = [values]
    if not isinstance(values, list) or not values:
        raise Refused(400, f"The request has no photos: {HOW}.")
    if all(isinstance(value, dict) for value in values):
        # Whatever the signature: the default one is what most clients name, or do not.
        return task.of_photos([_photo(value) for value in values])
    if asked.signature == PHOTOS:
        raise Refused(400, f"The signature {PHOTOS} takes photos: {HOW}.")
    return task.of_pixels(values)


def _by_name(asked: Asked) -> Any:
    """The values of the one input, which may be given with its name or without."""
    values = asked.values
    if not asked.by_rows:
        return _only_input(values, asked.signature) if isinstance(values, dict) and "b64" not in values else values
    if isinstance(values, list) and values and all(isinstance(row, dict) and "b64" not in row for row in values):
        return [_only_input(row, asked.signature) for row in values]
    return values


def _only_input(named: Mapping[str, Any], signature: str | None) -> Any:
    known = set(NAMES.values()) if signature is None else {NAMES[signature]}
    if len(named) != 1 or not set(named) <= known:
        raise Refused(400, f"The input is called {' or '.join(sorted(known))}, and there is one.")
    return next(iter(named.values()))


def _photo(value: Any) -> bytes:
    if not isinstance(value, dict) or set(value) != {"b64"}:
        raise Refused(400, f"A photo is not given as one: {HOW}.")
    return photo_of_base64(value["b64"])


def metadata_of(loaded: Loaded) -> Mapping[str, Any]:
    """What the signatures take and give, as TensorFlow Serving writes it down."""
    size, labels = loaded.size, len(loaded.model.labels)
    photos = {"image_bytes": _tensor("DT_STRING", "image_bytes", [-1])}
    pixels = {"image": _tensor("DT_FLOAT", "image", [-1, size, size, 3])}
    numbers = {"scores": _tensor("DT_FLOAT", "scores", [-1, labels])}
    if loaded.tells_similarity:
        numbers["similarity"] = _tensor("DT_FLOAT", "similarity", [-1, 1])
    named = {**numbers, "classes": _tensor("DT_STRING", "classes", [-1, labels])}
    signatures = {PIXELS: (pixels, named), PHOTOS: (photos, named), NUMERIC: (pixels, numbers)}
    definition = {
        name: {"inputs": inputs, "outputs": outputs, "method_name": "tensorflow/serving/predict"}
        for name, (inputs, outputs) in signatures.items()
    }
    return {
        "model_spec": {"name": loaded.name, "signature_name": "", "version": str(loaded.version)},
        "metadata": {"signature_def": {"signature_def": definition}},
    }


def _tensor(kind: str, name: str, shape: Sequence[int]) -> Mapping[str, Any]:
    dimensions = [{"size": str(size), "name": ""} for size in shape]
    return {"dtype": kind, "tensor_shape": {"dim": dimensions, "unknown_rank": False}, "name": name}
