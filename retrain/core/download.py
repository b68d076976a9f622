"""Fetch one file: with progress, checked, then renamed into place. After a break the next try goes on where it ended.

It goes on only in the same state of the file: the server's ETag or date says that (If-Range), or the checksum that is
known before. A server that knows no ranges sends all of it again.
"""

import hashlib
import os
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from http.client import HTTPException, HTTPResponse, IncompleteRead
from pathlib import Path
from typing import Protocol
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

from label_image.files import reason_of
from label_image.web_address import check_address, opened, with_checksum
from retrain.core.errors import DownloadError
from retrain.core.part import Origin, Part, part_of

CHUNK = 2**18
BREAKS = 20  # one after the other, each with some bytes between, before it is given up
PAUSE = 0.5  # seconds after a break

Progress = Callable[[int, int | None], None]  # bytes so far, bytes in all where the server says so


class Stream(Protocol):
    """What bytes are read from."""

    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True)
class Answer:
    """A file from `start` on, of `total` bytes in all where that is known, in the state that `validator` names."""

    stream: Stream
    start: int
    total: int | None
    validator: str | None


# A file from so many bytes on, if it is still in the state of this validator, else from its beginning.
Ask = Callable[[int, str | None], AbstractContextManager[Answer]]


class Break(Exception):
    """The connection has ended too early."""


def download(
    url: str,
    path: Path,
    checksum: str | None = None,
    progress: Progress = lambda done, total: None,
    size: int | None = None,
) -> None:
    """Download `url` to `path`; an existing file is replaced only by a complete, checked one.

    `checksum` is the published MD5 or the beginning of the SHA-256, in hex, where there is one, as `size` is; the
    address may end in #sha256=…, too. Raises DownloadError, whose sentence names the URL and where the file could be
    put by hand.
    """
    url, promised = with_checksum(url)
    checksum = checksum or promised
    check_address(url, checksum is not None)
    advice = f"Fetch it on a machine with a network and put it at {path}."
    try:
        fetch(partial(_ask, url, checksum is not None), url, path, checksum, progress, size)
    except HTTPError as error:
        error.close()
        words = str(error.reason).partition("\n")[0].rstrip(".")
        raise DownloadError(f"{url} answered {error.code} {words}. {advice}") from None
    except (URLError, TimeoutError, ConnectionError, HTTPException, ValueError) as error:  # ValueError: a bad address
        reason = getattr(error, "reason", None) or error
        raise DownloadError(f"{url} cannot be reached ({reason}). {advice}") from None
    except OSError as error:
        raise DownloadError(f"{path} cannot be written: {reason_of(error)}.") from None


def fetch(
    ask: Ask,
    address: str,
    path: Path,
    checksum: str | None = None,
    progress: Progress = lambda done, total: None,
    size: int | None = None,
) -> None:
    """Get a file to `path`, from whatever answers. Raises DownloadError, OSError, and what `ask` raises."""
    with part_of(path, progress) as part:
        if part is None:
            return
        try:
            resumed = _complete(ask, address, part, checksum, progress, size)
            digest = _hex_digest(part.path, checksum)
            if checksum and not digest.startswith(checksum) and resumed:  # of another state of the file, perhaps
                part.begin(Origin(address))
                _complete(ask, address, part, checksum, progress, size)
                digest = _hex_digest(part.path, checksum)
            if checksum and not digest.startswith(checksum):
                part.remove()
                raise DownloadError(
                    f"{address} arrived with checksum {digest} instead of {checksum}. "
                    f"Fetch it on a machine with a network and put it at {path}."
                )
            part.take_place(path)
        finally:
            if not (part.size and _can_go_on(part, address, checksum)):
                part.remove()


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


def _complete(ask: Ask, address: str, part: Part, checksum: str | None, progress: Progress, size: int | None) -> bool:
    """Fetch what a part lacks; whether there was something before. Raises DownloadError if it stays cut short."""
    if not _can_go_on(part, address, checksum):
        part.begin(Origin(address))
    resumed = part.size > 0
    breaks = 0
    while True:
        before = part.size
        try:
            _append(ask, address, part, progress, size)
        except (Break, ConnectionError, TimeoutError, HTTPException) as error:
            breaks += 1
            if part.size <= before or breaks > BREAKS or not _can_go_on(part, address, checksum):
                if not isinstance(error, Break):
                    raise
                raise DownloadError(f"{address} broke off after {error}: run the same command again.") from None
            resumed = True
            time.sleep(PAUSE)
        else:
            return resumed


def _append(ask: Ask, address: str, part: Part, progress: Progress, size: int | None) -> None:
    """Ask for what a part lacks, and put it there. Raises Break if less comes than was promised."""
    known = part.origin() or Origin(address)
    done = part.size
    if done and known.total == done:
        return
    with ask(done, known.validator) as answer:
        found = Origin(address, answer.validator, answer.total)
        if size is not None and answer.total not in (None, size):
            raise DownloadError(
                f"{address} has {answer.total} bytes, not the {size} of the file that is meant: it is another one."
            )
        same = answer.start == done and found == known
        if same or not answer.start:
            if not same:
                part.begin(found)
                done = 0
            _read(answer, part, done, progress)
            return
    part.begin(Origin(address))  # a later part of another state of the file
    _append(ask, address, part, progress, size)


def _read(answer: Answer, part: Part, done: int, progress: Progress) -> None:
    if done:
        progress(done, answer.total)
    with open(part.path, "ab") as file:
        try:
            while chunk := answer.stream.read(CHUNK):
                file.write(chunk)
                done += len(chunk)
                progress(done, answer.total)
        except IncompleteRead as error:
            file.write(error.partial)
            done += len(error.partial)
        file.flush()
        os.fsync(file.fileno())
    if answer.total is not None and done != answer.total:
        raise Break(f"{done} of {answer.total} bytes")


def _can_go_on(part: Part, address: str, checksum: str | None) -> bool:
    """Whether what has arrived may be kept: because later it can be known whether the rest belongs to it."""
    origin = part.origin()
    return origin is not None and origin.address == address and bool(origin.validator or checksum)


@contextmanager
def _ask(url: str, checked: bool, start: int, validator: str | None) -> Iterator[Answer]:
    """What a web server answers."""
    headers = {}
    if start:
        headers["Range"] = f"bytes={start}-"
        if validator:
            headers["If-Range"] = validator
    try:
        response = opened(url, headers, checked)
    except HTTPError as error:
        if not start or error.code != 416:  # 416: it has no more bytes than these
            raise
        error.close()
        response = opened(url, {}, checked)
    with response:
        yield _answer(response)


def _answer(response: HTTPResponse) -> Answer:
    length = response.headers.get("Content-Length") or ""
    total = int(length) if length.isdigit() else None
    start = 0
    if response.status == 206:
        found = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", response.headers.get("Content-Range", ""))
        if not found:
            raise HTTPException("its answer does not say which part of the file it is")
        start, total = int(found[1]), int(found[3])
    tag = response.headers.get("ETag")
    # A weak tag promises no equal bytes.
    strong = tag if tag and not tag.startswith("W/") else None
    return Answer(response, start, total, strong or response.headers.get("Last-Modified"))


def _hex_digest(path: Path, checksum: str | None) -> str:
    """The checksum of a file by the algorithm that the published one has; nothing where there is none."""
    if checksum is None:
        return ""
    digest = hashlib.new("md5" if len(checksum) == 32 else "sha256", usedforsecurity=False)
    with open(path, "rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
