"""Small programs that use an export, in the languages of those who get it, with its labels and threshold in them."""

import json
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from label_image.errors import ModelError
from label_image.installing import how_to_install
from label_image.manifest import read_manifest
from retrain.core.errors import ExportError

CLIENTS = "clients"  # the folder of them in an export
TEMPLATES = Path(__file__).with_name("templates")
FILES = ("classify.py", "tf_serving.sh", "Classifier.kt", "Classifier.swift", "classify.mjs", "classify.cpp")
# Controls, line ends, and what turns the direction of writing: in a program it would read as another one.
STEERING = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
NEVER = -2.0  # no cosine is lower: a threshold below which no photo is


def write_clients(folder: Path) -> None:
    """Write `clients/` into an export folder, from its manifest. Raises ExportError if jinja2 is missing."""
    texts = _texts(folder)
    (folder / CLIENTS).mkdir(exist_ok=True)
    for name, text in texts.items():
        (folder / CLIENTS / name).write_text(text, encoding="utf-8", newline="\n")


def changed_clients(folder: Path) -> list[Path]:
    """Those of an export folder that are not as they would be written now. Raises OSError."""
    try:
        texts = _texts(folder)
    except (ModelError, ExportError, LookupError, TypeError, ValueError):  # an older manifest, or a damaged one
        texts = {}
    return [path for name in FILES if _is_other(path := folder / CLIENTS / name, texts.get(name))]


def _is_other(path: Path, text: str | None) -> bool:
    """Whether something is there that is not this text."""
    if not os.path.lexists(path):
        return False
    return text is None or not path.is_file() or path.read_bytes() != text.encode()


def _texts(folder: Path) -> dict[str, str]:
    """The programs by their names. Raises ExportError."""
    try:
        import jinja2
    except ImportError:
        raise ExportError(f"The client programs need jinja2: {how_to_install('train')}.") from None
    manifest = read_manifest(folder).content
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), undefined=jinja2.StrictUndefined, keep_trailing_newline=True
    )
    environment.filters.update(LITERALS)
    return {name: environment.get_template(f"{name}.jinja").render(_values(manifest)) for name in FILES}


def _values(manifest: Mapping[str, Any]) -> dict[str, object]:
    (resize,) = (step for step in manifest["preprocessing"].split("|") if step.startswith("resize("))
    return {
        "size": manifest["input"]["size"],
        "labels": manifest["labels"],
        # Shortest decimal that is this float, with a point, in every language.
        "threshold": repr(float(manifest["unknown"]["threshold"])) if "unknown" in manifest else repr(NEVER),
        "resample": resize.rstrip(")").partition(",")[2].upper(),
    }


def python_literal(text: str) -> str:
    """A string literal of Python."""
    return repr(text)


def javascript_literal(text: str) -> str:
    """A string literal of JavaScript (since ES2019 JSON is part of it)."""
    return STEERING.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(text, ensure_ascii=False))


def kotlin_literal(text: str) -> str:
    """A string literal of Kotlin: a $ would begin a template."""
    return _quoted(text, '"\\$', lambda code: f"\\u{code:04x}")


def swift_literal(text: str) -> str:
    """A string literal of Swift."""
    return _quoted(text, '"\\', lambda code: f"\\u{{{code:x}}}")


def cpp_literal(text: str) -> str:
    """A string literal of C++ in ASCII: its bytes in UTF-8, three octal digits each, which no digit can follow."""
    bytes_as_text = text.encode().decode("latin-1")
    return _quoted(bytes_as_text, '"\\?', lambda code: f"\\{code:03o}", last=0x7E)


def _quoted(text: str, special: str, escape: Callable[[int], str], last: int = 0x10FFFF) -> str:
    """In double quotes; `special` characters after a backslash, controls and those after `last` by their number."""

    def escaped(character: str) -> str:
        if character in special:
            return f"\\{character}"
        code = ord(character)
        return escape(code) if STEERING.match(character) or code > last else character

    return f'"{"".join(map(escaped, text))}"'


LITERALS: Mapping[str, Callable[[str], str]] = {
    "python": python_literal,
    "javascript": javascript_literal,
    "kotlin": kotlin_literal,
    "swift": swift_literal,
    "cpp": cpp_literal,
}
