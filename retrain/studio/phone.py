"""What a phone gets of the studio: addresses to type or to photograph, and the camera page of the exported model."""

import functools
import io
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from label_image.errors import ModelError
from label_image.files import reason_of
from label_image.serve.addresses import address, is_every, is_loopback, lan_address
from label_image.serve.page import PageFile, page_of
from retrain.studio.config import StudioConfig

COLLECT, TRY = "collect/", "try/"
PAGES = ("web", "web_int8")  # formats that are pages; the first that is written is shown
ATTEMPTS = 3  # to read a page that another takes the place of

State = tuple[int, int] | None


@dataclass(frozen=True)
class Addresses:
    """Where a phone in the same network finds the page that takes photos, and that of the model.

    `is_reachable` if a phone can use them: others than this machine are answered, and encrypted, without which no
    phone opens its camera.
    """

    is_reachable: bool
    collect: str
    trying: str

    def plain(self) -> dict[str, object]:
        """As the state of the studio has it."""
        return {"isReachable": self.is_reachable, "collect": self.collect, "try": self.trying}


def phone_addresses(config: StudioConfig) -> Addresses:
    """The addresses of a studio; the one that takes photos has the phone's token, which may do nothing else."""
    host = config.host
    if is_every(host):
        host = lan_address() or "localhost"
    return Addresses(
        config.https and not is_loopback(host),
        address(host, config.port, config.https, config.phone_token, COLLECT),
        address(host, config.port, config.https, path=TRY),
    )


def qr_svg(text: str) -> bytes:
    """A QR code as SVG, dark on white whatever is behind it, without styles or scripts."""
    import segno

    drawn = io.BytesIO()
    code = segno.make(text, error="m", micro=False)
    code.save(drawn, kind="svg", border=4, light="#fff", xmldecl=False, omitsize=True, svgclass=None, lineclass=None)
    return drawn.getvalue()


def phone_page(output_dir: Path) -> Mapping[str, PageFile]:
    """The files of the camera page of an export, by path; empty where none is written. Read again when it is another.

    What is asked for is found by `label_image.serve.page.find`.
    """
    folder = next((output_dir / name for name in PAGES if (output_dir / name).is_dir()), None)
    if folder is None:
        return {}
    for _ in range(ATTEMPTS):
        state = _state(folder)
        page = _page(folder, state)
        if _state(folder) == state:  # else it may have files of two pages
            break
    return page


@functools.lru_cache(maxsize=1)
def _page(folder: Path, state: State) -> Mapping[str, PageFile]:
    return page_of(lambda model, labels: _files(model), folder, (), {})


def _files(folder: Path) -> Mapping[str, bytes]:
    try:
        return {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file() and not path.is_symlink()
        }
    except OSError as error:
        raise ModelError(f"{folder} cannot be read: {reason_of(error)}.") from None


def _state(folder: Path) -> State:
    """Another one as soon as the folder is another: it takes its place whole, under the same name."""
    try:
        status = os.stat(folder)
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns
