"""What lies in object stores, by fsspec: s3://, gs:// and hf://. A file, or a folder with all that is below it.

fsspec and the package of a store are imported when such an address is given, and never otherwise. Each store has its
own way to say who asks (environment variables, files of its tools); none of that is looked at here.
"""

import base64
import binascii
import re
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from label_image.files import sha256_of_bytes
from label_image.installing import how_to_install
from retrain.core.download import Answer, Progress, fetch
from retrain.core.errors import DatasetError, DownloadError, RetrainError

PACKAGES = {"s3": "s3fs", "gs": "gcsfs", "hf": "huggingface_hub"}
ADDRESS = re.compile(rf"({'|'.join(PACKAGES)})://", re.IGNORECASE)
# What a store calls the state of a file, each in its own way.
VALIDATORS = ("ETag", "etag", "blob_id", "md5Hash", "generation", "LastModified", "updated", "mtime", "created")
THREADS = 8
MOST_FILES = 5_000_000


def is_remote_address(text: str) -> bool:
    """Whether a text is an address of an object store that is known."""
    return ADDRESS.match(text) is not None


def fetch_remote(address: str, folder: Path, progress: Progress) -> Path:
    """Get a file, or a folder with all files below it, into a folder. What is there already is not fetched again.

    Raises DownloadError, DatasetError where a package is missing, and OSError of this machine's disk.
    """
    store, path = _store_of(address)
    try:
        about = store.info(path)
        if about.get("type") != "directory":
            name = path.rstrip("/").rpartition("/")[2]
            place = folder / ("download" if name in ("", ".", "..") else name)
            if not place.exists():
                _fetch(store, about, address, place, progress)
            return place
        files = store.find(path, detail=True)
    except (RetrainError, KeyboardInterrupt):
        raise
    except FileNotFoundError:
        raise DownloadError(f"There is nothing at {address}: check `image_dir`.") from None
    except Exception as error:  # each store raises its own
        raise DownloadError(f"{address} cannot be read ({_one_line(error)}).") from None
    return _fetch_all(store, files, path, address, folder, progress)


def _store_of(address: str) -> tuple[Any, str]:
    scheme = address.partition("://")[0].lower()
    if "::" in address:
        raise DatasetError(f"{address} joins several addresses with `::`: pass one.")
    try:
        from fsspec.core import url_to_fs

        store, path = url_to_fs(f"{scheme}{address[len(scheme) :]}")
    except ImportError:
        raise DatasetError(
            f"{scheme}:// addresses need {PACKAGES[scheme]}, which is not installed: {how_to_install('remote')}."
        ) from None
    except Exception as error:
        raise DatasetError(f"{address} cannot be used ({_one_line(error)}).") from None
    return store, str(path)


def _fetch(store: Any, about: Mapping[str, Any], address: str, place: Path, progress: Progress) -> None:
    fetch(partial(_ask, store, about), address, place, _checksum(about), progress, about.get("size"))


def _fetch_all(
    store: Any, files: Mapping[str, Mapping[str, Any]], path: str, address: str, folder: Path, progress: Progress
) -> Path:
    """Get files into a folder that is named after their states, several at a time."""
    if not files:
        raise DownloadError(f"There are no files at {address}: check `image_dir`.")
    if len(files) > MOST_FILES:
        raise DatasetError(f"{address} has {len(files):,} files: pass a folder with fewer.")
    names = {name: _inside(name, path, address) for name in files}
    states = "\n".join(f"{names[name]} {files[name].get('size')} {_validator(files[name])}" for name in sorted(files))
    place = folder / f"files-{sha256_of_bytes(states.encode())[:16]}"
    total = sum(about.get("size") or 0 for about in files.values())
    done: dict[str, int] = {}
    lock = threading.Lock()

    def tell(name: str, size: int) -> None:
        with lock:
            done[name] = size
            progress(sum(done.values()), total)

    def get(name: str) -> None:
        target = place / names[name]
        if not target.exists():
            where = f"{address.rstrip('/')}/{names[name]}"
            _fetch(store, files[name], where, target, lambda size, _: tell(name, size))
        tell(name, files[name].get("size") or 0)

    threads = ThreadPoolExecutor(THREADS)
    try:
        for _ in threads.map(get, sorted(files)):
            pass
    except (RetrainError, KeyboardInterrupt):
        raise
    except Exception as error:
        raise DownloadError(
            f"{address} cannot be read to its end ({_one_line(error)}): run the same command again, it goes on."
        ) from None
    finally:
        threads.shutdown(cancel_futures=True)
    return place


@contextmanager
def _ask(store: Any, about: Mapping[str, Any], start: int, validator: str | None) -> Iterator[Answer]:
    """The bytes of a file, from `start` on if it is in the same state as before."""
    state = _validator(about)
    if validator is not None and validator != state:
        start = 0
    with store.open(about["name"], "rb") as file:
        if start:
            file.seek(start)
        yield Answer(file, start, about.get("size"), state)


def _validator(about: Mapping[str, Any]) -> str | None:
    return next((f"{key} {about[key]}" for key in VALIDATORS if about.get(key)), None)


def _checksum(about: Mapping[str, Any]) -> str | None:
    """The checksum that a store knows: of Hugging Face the SHA-256, of Google the MD5."""
    large = about.get("lfs")
    if large and re.fullmatch("[0-9a-f]{64}", str(large.get("sha256"))):
        return str(large["sha256"])
    try:
        return base64.b64decode(about["md5Hash"], validate=True).hex()
    except (KeyError, TypeError, ValueError, binascii.Error):
        return None


def _inside(name: str, path: str, address: str) -> str:
    """The name of a file from the folder on. Raises DatasetError if it leads out of it."""
    inside = name.removeprefix(path).strip("/")
    if not name.startswith(path) or not inside or any(part in ("", ".", "..") for part in inside.split("/")):
        raise DatasetError(f"{address} has the file {name!r}, which cannot have that name here.")
    return inside


def _one_line(error: Exception) -> str:
    return (" ".join(str(error).split()) or type(error).__name__)[:300].rstrip(".")
