"""Further formats of an export: each is run on photos and judged before it takes its place.

The SavedModel of the folder is what they are made of and compared with. Each is written aside, loaded
by its own runtime, run on photos and judged, an int8 one on more of them; only one that holds is renamed
into the folder, and what came of it stands in `parity` of model.json.
"""

import functools
import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from label_image import manifest as manifests
from label_image.embedding import saved_model_embeds
from label_image.errors import ModelError
from label_image.files import sha256_of_all
from label_image.model import check_fit
from label_image.preprocessing import Pixels
from label_image.quiet import quiet
from label_image.runtimes import Outputs, Run, load_saved_model, pixels_runner
from retrain.core.errors import ExportError, ParityError, UnfitError
from retrain.core.outputs import MANIFEST
from retrain.core.placing import alone_in, obey_umask
from retrain.exports.folder import keep_if_changed, put_into_export
from retrain.exports.formats.base import Format, Source
from retrain.exports.proof.judgement import Judgement, Reference, judge
from retrain.exports.proof.limits import FLOAT32
from retrain.exports.proof.parity import compare_embeddings
from retrain.exports.proof.photos import ExportPhotos, LabelledPixels
from retrain.exports.publication import PROOFS
from retrain.exports.registry import FORMATS, SAVED_MODEL

SERVE_BYTES = "saved_model_bytes"
SAVED_MODEL_FILES = ("saved_model.pb", "variables")


@dataclass(frozen=True)
class Result:
    """What came of a format: how it was judged, and where it was written; or why it was `refused`.

    `unfit`: it is not for such a network, and would not be written on other photos either.
    """

    name: str
    judgement: Judgement | None = None
    path: Path | None = None
    remark: str = ""
    refused: str | None = None
    unfit: bool = False


def read_manifest(export: Path) -> dict[str, Any]:
    """The manifest of an export folder that holds a SavedModel. Raises ExportError."""
    if not export.is_dir():
        raise ExportError(f"{export} is not an export folder: pass the `output_dir` of a training run.")
    try:
        manifest = manifests.read_manifest(export)
    except ModelError as error:
        raise ExportError(str(error)) from None
    if manifest.input is None:
        raise ExportError(f"The {MANIFEST} of {export} does not say what the model takes: export the model again.")
    if not (export / "saved_model.pb").is_file():
        raise ExportError(
            f"{export} has no SavedModel, which other formats are made of: train it again, with saved_model among "
            "its `formats`."
        )
    return manifest.content


