"""Holds what programs read to retrain/schemas: `call` whatever a command prints with `--json`, tests the rest."""

import functools
import json
from collections.abc import Iterator, Sequence
from importlib.resources import files
from typing import Any

import jsonschema_rs

FOLDER = files("retrain") / "schemas"


def schema(name: str) -> Any:
    """As it is shipped."""
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def names() -> list[str]:
    """All schemas but that of common parts."""
    found = (entry.name.removesuffix(".json") for entry in FOLDER.iterdir() if entry.name.endswith(".json"))
    return sorted(set(found) - {"parts"})


def closed(value: Any) -> Any:
    """A schema by which a key that it does not name is a mistake; the shipped ones let new keys pass."""
    if isinstance(value, list):
        return [closed(part) for part in value]
    if not isinstance(value, dict):
        return value
    return {
        **{name: closed(part) for name, part in value.items()},
        **({"additionalProperties": False} if isinstance(value.get("properties"), dict) and "type" in value else {}),
    }


@functools.cache
def _validator(name: str) -> Any:
    registry = jsonschema_rs.Registry([("json-schema:///parts.json", closed(schema("parts")))])
    return jsonschema_rs.Draft202012Validator(closed(schema(name)), registry=registry)


def faults(name: str, value: Any) -> list[str]:
    """Where a value is not as its closed schema says, and how."""
    return [
        f"{'/'.join(map(str, error.instance_path))}: {error.message}" for error in _validator(name).iter_errors(value)
    ]


def parsed(text: str) -> Any:
    """JSON as others read it, who know neither NaN nor Infinity."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON: {text[:1000]}")

    return json.loads(text, parse_constant=refuse)


def check(name: str, text: str) -> Any:
    """The value of a text, which is as its schema says."""
    value = parsed(text)
    assert faults(name, value) == [], text[:2000]
    return value


def check_printed(program: str, arguments: Sequence[str], printed: str) -> None:
    """Whatever a command line with `--json` has printed."""
    for line in _lines(printed) if "--json" in arguments else ():
        check(_name(program, arguments), line)


def _lines(printed: str) -> Iterator[str]:
    return (line for line in printed.split("\n") if line.startswith("{"))


def _name(program: str, arguments: Sequence[str]) -> str:
    if program == "label_image":
        return program
    words = tuple(arguments[:2]) if arguments[0] == "store" else tuple(arguments[:1])
    name = "_".join(words)
    return name if name in names() else "retrain"
