"""What of an export others may have: its files, its card and its proofs, and nothing that speaks of the photos."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from label_image.appended_zip import read_appended_manifest
from label_image.errors import ModelError
from label_image.files import reason_of
from label_image.manifest import MANIFEST, read_manifest
from retrain.core.errors import ExportError
from retrain.exports.card import CARD, card, is_of_this_version, is_unchanged
from retrain.exports.clients import CLIENTS
from retrain.exports.folder import foreign_inside
from retrain.exports.registry import FORMATS

LABELS = "labels.txt"
BESIDE = (CARD, LABELS, MANIFEST, "metrics.json", CLIENTS)
AS_IN_MANIFEST = f"write the labels of {MANIFEST} into it, one to a line and in their order, or train the model again"
# Of the folder, and not of the model: what came of running its files, and which there are.
PROOFS = ("parity", "parity_on", "template", "formats")


@dataclass(frozen=True)
class Publication:
    """The files of an export that others may have, by their paths in it; `kept_back` are the names of the others.

    `own_card`: somebody has changed the card, and what it says is that person's word. `new_card` is what this version
    says instead of a card that another version wrote and nobody has changed.
    """

    files: Mapping[str, Path]
    kept_back: tuple[str, ...]
    own_card: bool
    new_card: str | None = None

    @property
    def bytes(self) -> int:
        return sum(path.stat().st_size for path in self.files.values())


def publication(export: Path) -> Publication:
    """What may be published of an export, which is as it was written. Raises ExportError where it is not."""
    try:
        manifest = read_manifest(export)
        present = [name for name, format in FORMATS.items() if any((export / file).exists() for file in format.files)]
        if not present:
            raise ExportError(f"{export} holds no model: pass the `output_dir` of a training run.")
        unproven = [FORMATS[name].file for name in present if not manifest.parity.get(name)]
        if unproven:
            raise ExportError(
                f"{export / unproven[0]} has no proof in {MANIFEST}: write it with `retrain export`, or remove it."
            )
        for name in present:
            _check_parts(export, name)
        check_labels(export, manifest.labels)
        _check_embedded(export, present, manifest.content)
        text = (export / CARD).read_text(encoding="utf-8")
        own_card = not is_unchanged(text)
        new_card = None if own_card else card(manifest.content, present)
        if new_card is not None and new_card != text and is_of_this_version(text):
            raise ExportError(
                f"{export / CARD} and {MANIFEST} do not say the same: write the card again with `retrain export`."
            )
    except ModelError as error:
        raise ExportError(str(error)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ExportError(_unreadable(export, error)) from None
    names = [*BESIDE, *(file for name in present for file in FORMATS[name].files)]
    there = {path.relative_to(export).as_posix(): path for name in names for path in _files_of(export / name)}
    foreign = foreign_inside(export)
    files = {name: path for name, path in there.items() if "/".join(name.split("/")[:2]) not in foreign}
    beside = (path.name for path in export.iterdir() if path.name not in names and path.name[0] != ".")
    kept_back = sorted((*beside, *foreign))
    new_card = None if new_card == text else new_card
    return Publication(dict(sorted(files.items())), tuple(kept_back), own_card, new_card)


def check_labels(export: Path, labels: Sequence[str]) -> None:
    """Refuse an export whose labels.txt, which programs read, has others than its manifest. Raises ExportError."""
    path = export / LABELS
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ExportError(f"{export} has no {LABELS}: {AS_IN_MANIFEST}.") from None
    except OSError as error:
        raise ExportError(f"{path} cannot be read: {reason_of(error)}.") from None
    except UnicodeDecodeError:
        raise ExportError(f"{path} is not UTF-8: {AS_IN_MANIFEST}.") from None
    if text != "".join(f"{label}\n" for label in labels):
        raise ExportError(f"{path} has other classes than {MANIFEST}: {AS_IN_MANIFEST}.")


def _check_parts(export: Path, name: str) -> None:
    """Refuse a format of which a part is missing, so that it could not be loaded. Raises ExportError."""
    format = FORMATS[name]
    try:
        for part in format.parts(export):
            if not (export / part).is_file():
                raise ExportError(
                    f"{export / part} is missing, a part of the format {name}: export the model again, or remove what "
                    "is left of that format."
                )
    except (ValueError, KeyError, TypeError):
        raise ExportError(f"{export / format.file} is damaged: write it again with `retrain export`.") from None


def _check_embedded(export: Path, present: list[str], content: Mapping[str, object]) -> None:
    """Refuse a file that carries the manifest of another training. Raises ExportError and ModelError."""

    def without_proofs(manifest: Mapping[str, object]) -> dict[str, object]:
        return {key: value for key, value in manifest.items() if key not in PROOFS}

    for name in present:
        path = export / FORMATS[name].file
        if path.suffix == ".tflite" and (
            without_proofs(read_appended_manifest(path).content) != without_proofs(content)
        ):
            raise ExportError(f"{path} is of another training than {MANIFEST}: export the model again.")


def _unreadable(export: Path, error: OSError | UnicodeDecodeError) -> str:
    if isinstance(error, FileNotFoundError) and Path(str(error.filename)).name == CARD:
        return f"{export} has no {CARD}: `retrain export` writes it, with any format."
    reason = reason_of(error) if isinstance(error, OSError) else "a text is not UTF-8"
    return f"{export} cannot be read: {reason}."


def _files_of(path: Path) -> list[Path]:
    """The files of a name in an export. Raises ExportError for links: they may lead to what nobody meant to publish."""
    found = [path, *sorted(path.rglob("*"))] if path.exists() else []
    for each in found:
        if each.is_symlink():
            raise ExportError(f"{each} is a link: publish a copy of the export without links (`cp -rL`).")
    return [file for file in found if file.is_file() and not file.name.startswith(".")]
