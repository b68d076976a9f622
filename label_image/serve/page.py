"""The page at `/`: files in memory. What is asked for is looked up among them, never on the disk."""

import hashlib
import mimetypes
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from label_image.errors import ModelError

CSP = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'; "
    "img-src 'self' blob:; media-src 'self' blob:; style-src 'self'; manifest-src 'self'; base-uri 'none'; "
    "form-action 'none'"
)
PageFiles = Callable[[Path, Sequence[str]], Mapping[str, bytes]]  # of an export, with these names of its classes
# Built-in names alone: what a system's own list says of .js differs, and a page does not run with some of it.
_KINDS = mimetypes.MimeTypes(filenames=())
for _kind, _suffix in (
    ("text/javascript", ".js"),
    ("text/javascript", ".mjs"),
    ("application/wasm", ".wasm"),
    ("application/manifest+json", ".webmanifest"),
):
    _KINDS.add_type(_kind, _suffix)


@dataclass(frozen=True)
class PageFile:
    """A file of the page; `is_kept` of one that belongs to the page before."""

    content: bytes
    kind: str
    is_kept: bool = False

    @classmethod
    def named(cls, name: str, content: bytes) -> "PageFile":
        """By its name it is known what it is; a gzipped one is handed out as that."""
        kind, coding = _KINDS.guess_type(name)
        if coding is not None:
            kind = f"application/{coding}"
        kind = kind or "application/octet-stream"
        return cls(content, f"{kind}; charset=utf-8" if kind.startswith("text/") else kind)

    @cached_property
    def etag(self) -> str:
        return f'"{hashlib.sha256(self.content).hexdigest()[:32]}"'

    def response(self, request: Request, policy: str = CSP) -> Response:
        """Asked again each time, so that a new model is seen; what has not changed is not sent twice."""
        headers = {"ETag": self.etag, "Cache-Control": "no-cache", "Content-Security-Policy": policy}
        known = [tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")]
        if self.etag in known or "*" in known:
            return Response(status_code=304, headers=headers)
        return Response(self.content, headers={**headers, "Content-Type": self.kind})


def page_of(
    page_files: PageFiles, model: Path, labels: Sequence[str], before: Mapping[str, PageFile]
) -> Mapping[str, PageFile]:
    """The page of a model, by path; empty if it has none, as an .onnx alone.

    The file of the model `before` stays for pages that are just being loaded: its name holds its hash.
    """
    try:
        files = page_files(model, labels)
    except ModelError:
        return {}
    page = {name: PageFile.named(name, content) for name, content in files.items()}
    kept = {
        name: replace(file, is_kept=True)
        for name, file in before.items()
        if name.endswith((".tflite", ".tflite.gz")) and not file.is_kept and name not in page
    }
    return {**kept, **page}


def find(page: Mapping[str, PageFile], path: str) -> PageFile | None:
    """The file at a path as it stands in an address."""
    return page.get(path.removeprefix("/") or "index.html")