@dataclass(frozen=True)
class FurtherFormats:
    """Formats that an export is given after its training: each is written aside, run, judged, and put in place."""

    export: Path
    temporary: Path
    source: Source
    proofs: Mapping[str, Mapping[str, object]]
    photos: ExportPhotos
    force: bool
    say: Callable[[str], None]

    @functools.cached_property
    def loaded(self) -> Any:
        """The SavedModel in TensorFlow."""
        try:
            loaded = load_saved_model(self.export, trust=True)  # it was searched when the command began
            size, labels = self.source.manifest["input"]["size"], self.source.manifest["labels"]
            check_fit(self.export, pixels_runner(loaded), size, len(labels))
            return loaded
        except ModelError as error:
            raise ExportError(str(error)) from None

    @functools.cached_property
    def _said(self) -> tuple[Outputs, float]:
        return said_and_milliseconds(pixels_runner(self.loaded), self.photos.judged.pixels)

    @property
    def reference(self) -> Reference:
        """What it answers for the photos that every format is run on."""
        return self._reference(self._said[0], self.photos.judged)

    @functools.cached_property
    def compared(self) -> tuple[Pixels, Reference]:
        """Photos of all sides, those first that every format is run on, and what the SavedModel answers for them."""
        photos, judged = self.photos.compared(), len(self.photos.judged)
        if len(photos) == judged:
            return photos.pixels, self.reference
        self.say(f"Running the SavedModel on {len(photos) - judged} more photos, of all sides …")
        with quiet():
            more = pixels_runner(self.loaded)(photos.pixels[judged:])
        return photos.pixels, self._reference(Outputs.joined([self._said[0], more]), photos)

    def _reference(self, outputs: Outputs, photos: LabelledPixels) -> Reference:
        unknown = self.source.manifest.get("unknown", {})
        tested, groups, seen = self.photos.tested, self.photos.groups, self.photos.seen
        return Reference(outputs, photos.classes, unknown.get("threshold"), tested, groups, seen)

    def saved_model(self) -> Judgement:
        """How good the SavedModel is, which is the reference."""
        self.say(f"Running the SavedModel on {len(self.photos.judged)} photos …")
        outputs, milliseconds = self._said
        size = sum(map(size_of, (self.export / name for name in SAVED_MODEL_FILES)))
        judgement = judge("The SavedModel", outputs, self.reference, FLOAT32, milliseconds, size, False)
        self._record_measured(SAVED_MODEL, judgement)
        return judgement

    def serve_bytes(self) -> Result:
        """Its other signature, on the photos as PNG files."""
        from retrain.exports.proof.parity import bytes_runner

        if "serve_bytes" not in self.loaded.signatures:
            return Result(SERVE_BYTES, refused=f"{self.export} has no signature serve_bytes: train it again.")
        said, milliseconds = said_and_milliseconds(bytes_runner(self.loaded), self.photos.judged.pixels)
        size = sum(map(size_of, (self.export / name for name in SAVED_MODEL_FILES)))
        judgement = judge("The SavedModel (serve_bytes)", said, self.reference, FLOAT32, milliseconds, size, False)
        self._record_measured(SERVE_BYTES, judgement)
        return Result(SERVE_BYTES, judgement)

    def _record_measured(self, name: str, judgement: Judgement) -> None:
        """Beside the proof of the training, which compared it with the network itself."""
        proof = self.proofs.get(name, {})
        with self.replacing():
            record_parity(self.export, self.temporary, {name: {**judgement.plain(), **proof, **judgement.measured()}})

    def _proof_of_embedding(self, format: Format, new: Path) -> dict[str, object]:
        """What the manifest says of the bottlenecks that a format gives, if it gives any. Raises ParityError."""
        if format.embeds is None or "embed" not in self.loaded.signatures:  # of an older training
            return {}
        with quiet():
            expected = saved_model_embeds(self.loaded, self.export)(self.photos.judged.pixels)
        said = format.embeds(new)(self.photos.judged.pixels)
        return {"embedding_difference": compare_embeddings(format.file, said, expected)}

    @contextmanager
    def replacing(self) -> Iterator[None]:
        """One run at a time, in the export that this one has read. Raises ExportError if a training replaced it."""
        with alone_in(self.export):
            there = read_manifest(self.export)
            if {key: value for key, value in there.items() if key not in PROOFS} != self.source.manifest:
                raise ExportError(f"{self.export} was replaced by another training meanwhile: run the command again.")
            yield

    def further(self, name: str) -> Result:
        """Write, run and judge a format, in each way that it has until one holds."""
        format = FORMATS[name]
        many = format.limits.takes_many_photos
        pixels, reference = self.compared if many else (self.photos.judged.pixels, self.reference)
        refused, unfit = "", False
        for way in format.conversions:
            force = self.force and way is format.conversions[-1]
            self.say(
                f"Writing and running {format.file} …"
                if way is format.conversions[0]
                else f"  once more: {way.remark} …"
            )
            new = self.temporary / format.file
            try:
                way.write(self.source, new)
                said, milliseconds = said_and_milliseconds(format.load(new), pixels)
                shown = milliseconds if format.own_program else None
                judgement = judge(format.file, said, reference, format.limits, shown, size_of(new), force)
                embedding = self._proof_of_embedding(format, new)
            except (ParityError, ExportError, ModelError) as error:
                refused, unfit = refused or str(error), isinstance(error, UnfitError)
                _remove(new)
                continue
            target = self.export / format.file
            obey_umask(new)
            found = {name: {**judgement.plain(), **embedding, **_remark(way.remark), "sha256": sha256_of_all(new)}}
            with self.replacing():
                kept = keep_if_changed(target, new, read_manifest(self.export).get("parity", {}).get(name, {}))
                if kept is not None:
                    self.say(f"{target} is not as an export left it: it is kept as {kept}.")
                # Cut off in between, the manifest says nothing of the new file, rather than what the old one was worth.
                record_parity(self.export, self.temporary, {name: {}})
                put_into_export(new, target)
                record_parity(self.export, self.temporary, found)
            return Result(name, judgement, target, way.remark)
        return Result(name, refused=refused, unfit=unfit)


def said_and_milliseconds(run: Run, pixels: Pixels) -> tuple[Outputs, float]:
    """What a model says, and the milliseconds that it takes for a photo once it is warm."""
    with quiet():
        run(pixels[:1])
        began = time.perf_counter()
        outputs = run(pixels)
        return outputs, (time.perf_counter() - began) / len(pixels) * 1000


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files of a folder."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def record_parity(export: Path, temporary: Path, found: Mapping[str, Mapping[str, object]]) -> None:
    """Put what came of formats into the manifest, in one step; what is known of a format and not in `found` stays.

    Nothing stays of a format whose entry in `found` is empty.
    """
    manifest = read_manifest(export)
    proofs = {**manifest.get("parity", {}), **found}
    manifest["parity"] = {name: proof for name, proof in proofs.items() if proof}
    there = [name for name in FORMATS if found.get(name)]
    manifest["formats"] = list(dict.fromkeys([*manifest.get("formats", ()), *there]))
    new = temporary / MANIFEST
    new.write_text(json.dumps(manifest, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    put_into_export(new, export / MANIFEST)


def _remark(remark: str) -> dict[str, object]:
    return {"remark": remark} if remark else {}


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
