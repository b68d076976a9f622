"""The files of the camera page of an export: the same export gives the same bytes.

    index.html, style.css, app.js and its modules    the page, as it lies in `page/`
    config.json                                      labels, threshold, and how the model takes a photo
    model-<hash>.tflite.gz                           the model, run on the phone itself
    worker.js, runtime.js, runtime.wasm.gz           what runs it, as `make web-runtime` builds it
    sw.js, manifest.webmanifest, icons               what makes it an app that works without a network

The model's name holds its hash: a page never runs another model than its labels are of. Where it cannot be run on the
phone, the page asks the server that it came from, and says so.
"""

import gzip
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, get_args

from label_image.appended_zip import read_appended_manifest
from label_image.errors import ModelError
from label_image.files import reason_of
from label_image.manifest import Manifest, read_manifest
from label_image.one_training import check_tflite, is_tflite_of
from label_image.preprocessing import Preprocessing
from label_image.web.icons import ICONS, icon
from label_image.web.tensors import tensors_of

PAGE = Path(__file__).with_name("page")
RUNTIME = Path(__file__).with_name("runtime")  # built, never committed
RUNTIME_FILES = ("worker.js", "runtime.js", "runtime.wasm.gz", "LICENCES.txt")
CONFIG = "config.json"
WEB_MANIFEST = "manifest.webmanifest"
SERVICE_WORKER = "sw.js"
INDEX = "index.html"
PACKED = ".tflite.gz"
UNKEPT = frozenset({"LICENCES.txt"})  # not kept on the phone: to be read, not run
HOW_TO_BUILD = "run `make web-runtime` in a clone of this project, which needs Node and npm"

Numbers = Literal["float16", "float32", "int8"]
FILES: Mapping[Numbers, str] = {
    "float16": "model_float16.tflite",
    "float32": "model.tflite",
    "int8": "model_int8.tflite",
}
GROUND = "#14161a"  # behind the page while it opens, as in page/style.css


def page_files(
    model: Path, numbers: Numbers | None = None, *, server: bool = True, labels: Sequence[str] | None = None
) -> dict[str, bytes]:
    """The files of the camera page of an export (its folder or its .tflite), by their path in the page's folder.

    Of a folder the model in these `numbers` is taken; without, that of the first of FILES which is there and of the
    training of its manifest. `server` says that photos can be sent to `label` beside the page, where the phone cannot
    run the model itself; without, an export or an installation of which a phone cannot run the model is refused.
    `labels` are other names for the classes, in the model's order. Raises ModelError.
    """
    model = Path(model)
    file = _model_file(model, numbers)
    manifest = read_manifest(model) if model.is_dir() else read_appended_manifest(model)
    if labels is not None:
        if len(labels) != len(manifest.labels):
            raise ModelError(f"{len(labels)} labels were given for the {len(manifest.labels)} classes of {model}.")
        manifest = replace(manifest, labels=tuple(labels))
    reason = why_not_on_phones(model, file, manifest.preprocessing)
    if reason is not None and not server:
        raise ModelError(reason)
    files = {path.relative_to(PAGE).as_posix(): path.read_bytes() for path in sorted(PAGE.rglob("*")) if path.is_file()}
    service_worker = files.pop(SERVICE_WORKER)
    config = _config(manifest, server)
    if reason is None and file is not None:
        config["model"], packed = _packed(file)
        files |= {config["model"]["file"]: packed, **{name: (RUNTIME / name).read_bytes() for name in RUNTIME_FILES}}
    files |= {name: icon(side) for name, side in ICONS.items()}
    files |= {CONFIG: _json(config), WEB_MANIFEST: _json(_web_manifest(manifest.labels))}
    return {**files, SERVICE_WORKER: _with_list(service_worker, files)}


def why_no_runtime() -> str | None:
    """Why this installation has nothing that runs a model on a phone, as a sentence; None where it has."""
    missing = [name for name in RUNTIME_FILES if not (RUNTIME / name).is_file()]
    if not missing:
        return None
    return f"This installation lacks what runs a model on a phone ({missing[0]}): {HOW_TO_BUILD}."


