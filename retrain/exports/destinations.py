"""Where an export can be published: a folder in the form of a Hub repository, or a repository of Hugging Face's Hub."""

import hashlib
import os
import re
import shutil
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from label_image.files import reason_of, sha256_of, temporary_folder
from label_image.installing import how_to_install
from retrain.core.errors import ExportError, OptionError
from retrain.core.outputs import check_outside, check_replaceable_folder

HUB = re.compile(r"hf://(?P<repository>[\w.-]+/[\w.-]+)/?")
ATTRIBUTES = ".gitattributes"  # by which git keeps weights beside the repository
LARGE = "".join(f"{name} filter=lfs diff=lfs merge=lfs -text\n" for name in (
    "*.tflite", "*.onnx", "*.pb", "*.bin", "*.mlmodel", "*.wasm", "variables/*", "*/weights/*",
))  # fmt: skip
MESSAGE = "Model, proofs and card by retrain"

Files = Mapping[str, Path]  # by their paths in the repository


class Destination(Protocol):
    """A place for the files of a repository; `note` says what kind of place it is."""

    @property
    def address(self) -> str: ...

    @property
    def note(self) -> str: ...

    def there(self, files: Files) -> Mapping[str, bool]:
        """Which of these are there, and whether they are the same."""

    def send(self, files: Files) -> None:
        """Put them there, in one step where the place has one."""


def destination(text: str, public: bool, export: Path) -> Destination:
    """The place of this name for an export. Raises OptionError and ExportError."""
    if found := HUB.fullmatch(text):
        return _Hub.open(found["repository"], public)
    if "://" in text or text.startswith("hf:"):
        raise OptionError(f"`DEST` {text} is neither a folder nor hf://OWNER/NAME.")
    if public:
        raise OptionError("`public` is for a new repository of the Hub: leave it out for a folder.")
    check_outside(export, {"`DEST`": Path(text)}, "the export")
    check_replaceable_folder(Path(text), "`DEST`")
    return _Folder(text, "a folder" if Path(text).exists() else "a new folder")


@dataclass(frozen=True)
class _Folder:
    address: str
    note: str

    def there(self, files: Files) -> dict[str, bool]:
        places = {name: Path(self.address) / name for name in files}
        for place in places.values():
            self._check_way_to(place)
        return {
            name: place.is_file() and not place.is_symlink() and sha256_of(place) == sha256_of(files[name])
            for name, place in places.items()
            if os.path.lexists(place)
        }

    def _check_way_to(self, place: Path) -> None:
        """Refuse, before anything is written, what no file can take the place of. Raises ExportError."""
        folders = list(place.parents)[: -len(Path(self.address).parents) - 1]
        barred = [way for way in folders if os.path.lexists(way) and (way.is_symlink() or not way.is_dir())]
        if place.is_dir():
            barred.append(place)
        if barred:
            raise ExportError(f"{barred[-1]} is in the way of what is published: move it away.")

    def send(self, files: Files) -> None:
        """Each file takes its place in one step, the card last."""
        folder = Path(self.address)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with temporary_folder(folder) as temporary:
                if not (folder / ATTRIBUTES).exists():
                    (folder / ATTRIBUTES).write_text(LARGE, encoding="utf-8")
                for number, (name, path) in enumerate(sorted(files.items(), key=lambda item: item[0] == "README.md")):
                    (folder / name).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(path, temporary / str(number))
                    os.replace(temporary / str(number), folder / name)
        except OSError as error:
            raise ExportError(f"{folder} cannot be written to: {reason_of(error)}.") from error


@dataclass(frozen=True)
class _Hub:
    """A repository of the Hub; `parent` is the commit that it was looked at in, None for one that is to be made."""

    api: Any
    repository: str
    address: str
    note: str
    parent: str | None
    public: bool

    @staticmethod
    def open(repository: str, public: bool) -> "_Hub":
        hub = _library()
        api = hub.HfApi(library_name="retrain-photos")
        address = f"{api.endpoint}/{repository}"
        try:
            with _said(address):
                info = api.model_info(repository)
        except hub.errors.RepositoryNotFoundError:
            return _Hub(api, repository, address, f"new, {'public' if public else 'private'}", None, public)
        return _Hub(api, repository, address, "private" if info.private else "public", info.sha, public)

    def there(self, files: Files) -> dict[str, bool]:
        if self.parent is None:
            return {}
        with _said(self.address):
            known = self.api.get_paths_info(self.repository, list(files), revision=self.parent)
        return {each.path: _is_same(files[each.path], each) for each in known}

    def send(self, files: Files) -> None:
        from huggingface_hub import CommitOperationAdd

        with _said(self.address):
            if self.parent is None:
                self.api.create_repo(self.repository, private=not self.public)
            added = [CommitOperationAdd(path_in_repo=name, path_or_fileobj=str(path)) for name, path in files.items()]
            # In one commit, and only upon what was looked at: of two that push at once, the second is told.
            self.api.create_commit(self.repository, added, commit_message=MESSAGE, parent_commit=self.parent)


def _library() -> Any:
    # What it sends about its user, and bars beside ours.
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
    try:
        import huggingface_hub
        import huggingface_hub.errors
    except ImportError:
        raise ExportError(f"hf:// needs huggingface_hub: {how_to_install('hub')}.") from None
    return huggingface_hub


def _is_same(path: Path, known: Any) -> bool:
    """Whether the Hub has a file: large ones go by their SHA-256, others by git's name for them."""
    if known.lfs is not None:
        return bool(known.lfs.sha256 == sha256_of(path))
    data = path.read_bytes()
    return bool(known.blob_id == hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest())


@contextmanager
def _said(address: str) -> Iterator[None]:
    """What the Hub answers as a sentence; that there is no such repository stays what it is."""
    import httpx2
    from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except RepositoryNotFoundError:
        raise
    except HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else 0
        if status in (401, 403):
            why = "it does not let you in: run `hf auth login`, or put a token that may write into HF_TOKEN"
        elif status == 412:
            why = "somebody else has changed it meanwhile: run the command again"
        else:
            why = str(error.server_message or error).splitlines()[0].rstrip(".")
        raise ExportError(f"{address}: {why}.") from None
    except UnicodeEncodeError:  # headers are in ASCII, and nothing else in them is a user's
        raise ExportError(
            f"{address}: HF_TOKEN, or what `hf auth login` kept, is not a token: it holds other characters than ASCII."
        ) from None
    except ValueError as error:  # of the head of a card that somebody has changed
        raise ExportError(f"{address} does not take this: {' '.join(str(error).split()).rstrip('.')}.") from None
    except (httpx2.HTTPError, OSError) as error:
        raise ExportError(f"{address} cannot be reached: {str(error).rstrip('.') or type(error).__name__}.") from None
