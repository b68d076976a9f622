"""Write docs/json.md of retrain/schemas, where every key of what programs read is described.

python -m scripts.json_page
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "retrain/schemas"
PAGE = ROOT / "docs/json.md"
PARTS = "parts"
# What people look for first, first.
ORDER = (
    "retrain", "evaluate", "sweep", "doctor", "look", "extract", "features", "similar", "export", "push", "store_info",
    "label_image", "label", "model", "metrics",
)  # fmt: skip
SHORT = {"share": "share, 0 to 1", "interval": "[low, high]"}  # parts that are no objects
BEGINNING = """\
# What programs read

<!-- Made of retrain/schemas by `python -m scripts.json_page`: change these. -->

Every key of what `--json` prints, of what the server answers, and of the JSON files of an export. With `--json` one
object stands on standard output, on one line, and all else on standard error; `label_image` prints a line for each
photo. It is JSON in UTF-8 without `NaN`: what is not known is `null`. Bytes of a file name that are no UTF-8 stand as
lone surrogates (`\\udcff`), as Python reads them; strict parsers refuse these. [Exit codes](flags.md#exit-codes)
say whether a run went well.

`format_version` is the version of the keys: another one where a key goes, or means something else. New keys come
without one, so read those that you know and pass over the rest.

Each table is made of a JSON Schema (draft 2020-12) that the package holds, and the tests hold every command to it. The
schemas lie in the folder that this prints, with what they have in common in `parts.json`:

```
python -c 'from importlib.resources import files; print(files("retrain") / "schemas")'
```
"""

Schema = Mapping[str, Any]


def page() -> str:
    """The whole page."""
    sections = [_section(_read(name), f"`{name}.json`") for name in ORDER]
    parts = _read(PARTS)
    shared = [_table(name, body) for name, body in parts["$defs"].items() if "properties" in body]
    return "\n".join([BEGINNING, *sections, f"## {parts['title']}\n\n{parts['description']}\n", *shared])


def _read(name: str) -> Schema:
    found: Schema = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return found


def _section(schema: Schema, file: str) -> str:
    return f"## {schema['title']}\n\n{schema['description']} Schema: {file}.\n\n{_rows_of(schema)}"


def _table(name: str, schema: Schema) -> str:
    return f"### {name}\n\n{schema['description']}\n\n{_rows_of(schema)}"


def _rows_of(schema: Schema) -> str:
    return "".join(["| key | | |\n|---|---|---|\n", *_rows(schema, "")])


def _rows(schema: Schema, before: str) -> Iterator[str]:
    """A row for each key, those of objects inside behind a dot, those of lists behind `[]`."""
    for name, body in schema.get("properties", {}).items():
        key = before + name
        optional = "" if name in schema.get("required", ()) else ", not always there"
        yield f"| `{key}` | {type_of(body)}{optional} | {_on_the_page(body['description'])} |\n"
        for inside, part in _inside(body):
            yield from _rows(part, key + inside)


def _inside(body: Schema) -> Iterator[tuple[str, Schema]]:
    """The objects in a value whose keys stand in the same table, and how they are reached."""
    yield ".", body
    yield "[].", body.get("items") or {}
    if isinstance(values := body.get("additionalProperties"), dict):
        yield from ((".NAME.", part) for part in values.get("anyOf", [values]))
    yield from ((".", part) for part in body.get("anyOf", ()))


def type_of(body: Schema) -> str:
    """What kind of value it is, for people."""
    if "$ref" in body:
        name = body["$ref"].rpartition("/")[2]
        return SHORT.get(name, f"[{name}](#{name})")
    if "anyOf" in body:
        return " or ".join(type_of(part) for part in body["anyOf"])
    if "const" in body:
        return f"`{json.dumps(body['const'])}`"
    kinds = body["type"] if isinstance(body["type"], list) else [body["type"]]
    return " or ".join(_kind(kind, body) for kind in kinds)


def _kind(kind: str, body: Schema) -> str:
    if kind == "array":
        if "prefixItems" in body:
            return f"[{', '.join(map(type_of, body['prefixItems']))}]"
        return f"list of {type_of(body['items'])}" if "items" in body else "list"
    if kind == "object" and isinstance(body.get("additionalProperties"), dict):
        return f"name → {type_of(body['additionalProperties'])}"
    return {"string": "text", "boolean": "true or false"}.get(kind, kind)


def _on_the_page(text: str) -> str:
    return re.sub(r"\|", r"\\|", text)


@click.command()
def main() -> None:
    """Write docs/json.md anew, of the schemas of retrain/schemas."""
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
