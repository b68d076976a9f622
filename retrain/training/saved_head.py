"""A trained head as a folder, without pickle: what it is, what it was measured on, and the bottlenecks it came from.

    head.json                      how it was trained and divided, its figures, its calibration; the others' SHA-256
    head-<digest>.npz              its numbers, and its answers for the test and validation photos
    bottlenecks-<digest>.parquet   as `Bottlenecks.to_parquet` writes them

Another one is put beside it before head.json names it: whenever that is cut off, the folder holds one of the two whole.
What folds that took turns said of each penalty is not kept: it is for the report of a run alone.
"""

import json
import os
from collections.abc import Collection, Mapping
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec
import numpy as np

from label_image.files import reason_of, sha256_of, temporary_folder, write_in_one_step
from retrain.bottlenecks.bottlenecks import Bottlenecks
from retrain.core.array_files import read_npz
from retrain.core.errors import ExportError
from retrain.core.placing import alone_in, is_empty
from retrain.core.typed import check_kind
from retrain.photos.division import Division
from retrain.training.calibration import Calibration
from retrain.training.head import Fit, Head, Hidden, Progress
from retrain.training.metrics import Metrics
from retrain.training.recipe import HeadConfig
from retrain.training.trained import Confidence, Float32Change, TrainedHead
from retrain.training.unknown import Familiar

VERSION = 1
ABOUT, NUMBERS, BOTTLENECKS = "head.json", "head.npz", "bottlenecks.parquet"
DIGITS = 12  # of its SHA-256 in a file's name
MOST_BYTES = 2**33  # of numbers that are read


def write_saved(
    trained: TrainedHead, folder: str | os.PathLike[str], more: Mapping[str, object] = MappingProxyType({})
) -> None:
    """Write the files into a folder, which is made where it is missing; head.json says `more`, too.

    Raises ExportError, StoreError.
    """
    check_kind(folder, str | os.PathLike, "folder", "a path")
    target = Path(folder)
    confidence = trained.confidence
    about = {
        "version": VERSION,
        "description": trained.description,
        "activations": trained.head.activations,
        "curve": [asdict(point) for point in trained.fit.curve],
        "division": asdict(trained.division),
        "validation": asdict(trained.validation),
        "test": asdict(trained.test),
        "calibration": None if confidence is None else asdict(confidence.calibration),
        "threshold": None if confidence is None else confidence.familiar.threshold,
        "ece_before": None if confidence is None else confidence.ece_before,
        "refused": None if confidence is None else confidence.refused,
        "float32_change": None if trained.float32_change is None else asdict(trained.float32_change),
        "asked": None if trained.asked is None else asdict(trained.asked),
        "tta": trained.tta,
        **more,
    }
    arrays: dict[str, Any] = {
        "test_rows": trained.test_rows,
        "test_probabilities": trained.test_probabilities,
        "validation_rows": trained.validation_rows,
        "validation_probabilities": trained.validation_probabilities,
    }
    for number, (kernel, bias) in enumerate(trained.head.layers):
        arrays |= {f"kernel_{number}": kernel, f"bias_{number}": bias}
    if confidence is not None:
        arrays |= {"means": confidence.familiar.means, "left_out": confidence.familiar.left_out}
    try:
        target.mkdir(parents=True, exist_ok=True)
        if not is_empty(target) and not _is_saved(target):
            raise ExportError(f"{target} holds other files, and no saved head to replace: choose another folder.")
        with alone_in(target):
            if not _is_saved(target):  # so that the folder is known for one after a kill; what it holds is refused
                write_in_one_step(target / ABOUT, json.dumps({**about, "files": {}}, ensure_ascii=False).encode())
            with temporary_folder(target) as new:
                with open(new / NUMBERS, "wb") as file:
                    np.savez(file, **arrays)
                trained.bottlenecks.to_parquet(new / BOTTLENECKS)
                digests = _put_beside(new, target)
            written = {**about, "files": digests}
            write_in_one_step(target / ABOUT, json.dumps(written, ensure_ascii=False).encode())
            _remove_earlier(target, digests)
    except OSError as error:
        raise ExportError(f"The head cannot be saved in {target}: {reason_of(error)}.") from None


