"""Kept exports without a top: what an export needs of a backbone is made and proven once.

A template is a folder `<bottleneck_dir>/templates/<digest>/` for one format, the digest covering all
that its files depend on: the format, the backbone in float32, the labels, the versions that wrote it.

    template.json              what it covers, SHA-256 of each file, the parity of its proof; sealed
    saved_model.pb, variables/ a SavedModel, with signatures.json: what its tensors are called; or
    model.tflite               either with the values of `placeholder_head` where those of a top belong

It is copied, each file checked against its hash, and never used in place. Losing one costs time, a
damaged or foreign one is dropped and made again; where none can be kept, the run goes on without.
Nothing here imports TensorFlow.
"""

import contextlib
import hashlib
import json
import logging
import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from label_image.errors import ForeignFileError
from label_image.files import reason_of, remove_leftovers, sha256_of, temporary_folder
from label_image.foreign_text import parse_json, read_limited
from label_image.installing import versions
from retrain.backbones.backbone import Backbone
from retrain.core.placing import obey_umask
from retrain.exports.from_templates import template_of
from retrain.exports.proof.parity import Parity
from retrain.training.head import Hidden

EXPORT_VERSION = 9  # of how an export is written: another one, and templates are made again
FOLDER = "templates"
RECORD = "template.json"
KEPT = 8  # templates in a bottleneck folder, those used last; one of Inception-V3 has 88 MB
PACKAGES = ("retrain", "tensorflow", "keras", "numpy")
log = logging.getLogger(__name__)

Covers = dict[str, object]


@dataclass(frozen=True)
class KeptTemplates:
    """How many templates lie in a folder, and how much room they take."""

    folder: Path
    number: int
    bytes: int


class _Damaged(Exception):
    """A kept template that must not be used; the message says why."""


def covers(format: str, backbone: Backbone, labels: tuple[str, ...], hidden: tuple[Hidden, ...] = ()) -> Covers:
    """All that a template depends on, as plain JSON; of the hidden layers not their numbers."""
    return {
        "format": format,
        **backbone.in_float32().covers(),
        "labels": list(labels),
        "hidden_layers": [[len(layer.bias), layer.activation] for layer in hidden],
        "versions": versions(PACKAGES),
        "export_version": EXPORT_VERSION,
    }


def kept_folder(bottleneck_dir: Path, covered: Covers) -> Path:
    """Where the template for this is kept."""
    return bottleneck_dir / FOLDER / _digest(covered)


def templates_in(bottleneck_dir: Path) -> KeptTemplates:
    """The templates that are kept in a bottleneck folder; what others remove meanwhile does not count."""
    folder = bottleneck_dir / FOLDER
    sizes = []
    for path in folder.glob("[!.]*/**/*"):
        with contextlib.suppress(OSError):
            sizes.append(path.stat().st_size if path.is_file() else 0)
    return KeptTemplates(folder, sum(1 for _ in folder.glob(f"[!.]*/{RECORD}")), sum(sizes))


def fetch_template(kept: Path, covered: Covers, folder: Path) -> dict[str, Parity] | None:
    """Copy a kept template to `folder` and return the parity of its proof; None if there is none.

    One that is damaged or covers something else is removed. Raises OSError if `folder` cannot be
    written.
    """
    remove_leftovers(kept.parent)
    if not os.path.lexists(kept):
        return None
    try:
        record = _read_record(kept / RECORD, covered)
        for name in _files(covered):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            _copy_checked(kept / name, folder / name, record["files"][name])
    except _Damaged as why:
        log.warning("The export template %s is made again: %s.", kept, why)
        _remove(kept)
        shutil.rmtree(folder, ignore_errors=True)
        return None
    with contextlib.suppress(OSError):
        os.utime(kept / RECORD)  # last used now
    return {name: Parity(**parity) for name, parity in record["parity"].items()}


def keep_template(folder: Path, kept: Path, covered: Covers, proof: dict[str, Parity]) -> None:
    """Move a proven template to where it is kept; if that cannot be done it is left alone."""
    try:
        content = {
            "covers": covered,
            "files": {name: sha256_of(folder / name) for name in _files(covered)},
            "parity": {name: asdict(parity) for name, parity in proof.items()},
        }
        (folder / RECORD).write_text(json.dumps({**content, "seal": _digest(content)}, indent=2) + "\n")
        with temporary_folder(kept.parent) as temporary:
            new = temporary / kept.name
            shutil.move(folder, new)  # a copy, if they are on two file systems
            obey_umask(new)
            os.rename(new, kept)  # fails if another run has just kept one: that is as good
        _remove_all_but_the_latest(kept.parent)
    except OSError as error:
        log.info("The export template is not kept in %s: %s.", kept, reason_of(error))


def _files(covered: Covers) -> tuple[str, ...]:
    return template_of(str(covered["format"])).files


def _read_record(path: Path, covered: Covers) -> dict[str, Any]:
    _check_regular(path)
    try:
        content = parse_json(read_limited(path), dict[str, Any])
        seal = content.pop("seal")
    except (OSError, ForeignFileError, KeyError):
        raise _Damaged(f"its {RECORD} cannot be read") from None
    if seal != _digest(content):
        raise _Damaged(f"its {RECORD} was changed")
    if content["covers"] != covered:
        raise _Damaged(f"its {RECORD} belongs to another one")
    return content


def _copy_checked(source: Path, target: Path, sha256: str) -> None:
    digest = hashlib.sha256()
    with open(target, "wb") as new:
        for chunk in _chunks(source):
            digest.update(chunk)
            new.write(chunk)
    if digest.hexdigest() != sha256:
        raise _Damaged(f"its {source.name} was changed")


def _check_regular(path: Path) -> None:
    if path.exists() and not path.is_file():  # a FIFO would be waited for
        raise _Damaged(f"its {path.name} is not a file")


def _chunks(path: Path) -> Iterator[bytes]:
    _check_regular(path)
    try:
        with open(path, "rb") as file:
            while chunk := file.read(2**20):
                yield chunk
    except OSError as error:
        raise _Damaged(f"its {path.name} cannot be read ({reason_of(error)})") from None


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _remove_all_but_the_latest(folder: Path) -> None:
    used = sorted((os.stat(path).st_mtime_ns, path.parent) for path in folder.glob(f"[!.]*/{RECORD}"))
    for _, template in used[:-KEPT]:
        _remove(template)


def _remove(template: Path) -> None:
    """In one step, so that no run sees half of one."""
    with contextlib.suppress(OSError), temporary_folder(template.parent) as temporary:
        os.rename(template, temporary / template.name)
