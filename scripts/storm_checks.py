"""What must be left when the storm of kills is over: right bottlenecks, whole exports, nothing else."""

import json
import re
from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np
from storm_commands import Storm, run

from label_image.files import sha256_of, sha256_of_bytes
from label_image.model import load_model
from label_image.preprocessing import load_pixels
from retrain.backbones.backbone import Backbone
from retrain.bottlenecks.extraction import extract
from retrain.bottlenecks.near_copies import FOLDER, thumbnail_store
from retrain.bottlenecks.probe import TOLERANCES, relative_error
from retrain.bottlenecks.store import Store, fingerprint
from retrain.insight.doctor.looks import look_store, measured
from retrain.photos.dataset import Photo
from retrain.photos.opening import list_photos
from retrain.photos.small_copies import gray, square_copy, thumbnails

EXPORTS = ("model", "model.previous", "other", "other.previous")
TEMPORARY = re.compile(r"\.tmp$|^\.tmp|^\.retrain-|\.part$|\.old$|\.damaged$")
# How Python tries whether files can be made in a folder for temporary ones; a kill in between leaves it.
PYTHONS_TRY = re.compile(r"[a-z0-9_]{8}")


def check_all(storm: Storm, backbones: Sequence[Backbone], size: int) -> int:
    """The same commands once more, to their ends; then what they and the killed ones have left."""
    plan, folder = storm.plan, storm.plan.folder
    for world in ("clean", "storm"):
        for kind in ("resume", "train", "export", "evaluate", "doctor", "sweep"):
            arguments = getattr(plan, kind)(world, *((size,) if kind in ("doctor", "sweep") else ()))
            try:
                run(plan, arguments, folder / "logs" / f"{world}-{kind}.txt")
            except click.ClickException as error:
                storm.fault(error.message)
    rows = check_bottlenecks(storm, backbones)  # opens each store, as the next run with its input size would
    check_left_behind(storm)
    for name in EXPORTS:
        if (folder / "storm" / name).exists():
            check_export(storm, folder / "storm" / name, folder / "clean" / name.removesuffix(".previous"))
    findings = [(folder / world / "doctor/findings.csv").read_bytes() for world in ("clean", "storm")]
    sweeps = [(folder / world / "sweep.csv").read_text().splitlines() for world in ("clean", "storm")]
    if findings[0] != findings[1] or len(sweeps[0]) != len(sweeps[1]):
        storm.fault("the doctor or the sweep finds something else than undisturbed")
    return rows


def check_bottlenecks(storm: Storm, backbones: Sequence[Backbone]) -> int:
    """Compare every stored bottleneck with that of a clean run; returns how many there are."""
    folder, rows, expected_names = storm.plan.folder, 0, {"templates", FOLDER}
    listing = list_photos(folder / "photos")
    for backbone in backbones:
        expected_names.add(fingerprint(backbone.covers()))
        if not (folder / "storm/store" / fingerprint(backbone.covers())).exists():
            continue
        extract(listing, backbone, folder / "clean/store")
        kept = [folder / world / "store" for world in ("clean", "storm")]
        clean, found = (_stored(Store(one, backbone.covers(), backbone.dim, backbone.stored_dtype)) for one in kept)
        strangers = found.keys() - clean.keys()
        if strangers:
            storm.fault(f"bottlenecks of {len(strangers)} photos that there are not, with {backbone.input_size} pixels")
        keys = sorted(found.keys() & clean.keys())
        rows += len(keys)
        vectors, right = (np.array([one[key] for key in keys]) for one in (found, clean))
        limit = 0.0 if backbone.architecture == "fake" else TOLERANCES[backbone.compute_dtype]
        if keys and relative_error(vectors, right) > limit:
            storm.fault(f"wrong bottlenecks with {backbone.input_size} pixels")
    rows += _check_thumbnails(storm)
    names = {path.name for path in (folder / "storm/store").iterdir() if path.is_dir()}
    if names - expected_names:
        storm.fault(f"folders in the store that nobody asked for: {names - expected_names}")
    return rows


def _check_thumbnails(storm: Storm) -> int:
    """Compare every thumbnail that was kept with its photo; returns how many there are."""
    photos = {sha256_of_bytes(data): data for data in map(Path.read_bytes, (storm.plan.folder / "photos").rglob("*.*"))}
    store = storm.plan.folder / "storm/store"
    kept = _stored(thumbnail_store(store)) if (store / FOLDER).exists() else {}
    for (sha256, _), row in kept.items():
        if not np.array_equal(row, thumbnails(gray(square_copy(photos[sha256]))[np.newaxis]).ravel().astype(row.dtype)):
            storm.fault("a wrong thumbnail")
    return len(kept) + _check_looks(storm, store)


def _check_looks(storm: Storm, store: Path) -> int:
    """Compare every look that the doctor kept with that at its photo now; returns how many there are."""
    photos = {sha256_of(path): path for path in (storm.plan.folder / "photos").rglob("*.*")}
    kept = _stored(look_store(store)) if (store / FOLDER).exists() else {}
    for (sha256, _), row in kept.items():
        if not np.array_equal(row, measured([Photo(str(photos[sha256]), "", sha256)])[0][0]):
            storm.fault("a look that is not that of its photo")
    return len(kept)


def _stored(store: Store) -> dict[tuple[str, str], np.ndarray]:
    return {tuple(key): row for keys, matrix in store.scan() for key, row in zip(keys, matrix, strict=True)}


def check_left_behind(storm: Storm) -> None:
    folder = storm.plan.folder
    paths = [path for world in ("storm", "tmp") for path in (folder / world).rglob("*")]
    left = [str(path.relative_to(folder)) for path in paths if TEMPORARY.search(path.name)]
    for path in (folder / "tmp").iterdir():
        is_try = PYTHONS_TRY.fullmatch(path.name) and path.is_file() and path.read_bytes() in (b"", b"blat")
        if not TEMPORARY.search(path.name) and not is_try:
            left.append(str(path.relative_to(folder)))
    if left:
        storm.fault(f"left behind: {', '.join(sorted(left)[:10])} ({len(left)} in all)")


def check_export(storm: Storm, export: Path, clean: Path) -> None:
    """An export is whole and gives the probabilities of the clean run's."""
    files, right = ({str(path.relative_to(one)): path.stat().st_size for path in one.rglob("*") if path.is_file()}
                    for one in (export, clean))  # fmt: skip
    missing = {name for name in right if name not in files or (files[name] == 0) != (right[name] == 0)}
    if export.name.endswith(".previous"):  # as its training left it
        missing = {name for name in missing if name != "model_float16.tflite" and not name.startswith("clients/")}
    if missing:
        storm.fault(f"{export.name} lacks {sorted(missing)}")
        return
    json.loads((export / "model.json").read_text(encoding="utf-8"))
    models = [load_model(path / "model.tflite") for path in (export, clean)]
    paths = sorted(str(path) for path in (storm.plan.folder / "photos").rglob("*.png"))
    pixels = np.stack([load_pixels(path, models[0].preprocessing) for path in paths])
    one, other = (model.run(pixels).probabilities for model in models)
    if models[0].labels != models[1].labels or not np.allclose(one, other, atol=1e-4):
        storm.fault(f"{export.name} labels otherwise than the clean run's: by up to {np.abs(one - other).max():.2g}")
    # Names of functions end in how many the process traced before, which kills change: 51 of 55,000 bytes were seen.
    size, whole = ((path / "saved_model.pb").stat().st_size for path in (export, clean))
    if abs(size - whole) > 0.01 * whole:
        storm.fault(f"the SavedModel of {export.name} is not of the size of the clean run's")