def _put_beside(new: Path, target: Path) -> dict[str, str]:
    """Move the files out of `new` to names that tell them from those of another head; returns the SHA-256 of each."""
    digests = {}
    for name in map(Path, (NUMBERS, BOTTLENECKS)):
        sha256 = sha256_of(new / name)
        kept = f"{name.stem}-{sha256[:DIGITS]}{name.suffix}"
        os.replace(new / name, target / kept)
        digests[kept] = sha256
    return digests


def _remove_earlier(target: Path, digests: Collection[str]) -> None:
    for name in map(Path, (NUMBERS, BOTTLENECKS)):
        for path in (target / name, *target.glob(f"{name.stem}-{'[0-9a-f]' * DIGITS}{name.suffix}")):
            if path.name not in digests:
                path.unlink(missing_ok=True)


def _is_saved(folder: Path) -> bool:
    """Whether `write_saved` has written there."""
    try:
        about = json.loads((folder / ABOUT).read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(about, dict) and {"version", "description", "files"} <= about.keys()


def read_saved(folder: str | os.PathLike[str]) -> tuple[TrainedHead, dict[str, Any]]:
    """What `write_saved` wrote, and all that head.json says.

    Raises ExportError for what is no such folder, DatasetError.
    """
    check_kind(folder, str | os.PathLike, "folder", "a path")
    source = Path(folder)
    try:
        about = json.loads((source / ABOUT).read_bytes())
        if about["version"] != VERSION:
            raise ValueError(f"it is in version {about['version']}, and this program reads {VERSION}")
        numbers, bottlenecks = (_named(about["files"], source, Path(name).suffix) for name in (NUMBERS, BOTTLENECKS))
        if any(about["files"][path.name] != sha256_of(path) for path in (numbers, bottlenecks)):
            raise ValueError("its files are of several savings, or were changed: save it again")
        arrays = read_npz(numbers, MOST_BYTES)
        return _trained(about, arrays, Bottlenecks.read(bottlenecks)), about
    except OSError as error:
        raise ExportError(f"{source} is no saved head ({reason_of(error)}): pass the folder of `save`.") from None
    except (ValueError, KeyError, TypeError, msgspec.ValidationError) as error:
        raise ExportError(f"The head in {source} cannot be read: {error}.") from None


def _named(files: Mapping[str, str], folder: Path, suffix: str) -> Path:
    """The file with a suffix that head.json names. Raises ValueError where it names none, or one in another folder."""
    for name in files:
        if Path(name).suffix == suffix and name == os.path.basename(name):
            return folder / name
    raise ValueError("it was stopped while it was saved: save it again")


def _trained(about: dict[str, Any], arrays: dict[str, Any], bottlenecks: Bottlenecks) -> TrainedHead:
    layers = [(arrays[f"kernel_{number}"], arrays[f"bias_{number}"]) for number in range(len(about["activations"]) + 1)]
    hidden = tuple(Hidden(*layer, name) for layer, name in zip(layers[:-1], about["activations"], strict=True))
    curve = _as(about["curve"], tuple[Progress, ...])
    confidence = None
    if (calibration := _as(about["calibration"], Calibration | None)) is not None:
        familiar = Familiar(arrays["means"], about["threshold"], arrays["left_out"])
        confidence = Confidence(calibration, familiar, about["ece_before"], about["refused"])
    return TrainedHead(
        bottlenecks,
        Division(**_tuples(about["division"])),
        Fit(Head(*layers[-1], hidden), about["description"], curve),
        _as(about["validation"], Metrics),
        _as(about["test"], Metrics),
        arrays["test_rows"],
        arrays["test_probabilities"],
        validation_rows=arrays["validation_rows"],
        validation_probabilities=arrays["validation_probabilities"],
        confidence=confidence,
        float32_change=_as(about["float32_change"], Float32Change | None),
        asked=None if about["asked"] is None else HeadConfig(**_tuples(about["asked"])),
        tta=about["tta"],
    )


def _tuples(value: Any) -> Any:
    """JSON with tuples for its lists; numbers stay what they are, 10 and 10.0."""
    if isinstance(value, dict):
        return {name: _tuples(one) for name, one in value.items()}
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _as(value: object, kind: Any) -> Any:
    """JSON as a frozen dataclass, with those in it."""
    return msgspec.convert(value, kind, str_keys=True)
