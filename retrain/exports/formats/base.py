"""What a format declares of itself. Nothing heavy is imported here: the command line needs the names."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retrain.exports.proof.limits import Limits

if TYPE_CHECKING:
    from label_image.embedding import Embed
    from label_image.preprocessing import Pixels
    from label_image.runtimes import Outputs, Run
    from retrain.exports.classifier import Classifier
    from retrain.exports.top import Top

ELSEWHERE = "run by TensorFlow, not by its own program"


@dataclass(frozen=True)
class Source:
    """What formats are made of: an export folder with a SavedModel, and its manifest without proofs.

    `calibration` gives photos (n, size, size, 3) that the model was trained on, read when they are first asked for.
    `made(make)` is the folder of `make(export)`, which is made once for all formats that ask for it.
    """

    export: Path
    manifest: Mapping[str, Any]
    calibration: Callable[[], "Pixels"]
    made: Callable[[Callable[[Path], AbstractContextManager[Path]]], Path]

    @property
    def texts(self) -> dict[str, str]:
        """What rides along in a file that is to be enough alone: its labels, and its manifest."""
        labels = "".join(f"{label}\n" for label in self.manifest["labels"])
        return {"labels.txt": labels, "model.json": json.dumps(self.manifest, indent=2, ensure_ascii=False) + "\n"}


@dataclass(frozen=True)
class Conversion:
    """One way to make a format of a SavedModel, and what the table says of it. `write` raises ExportError."""

    write: Callable[[Source, Path], None]
    remark: str = ""


@dataclass(frozen=True)
class Filling:
    """What a training makes an export of: a template of a format, and what is put into it.

    `texts` go into a file that carries them, `groups` are the photos that the result is run on, group by group;
    `is_proven` says whether the template was, so that its top is all that is new.
    """

    template: Path
    folder: Path
    top: "Top"
    texts: Mapping[str, str]
    groups: "Sequence[Pixels]"
    is_proven: bool


@dataclass(frozen=True)
class Template:
    """How a training writes a format at once: from a template with everything but the top, made once for a backbone.

    `make` writes the `files` of a template, of a classifier with the `placeholder_head`. `fill` writes the format into
    the export, loads it again, and returns what it answers to each group, by the `titles` of the format, or to a
    `spread` of the group. Both raise ExportError.
    """

    files: tuple[str, ...]
    make: Callable[["Classifier", Path], None]
    fill: Callable[[Filling], list[dict[str, "Outputs"]]]


def nothing() -> None:
    """What is missing for most formats."""


def no_parts(export: Path) -> Iterator[str]:
    """Those of a format that is one file."""
    yield from ()


@dataclass(frozen=True)
class Format:
    """A format of an export, and how it is written, run and judged.

    `files` are its names in an export folder, of which the first is known to users. It is made of a written SavedModel
    by the first of its `conversions` that holds its `limits`, by a training if it has a `template`, or both. `load`
    runs what was written, in its own program, or in TensorFlow where that is in Apple's systems or in browsers
    (`own_program`). `packages` are those that it needs, of our `extra`; `lacks` is a sentence on what else is missing
    here. `embeds` gives the bottlenecks of one that has them as an output. `titles` are what a training proves of it,
    as in `parity` of the manifest, and what sentences call that. `parts` of one in an export folder are the files
    without which it cannot be loaded, by their paths there; one that names others comes before them.
    """

    name: str
    files: tuple[str, ...]
    limits: Limits
    load: Callable[[Path], "Run"]
    conversions: tuple[Conversion, ...] = ()
    template: Template | None = None
    packages: tuple[str, ...] = ()
    extra: str = "export"
    own_program: bool = True
    lacks: Callable[[], str | None] = nothing
    embeds: "Callable[[Path], Embed] | None" = None
    titles: Mapping[str, str] = field(default_factory=dict)
    parts: Callable[[Path], Iterator[str]] = no_parts

    @property
    def file(self) -> str:
        """Its name in an export folder."""
        return self.files[0]


def as_label_image_runs_it(path: Path) -> "Run":
    """A file of an export, loaded as its user's program will load it."""
    from label_image.model import load_model

    return load_model(path).run
