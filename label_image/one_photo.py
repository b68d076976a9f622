"""The bytes of one photo, wherever its name leads: a file, standard input, or an address of the web.

An address is asked once, without cookies and passwords. What could be changed on its way is not fetched:
`label_image.web_address` has the rules.
"""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from label_image.errors import DownloadError, PhotoError
from label_image.files import reason_of, sha256_of_bytes
from label_image.not_paths import STANDARD_INPUT, is_web_address
from label_image.photo_files.reading import MAX_BYTES, photo_bytes

SECONDS = 60.0  # for a photo to arrive
CHUNK = 2**16


@contextmanager
def bytes_of(name: str) -> Iterator[bytes]:
    """The bytes of a photo while the block runs. Raises PhotoError."""
    if name == STANDARD_INPUT:
        yield _standard_input()
    elif is_web_address(name):
        yield _fetched(name)
    else:
        with photo_bytes(name) as data:
            yield data


def _standard_input() -> bytes:
    if sys.stdin is None:
        raise PhotoError("cannot be read: it is closed")
    try:
        data: bytes = sys.stdin.buffer.read(MAX_BYTES + 1)
    except OSError as error:
        raise PhotoError(f"cannot be read: {reason_of(error)}") from None
    if len(data) > MAX_BYTES:
        raise PhotoError(f"has more than {MAX_BYTES} bytes")
    return data


def _fetched(url: str) -> bytes:
    """What an address answers.

    A thread does it, for no part of it (looking up the name, a server that sends byte by byte) has a limit of its own.
    """
    answers: list[bytes | Exception] = []

    def fetch() -> None:
        try:
            answers.append(_ask(url))
        except Exception as error:
            answers.append(error)

    thread = threading.Thread(target=fetch, daemon=True)
    thread.start()
    thread.join(SECONDS)
    if not answers:
        raise PhotoError(f"has not arrived within {SECONDS:.0f} seconds")
    answer = answers[0]
    if isinstance(answer, bytes):
        return answer
    raise PhotoError(_reason(answer)) from None


def _ask(url: str) -> bytes:
    from label_image.web_address import opened, with_checksum

    url, checksum = with_checksum(url)
    with opened(url, {}, checksum is not None) as response:
        data = bytearray()
        while chunk := response.read1(CHUNK):
            data += chunk
            if len(data) > MAX_BYTES:
                raise PhotoError(f"has more than {MAX_BYTES} bytes")
        if response.length:
            raise PhotoError(f"broke off {response.length} bytes before its end")
    if checksum and sha256_of_bytes(data) != checksum:
        raise PhotoError("arrived with another checksum than the address says")
    return bytes(data)


def _reason(error: Exception) -> str:
    from urllib.error import HTTPError

    if isinstance(error, HTTPError):
        error.close()
        words = str(error.reason).partition("\n")[0].rstrip(".")
        return f"cannot be fetched: the server answered {error.code} {words}"
    if isinstance(error, PhotoError):
        return str(error)
    if isinstance(error, DownloadError):
        return f"cannot be fetched: {str(error).rstrip('.')}"
    return f"cannot be fetched: {getattr(error, 'reason', None) or error}"
