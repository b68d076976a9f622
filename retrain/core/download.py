"""Fetch one file: with progress, into a temporary name, checked, then renamed into place."""

import hashlib
import os
import socket
import threading
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from label_image.files import temporary_folder
from retrain.core.errors import DownloadError

CHUNK = 2**18
TIMEOUT = 10  # seconds without a byte; a machine without a network answers at once

Progress = Callable[[int, int | None], None]  # bytes so far, bytes in all where the server says so


def download(url: str, path: Path, checksum: str | None = None, progress: Progress = lambda done, total: None) -> None:
    """Download `url` to `path`; an existing file is replaced only by a complete, checked one.

    `checksum` is the published MD5 or the beginning of the SHA-256, in hex, where there is one. Raises DownloadError,
    whose sentence names the URL and where the file could be put by hand.
    """
    advice = f"Fetch it on a machine with a network and put it at {path}."
    if not url.startswith(("http://", "https://")):
        raise DownloadError(f"{url} is not an http or https address.")
    try:
        with temporary_folder(path.parent) as temporary:
            new = temporary / path.name
            _fetch(url, new, progress)
            if checksum:
                digest = _hex_digest(new, "md5" if len(checksum) == 32 else "sha256")
                if not digest.startswith(checksum):
                    raise DownloadError(f"{url} arrived with checksum {digest} instead of {checksum}. {advice}")
            os.replace(new, path)
    except HTTPError as error:
        error.close()
        raise DownloadError(f"{url} answered {error.code} {error.reason}. {advice}") from None
    except (URLError, TimeoutError, ConnectionError, HTTPException, ValueError) as error:  # ValueError: a bad address
        reason = getattr(error, "reason", None) or error
        raise DownloadError(f"{url} cannot be reached ({reason}). {advice}") from None
    except OSError as error:
        raise DownloadError(f"{path} cannot be written: {error.strerror or error}.") from None


def reachable(url: str, seconds: float = 3.0) -> bool:
    """Whether a server answers at the address's host, within the given time.

    A thread, because looking up a name cannot be given a time limit.
    """
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    answers: list[bool] = []

    def connect() -> None:
        try:
            socket.create_connection((parts.hostname or "", port), timeout=seconds).close()
            answers.append(True)
        except OSError:
            answers.append(False)

    thread = threading.Thread(target=connect, daemon=True)
    thread.start()
    thread.join(seconds)
    return answers == [True]


def _fetch(url: str, path: Path, progress: Progress) -> None:
    """Stream the body into `path`. Raises DownloadError if it is cut short."""
    done = 0
    request = Request(url, headers={"User-Agent": "retrain"})
    with urlopen(request, timeout=TIMEOUT) as response, open(path, "wb") as file:
        length = response.headers.get("Content-Length")
        total = int(length) if length and length.isdigit() else None
        while chunk := response.read(CHUNK):
            file.write(chunk)
            done += len(chunk)
            progress(done, total)
        file.flush()
        os.fsync(file.fileno())
    if total is not None and done != total:
        raise DownloadError(f"{url} broke off after {done} of {total} bytes: run the same command again.")


def _hex_digest(path: Path, algorithm: str) -> str:
    digest = hashlib.new(algorithm, usedforsecurity=False)
    with open(path, "rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
