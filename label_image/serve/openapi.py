"""The description of all routes, OpenAPI 3.1, at `/openapi.json`."""

from collections.abc import Mapping
from typing import Any

from label_image.installing import versions
from label_image.json_outputs import VERSION
from label_image.serve.label import CAMERA, MOST_ANSWERS, TOP_K
from label_image.serve.model_in_use import Loaded

Json = Mapping[str, Any]

TEXT: Json = {"type": "string"}
NUMBER: Json = {"type": "number"}
NUMBERS: Json = {"type": "array", "items": NUMBER}
PROBABILITY: Json = {"type": "number", "minimum": 0, "maximum": 1.001}
BASE64 = "^(?:[A-Za-z0-9+/]{4})+(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"
B64: Json = {
    "type": "object",
    "properties": {"b64": {"type": "string", "contentEncoding": "base64", "pattern": BASE64}},
    "required": ["b64"],
    "additionalProperties": False,
}


def document(loaded: Loaded, needs_token: bool) -> Json:
    """Of a server with this model."""
    content: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {
            "title": "label_image serve",
            "version": versions(["retrain"])["retrain"],
            "description": f"Says which of {len(loaded.model.labels)} classes is on a photo.",
        },
        "paths": {**_label_paths(), **_tf_serving_paths(loaded), **_open_inference_paths(loaded), **_other_paths()},
        "components": {
            "schemas": {
                "Answer": _answer(loaded),
                "LastAnswer": _answer(loaded, seconds_ago=NUMBER),
                "Error": _object({"error": TEXT}),
            }
        },
    }
    if needs_token:
        content["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        content["security"] = [{"token": []}]
    return content


def _answer(loaded: Loaded, **more: Json) -> Json:
    one = {"label": {"type": "string", "enum": list(loaded.model.labels)}, "probability": PROBABILITY}
    return _object(
        {
            "format_version": {"const": VERSION},
            "image": {"type": ["string", "null"], "description": "The name of the file, in a form."},
            **one,
            "unknown": {"type": "boolean", "description": "It is like no photo of the training."},
            "similarity": {"type": ["number", "null"]},
            "threshold": {"type": ["number", "null"]},
            "top": _list(_object(one)),
            **more,
        }
    )


def _label_paths() -> Json:
    camera = _query("camera", {"type": "string", "pattern": f"^{CAMERA.pattern}$"}, "Keep the answer under this name.")
    number = {"type": "integer", "minimum": 1, "maximum": MOST_ANSWERS, "default": TOP_K}
    parameters = [
        _query("top_k", number, "Number of answers."),
        _query("always_answer", {"type": "boolean", "default": False}, "Never answer unknown."),
    ]
    photo = {"type": "string", "contentMediaType": "application/octet-stream", "minLength": 1}
    form = {"schema": {"type": "object", "properties": {"photo": photo}, "required": ["photo"]}}
    binary = {"schema": {"type": "string", "format": "binary", "minLength": 1}}
    bodies = {"image/jpeg": binary, "application/octet-stream": binary, "multipart/form-data": form}
    return {
        "/label": {
            "post": {
                "summary": "Label a photo.",
                "operationId": "label",
                "parameters": [*parameters, camera],
                "requestBody": {"required": True, "content": bodies},
                "responses": _responses({"$ref": "#/components/schemas/Answer"}, takes_photos=True),
            },
            "get": {
                "summary": "The answer to the newest photo of a camera.",
                "operationId": "last_label",
                "parameters": [{**camera, "required": True}],
                "responses": _responses({"$ref": "#/components/schemas/LastAnswer"}),
            },
        }
    }


def _tf_serving_paths(loaded: Loaded) -> Json:
    row = _object({"scores": NUMBERS}, additional=True)
    predicted = {"anyOf": [_object({"predictions": _list(row)}), _object({"outputs": row})]}
    asked = {
        "oneOf": [
            _object({"instances": _list(B64)}, {"signature_name": {"const": "serve_bytes"}}),
            _object({"inputs": _object({"image_bytes": _list(B64)})}, {"signature_name": {"const": "serve_bytes"}}),
        ]
    }
    examples = _object({"examples": _list(_object({"image_bytes": B64}))})
    results = _object({"results": _list({"type": "array", "items": {"type": "array"}})})
    status = _object({"model_version_status": _list({"type": "object"})})
    paths: dict[str, Any] = {}
    for base, parameters in _bases("/v1/models", loaded):
        paths |= {
            base: _get("Whether the model is served (TensorFlow Serving).", status, parameters),
            f"{base}/metadata": _get("What it takes and gives.", {"type": "object"}, parameters),
            f"{base}:predict": _post("Probabilities for photos.", asked, predicted, parameters),
            f"{base}:classify": _post("Classes and probabilities for photos.", examples, results, parameters),
        }
    return paths


def _open_inference_paths(loaded: Loaded) -> Json:
    live = _object({"live": {"type": "boolean"}}, additional=True)
    tensor = _object({"name": TEXT, "datatype": TEXT, "shape": {"type": "array"}}, additional=True)
    photo = _object(
        {
            "name": {"const": "image_bytes"},
            "datatype": {"const": "BYTES"},
            "shape": {"type": "array", "items": {"const": 1}, "minItems": 1, "maxItems": 1},
            "data": {"type": "array", "items": B64, "minItems": 1, "maxItems": 1},
        }
    )
    asked = _object({"inputs": {"type": "array", "items": photo, "minItems": 1, "maxItems": 1}}, {"id": TEXT})
    answer = _object({"model_name": TEXT, "outputs": _list(tensor)}, additional=True)
    server = _object({"name": TEXT, "version": TEXT, "extensions": {"type": "array", "items": TEXT}})
    model = _object({"name": TEXT, "inputs": _list(tensor), "outputs": _list(tensor)}, additional=True)
    ready = _object({"name": TEXT, "ready": {"type": "boolean"}})
    paths: dict[str, Any] = {
        "/v2": _get("The server (Open Inference Protocol).", server),
        "/v2/health/live": {"get": {**_get("Whether it runs.", live)["get"], "security": []}},
        "/v2/health/ready": {"get": {**_get("Whether it answers.", live)["get"], "security": []}},
    }
    for base, parameters in _bases("/v2/models", loaded):
        paths |= {
            base: _get("What the model takes and gives.", model, parameters),
            f"{base}/ready": _get("Whether it is served.", ready, parameters),
            f"{base}/infer": _post("Answers for photos.", asked, answer, parameters),
        }
    return paths


def _other_paths() -> Json:
    text = {"responses": {"200": {"description": "OK", "content": {"text/plain": {"schema": TEXT}}}, **_errors(False)}}
    return {
        "/metrics": {"get": {"summary": "For Prometheus.", "operationId": "metrics", **text}},
        "/openapi.json": {"get": {**_get("This description.", {"type": "object"})["get"], "security": []}},
    }


def _bases(start: str, loaded: Loaded) -> list[tuple[str, list[Json]]]:
    """A model's path, without and with its version, and their parameters."""
    name = _path_parameter("name", loaded.name)
    version = _path_parameter("version", str(loaded.version))
    return [(f"{start}/{{name}}", [name]), (f"{start}/{{name}}/versions/{{version}}", [name, version])]


def _path_parameter(name: str, value: str) -> Json:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string", "enum": [value]}}


def _query(name: str, schema: Json, meaning: str) -> Json:
    return {"name": name, "in": "query", "schema": schema, "description": meaning}


def _get(summary: str, schema: Json, parameters: list[Json] | None = None) -> dict[str, Any]:
    return {"get": {"summary": summary, "parameters": parameters or [], "responses": _responses(schema)}}


def _post(summary: str, asked: Json, answer: Json, parameters: list[Json]) -> Json:
    return {
        "post": {
            "summary": summary,
            "parameters": parameters,
            "requestBody": {"required": True, "content": {"application/json": {"schema": asked}}},
            "responses": _responses(answer, takes_photos=True),
        }
    }


def _responses(schema: Json, takes_photos: bool = False) -> Json:
    return {
        "200": {"description": "OK", "content": {"application/json": {"schema": schema}}},
        **_errors(takes_photos),
    }


def _errors(takes_photos: bool) -> Json:
    known = {
        "400": "The request, or the photo in it, cannot be read.",
        "401": "The token is missing, or another one.",
        "403": "A page of another origin has asked.",
        "404": "There is no such model, version or answer.",
        "405": "The path is for another method.",
        "421": "The server does not answer to this name.",
    }
    if takes_photos:
        known |= {
            "408": "The request did not arrive in time.",
            "413": "The request is too large.",
            "415": "The request is compressed.",
            "422": "It is not a photo that can be read.",
            "503": "The server is busy: ask again after Retry-After.",
        }
    error = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    return {status: {"description": meaning, "content": error} for status, meaning in known.items()}


def _object(required: Json, optional: Json | None = None, additional: bool = False) -> Json:
    return {
        "type": "object",
        "properties": {**required, **(optional or {})},
        "required": list(required),
        "additionalProperties": additional,
    }


def _list(items: Json) -> Json:
    return {"type": "array", "items": items, "minItems": 1}
