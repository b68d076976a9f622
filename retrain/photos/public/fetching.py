"""Fetches a public data set into a folder that can be trained on.

    tf_files/data/oxford-pets/
        breeds.csv, species.csv     what to train on
        images/, annotations/       what was in its archives
        SOURCE.txt                  where it is from, its licence, what to cite
        fetched.json                that it is complete
    tf_files/data/downloads/oxford-pets/    its archives, which may be deleted then

It is made aside and renamed when it is complete. A second time nothing is fetched.
"""

import json
import os
import shutil
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from label_image.files import reason_of, sha256_of, temporary_folder
from retrain.core.download import download
from retrain.core.errors import DatasetError, DownloadError, OptionError
from retrain.core.placing import is_empty
from retrain.core.progress import SILENT, Progress
from retrain.photos.archives.kinds import is_named_archive, without_suffix
from retrain.photos.archives.unpack import unpack_archive
from retrain.photos.public.catalogue import SETS, PublicSet, RemoteFile, public_set
from retrain.photos.public.tables import make_ready, ways_to_train

RECORD = "fetched.json"
SOURCE = "SOURCE.txt"
DOWNLOADS = "downloads"


@dataclass(frozen=True)
class Ready:
    """A way to train on a data set that is there: what to give as `image_dir`, and as `category_names` if anything."""

    image_dir: Path
    category_names: Path | None


def fetch_public_set(name: str, data_dir: Path, progress: Progress = SILENT) -> tuple[PublicSet, tuple[Ready, ...]]:
    """A data set in a folder of its own in `data_dir`; it is fetched if it is not there, and what is there is kept.

    Raises OptionError for a name that is not known, DownloadError, and DatasetError.
    """
    one = public_set(name)
    if one is None:
        raise OptionError(f"{name} is not a data set that is known: {', '.join(each.name for each in SETS)}.")
    folder = data_dir / one.name
    if not (folder / RECORD).is_file():
        if os.path.lexists(folder) and not is_empty(folder):
            raise OptionError(f"{folder} holds something else: move it away, or choose another `data_dir`.")
        progress.say(f"{one.name}: {one.title}. Licence: {one.licence}. {one.size / 1e6:,.1f} MB to download.")
        files = {file.name: _file(one, file, data_dir / DOWNLOADS / one.name, progress) for file in one.files}
        _unpack(one, files, folder, progress)
    ways = ways_to_train(one)
    return one, tuple(Ready(folder / way.photos, folder / way.names if way.names else None) for way in ways)


def _file(one: PublicSet, file: RemoteFile, folder: Path, progress: Progress) -> Path:
    """A file of a data set, downloaded unless it is there. Raises DownloadError of the first address if all fail."""
    place = folder / file.name
    try:
        if place.is_file():
            if sha256_of(place) != file.sha256:
                raise DatasetError(f"{place} is not the file of {one.name}: its SHA-256 is another one. Delete it.")
            return place
    except OSError as error:
        raise DatasetError(f"{place} cannot be read: {reason_of(error)}.") from None
    first: DownloadError | None = None
    for address in file.addresses:
        try:
            download(address, place, file.sha256, progress.downloading, file.size)
            return place
        except DownloadError as error:
            first = first or error
    assert first is not None
    raise first


def _unpack(one: PublicSet, files: dict[str, Path], folder: Path, progress: Progress) -> None:
    """Make the folder of a data set of its files, in one step. Raises DatasetError."""
    try:
        with temporary_folder(folder.parent) as temporary:
            new = temporary / one.name
            left_out: list[tuple[str, str]] = []
            for name, file in files.items():
                if is_named_archive(name):
                    # Several archives do not mix.
                    place = new / without_suffix(name) if len(files) > 1 else new
                    left_out += unpack_archive(file, place, progress.opening).left_out
                else:
                    new.mkdir(exist_ok=True)
                    shutil.copyfile(file, new / name)
            make_ready(one, new)
            (new / SOURCE).write_text(_source(one), encoding="utf-8")
            about = {"files": [asdict(file) for file in one.files], "left_out": left_out[:1000]}
            (new / RECORD).write_text(json.dumps(about, indent=1), encoding="utf-8")
            if hasattr(os, "sync"):
                os.sync()
            os.rename(new, folder)
    except OSError as error:
        if not (folder / RECORD).is_file():  # else another process was faster
            raise DatasetError(
                f"{folder} cannot be written ({reason_of(error)}): fix that, and run the same command again; what was "
                "downloaded is kept."
            ) from None


def _source(one: PublicSet) -> str:
    """What to know of a data set, as a text beside it."""
    files = "\n".join(f"{file.addresses[0]}\n    {file.size} bytes, SHA-256 {file.sha256}" for file in one.files)
    parts = (
        f"{one.name}: {one.title}\n{one.page}",
        f"Licence: {one.licence}",
        f"To cite: {one.citation}",
        f"Fetched on {time.strftime('%Y-%m-%d')} from\n{files}",
        one.remark,
    )
    return "\n\n".join(part for part in parts if part) + "\n"
