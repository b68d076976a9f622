"""The manifest of an export, `model.json`: the one reader of it, wherever it lies.

It is beside the model, or inside it: in the zip at the end of a .tflite, in the metadata of an .onnx, in a constant of
a frozen graph. What others have written is checked against the types below before anything is done with it.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta

from label_image.errors import ForeignFileError, ModelError, PreprocessingError
from label_image.foreign_text import convert, parse_json, read_limited
from label_image.preprocessing import Preprocessing

MANIFEST = "model.json"
FORMAT = "retrain-export"
FORMAT_VERSION = 1
UNFINISHED = "unfinished"  # a key that the manifest of a folder has while it is written in place, and after a kill


@dataclass(frozen=True)
class Unknown:
    """When a photo is none of the classes: if its similarity, in -1..1, is below this."""

    threshold: Annotated[float, Meta(ge=-2, le=2)]


@dataclass(frozen=True)
class Input:
    """What the model takes: photos of `size` x `size` pixels."""

    size: Annotated[int, Meta(ge=1, le=4096)]


@dataclass(frozen=True)
class Manifest:
    """What readers of an export need of its manifest; `content` is all of it.

    `tensors` are the names of a frozen graph's input and outputs, empty elsewhere.
    """

    labels: Annotated[tuple[str, ...], Meta(min_length=1)]
    preprocessing: Annotated[str, Meta(max_length=1000)]
    input: Input | None = None
    unknown: Unknown | None = None
    parity: dict[str, dict[str, Any]] = field(default_factory=dict)
    tensors: dict[str, str] = field(default_factory=dict)
    content: dict[str, Any] = field(default_factory=dict)

    @property
    def threshold(self) -> float | None:
        """The similarity below which a photo is unknown; None for a model that does not say."""
        return None if self.unknown is None else self.unknown.threshold


def read_manifest(folder: Path) -> Manifest:
    """The manifest of an export folder. Raises ModelError."""
    try:
        data = read_limited(folder / MANIFEST)
    except OSError:
        raise ModelError(f"{folder} holds no readable {MANIFEST}: it is not an export of retrain.") from None
    except ForeignFileError as error:
        raise ModelError(f"{folder / MANIFEST} {error}.") from None
    return parse_manifest(data, folder)


def unchecked_manifest(folder: Path) -> dict[str, object]:
    """What the manifest of a folder says, whatever it is; nothing if it cannot be read."""
    try:
        return parse_json(read_limited(folder / MANIFEST), dict[str, object])
    except (OSError, ForeignFileError):
        return {}


def format_of(folder: Path) -> object:
    """What the manifest of a folder says that it is, FORMAT for an export of retrain; None if nothing can be read."""
    return unchecked_manifest(folder).get("format")


def parse_manifest(data: bytes, path: Path) -> Manifest:
    """The manifest of the export `path` from its text. Raises ModelError that names the export."""
    try:
        content = parse_json(data)
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise ModelError(f"The {MANIFEST} of {path} is not that of an export of retrain.")
        if UNFINISHED in content:
            raise ModelError(
                f"{path} is unfinished: a run is writing it, or was stopped while it did. Run that command again; "
                f"an export that was there before is in {path / 'previous'}."
            )
        version = content.get("format_version")
        if version != FORMAT_VERSION:
            raise ModelError(
                f"{path} has format version {str(version)[:20]}; this program reads version {FORMAT_VERSION}. "
                "Use the retrain that made it."
            )
        manifest = replace(convert(content, Manifest), content=content)
        preprocessing = Preprocessing.parse(manifest.preprocessing)
        if manifest.input is not None and manifest.input.size != preprocessing.size:
            raise ForeignFileError("has a size of its input that is not that of its preprocessing")
    except (ForeignFileError, PreprocessingError) as error:
        raise ModelError(f"The {MANIFEST} of {path} is damaged: it {_reason(error)}. Export the model again.") from None
    return manifest


def _reason(error: Exception) -> str:
    if isinstance(error, PreprocessingError):
        return f"has a preprocessing that cannot be used ({str(error).rstrip('.')})"
    return str(error)
