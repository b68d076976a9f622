"""The description of what pages ask for, OpenAPI 3.1, at `/api/openapi.json`; bodies are those of `requests`."""

from collections.abc import Mapping
from typing import Any

import msgspec

from label_image.installing import versions
from retrain.studio import requests

Json = Mapping[str, Any]

TEXT: Json = {"type": "string"}
JSON, BYTES, JPEG = "application/json", "application/octet-stream", "image/jpeg"
REFUSALS = {
    "400": "What was asked is no request of this kind.",
    "401": "The token is missing.",
    "403": "A phone, or a page of others, may not ask for this.",
    "404": "There is no such photo, or no such file.",
    "409": "The folder, as it is now, does not allow it.",
    "413": "It is too large.",
    "415": "It is not a photo or archive that can be read.",
    "503": "The studio is busy: ask again in a second.",
}


def document() -> Json:
    """Of any studio."""
    kinds = (
        requests.Nothing, requests.ClassName, requests.Renaming, requests.Photos, requests.Moving, requests.Above,
        requests.Decision, requests.Format,
    )  # fmt: skip
    _, schemas = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "retrain studio",
            "version": versions(["retrain"])["retrain"],
            "description": "What the pages of a studio ask for: photos, their classes, a model.",
        },
        "paths": {**_photo_paths(), **_change_paths(), **_model_paths(), **_other_paths()},
        "components": {
            "schemas": {
                **schemas,
                "Error": _object({"error": TEXT}),
                "Change": _object({"change": {"type": ["object", "null"]}}),
            },
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"token": []}],
    }


def _photo_paths() -> Json:
    label = _query("label", "The class; without one the photo is unlabelled.")
    added = _object({"id": TEXT, "name": TEXT, "isNew": {"type": "boolean"}})
    many = _object({"added": {"type": "integer"}, "known": {"type": "integer"}, "refused": {"type": "array"}})
    similar = _object({"photos": {"type": "array"}})
    one = [{"name": "id", "in": "path", "required": True, "schema": {"type": "string", "pattern": "^[0-9a-f]{16}$"}}]
    return {
        "/api/photos": {
            "get": _described("All photos.", {JSON: {"type": "object"}}),
            "post": _described(
                "Add a photo.", {JSON: added}, [label, _query("name", "The name of its file.")], {BYTES: _bytes()}
            ),
        },
        "/api/photos/{id}": {"get": _described("A photo, made smaller.", {JPEG: _bytes()}, one)},
        "/api/photos/{id}/similar": {
            "get": _described("The labelled photos that look most like it.", {JSON: similar}, one)
        },
        "/api/thumbnails/{id}": {"get": _described("A thumbnail.", {JPEG: _bytes()}, one)},
        "/api/archives": {
            "post": _described("Add the photos of an archive.", {JSON: many}, [label], {BYTES: _bytes()}),
        },
    }


def _change_paths() -> Json:
    return {
        "/api/classes": {
            "get": _described("The names of the classes.", {JSON: _object({"classes": {"type": "array"}})}),
            "post": _changing("Make a class.", "ClassName"),
        },
        "/api/classes/rename": {"post": _changing("Rename a class, or merge it into another.", "Renaming")},
        "/api/classes/remove": {"post": _changing("Remove a class to the trash.", "ClassName")},
        "/api/move": {"post": _changing("Move photos to a class.", "Moving")},
        "/api/remove": {"post": _changing("Remove photos to the trash.", "Photos")},
        "/api/undo": {"post": _changing("Undo the last change.", "Nothing")},
        "/api/guesses/accept": {"post": _changing("Label photos as the model guesses.", "Above")},
        "/api/decisions": {"post": _changing("Decide on findings of the doctor.", "Decision")},
    }


def _model_paths() -> Json:
    anything = {JSON: {"type": "object"}}
    heat = _query("heat", "Whether to show where the class is seen.", {"type": "string", "enum": ["true", "false"]})
    return {
        "/api/state": {"get": _described("What the studio knows.", anything)},
        "/api/guesses": {"get": _described("What the model says of photos without a label.", anything)},
        "/api/doctor": {"get": _described("What the doctor found.", anything)},
        "/api/train": {"post": _begun("Train.", "Nothing")},
        "/api/examine": {"post": _begun("Examine the photos.", "Nothing")},
        "/api/export": {"post": _begun("Write the model in a format.", "Format")},
        "/api/try": {"post": _described("What the model says of a photo.", anything, [heat], {BYTES: _bytes()})},
        "/api/take/{name}": {
            "get": _described(
                "The model in a format, or a page about it.",
                {"application/zip": _bytes(), "text/html": _bytes()},
                [{"name": "name", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}],
            )
        },
    }


def _other_paths() -> Json:
    which = {**_query("for", "Which page.", {"type": "string", "enum": ["collect", "phone"]}), "required": True}
    return {
        "/api/enter": {"post": {"summary": "Get a cookie for the token.", "responses": _responses("204", {})}},
        "/api/qr": {"get": _described("A QR code for a phone.", {"image/svg+xml": _bytes()}, [which])},
        "/api/openapi.json": {"get": _described("This description.", {JSON: {"type": "object"}})},
    }


def _described(summary: str, answer: Json, parameters: Any = (), body: Json | None = None) -> Json:
    content: dict[str, Any] = {"summary": summary, "responses": _responses("200", answer)}
    if parameters:
        content["parameters"] = list(parameters)
    if body is not None:
        content["requestBody"] = {"required": True, "content": _media(body)}
    return content


def _changing(summary: str, kind: str) -> Json:
    return _described(summary, {JSON: _reference("Change")}, body={JSON: _reference(kind)})


def _begun(summary: str, kind: str) -> Json:
    body = {"required": True, "content": _media({JSON: _reference(kind)})}
    return {"summary": summary, "requestBody": body, "responses": _responses("202", {})}


def _responses(status: str, answer: Json) -> Json:
    good: dict[str, Any] = {"description": "As asked."}
    if answer:
        good["content"] = _media(answer)
    refused = {"content": _media({JSON: _reference("Error")})}
    return {status: good, **{status: {"description": why, **refused} for status, why in REFUSALS.items()}}


def _media(schemas: Json) -> Json:
    return {kind: {"schema": schema} for kind, schema in schemas.items()}


def _bytes() -> Json:
    return {"type": "string", "format": "binary"}


def _reference(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _object(properties: Json) -> Json:
    return {"type": "object", "properties": dict(properties), "required": list(properties)}


def _query(name: str, description: str, schema: Json = TEXT) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": description, "schema": schema}