def why_not_on_phones(model: Path, file: Path | None, preprocessing: str) -> str | None:
    """Why a phone cannot run a model itself, as a sentence; None where it can."""
    if file is None:
        return (
            f"{model} has no .tflite of its training, which phones run: write one with `retrain export --to "
            "tflite_float16`."
        )
    resize = next(step for step in Preprocessing.parse(preprocessing).steps if step.name == "resize")
    if resize.arguments[1] != "bilinear":
        return f"The camera page resizes photos by bilinear alone, and this model asks for {resize.arguments[1]}."
    return why_no_runtime()


def _packed(file: Path) -> tuple[dict[str, Any], bytes]:
    """What the page has to know of a .tflite, and the file, packed."""
    try:
        tflite = file.read_bytes()
    except OSError as error:
        raise ModelError(f"{file} cannot be read: {reason_of(error)}.") from None
    packed = gzip.compress(tflite, 9, mtime=0)  # a sixth less of int8; few servers would do it
    name = f"model-{hashlib.sha256(packed).hexdigest()[:12]}{PACKED}"
    return {"file": name, "bytes": len(packed), **tensors_of(tflite, file)}, packed


def _model_file(model: Path, numbers: Numbers | None) -> Path | None:
    """The .tflite of these `numbers`, or the first that no earlier training left. Raises ModelError."""
    if numbers is not None and numbers not in FILES:
        raise ModelError(f"`numbers` {numbers} is not known; choose from {', '.join(get_args(Numbers))}.")
    if model.is_file() and model.suffix.lower() == ".tflite":
        return model
    if not model.is_dir():
        what = "is not the folder of an export, nor its .tflite file" if model.exists() else "does not exist"
        raise ModelError(f"{model} {what}: pass the --output_dir of a training run.")
    if numbers is not None:
        if not (model / FILES[numbers]).is_file():
            raise ModelError(f"{model} has no {FILES[numbers]}: write it with `retrain export --to tflite_{numbers}`.")
        check_tflite(model / FILES[numbers], read_manifest(model))
        return model / FILES[numbers]
    manifest = read_manifest(model)
    there = (model / name for name in FILES.values() if (model / name).is_file())
    return next((file for file in there if is_tflite_of(file, manifest)), None)


def _config(manifest: Manifest, server: bool) -> dict[str, Any]:
    preprocessing = Preprocessing.parse(manifest.preprocessing)
    return {
        "labels": list(manifest.labels),
        "threshold": manifest.threshold,
        "size": preprocessing.size,
        "orient": any(step.name == "orient" for step in preprocessing.steps),
        "server": server,
        "model": None,
    }


def _web_manifest(labels: tuple[str, ...]) -> dict[str, Any]:
    return {
        "name": "What is it?",
        "short_name": "What is it?",
        "description": f"Point the camera at a thing: which of {len(labels)} it is.",
        "start_url": "./",
        "scope": "./",
        "display": "standalone",
        "background_color": GROUND,
        "theme_color": GROUND,
        "icons": [
            {"src": name, "sizes": f"{side}x{side}", "type": "image/png", "purpose": purpose}
            for name, side in ICONS.items()
            if name.startswith("icon-")
            for purpose in ("any", "maskable")
        ],
    }


def _with_list(service_worker: bytes, files: Mapping[str, bytes]) -> bytes:
    """The service worker, with the files that it keeps for a phone without a network, and the hash of them all."""
    digest = hashlib.sha256(service_worker)
    for name, data in sorted(files.items()):
        digest.update(f"{name}\0{len(data)}\0".encode() + hashlib.sha256(data).digest())
    # Some hosts send those who ask for index.html on to the folder, and an answer that was sent on opens no page.
    listed = sorted(("./" if name == INDEX else name, len(data)) for name, data in files.items() if name not in UNKEPT)
    values = {
        "VERSION": digest.hexdigest()[:16],
        "FILES": [name for name, _ in listed],
        "SIZES": [size for _, size in listed],
    }
    head = "".join(f"const {name} = {json.dumps(value)};\n" for name, value in values.items())
    return head.encode() + service_worker


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=1).encode() + b"\n"
