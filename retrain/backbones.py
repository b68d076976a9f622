"""Backbones: architectures with their weights at hand, which is all that determines a bottleneck.

`retrain.networks.network` builds the network itself, when one has to run. Nothing here imports TensorFlow.

The `builtin` backbone comes with the package (see retrain/builtin/README.md), so that the pipeline
works without a network. The `fake` backbone is the photo's average colour, three numbers; it needs
no TensorFlow, and is there for tests.

`a+b` is a backbone too: its bottleneck is that of b behind that of a. Each part is computed and kept as
if it were alone.
"""

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from retrain.architectures import KERAS_WEIGHTS_URL, TORCHVISION_WEIGHTS_URL, Architecture, architecture
from retrain.errors import BackboneError, DownloadError, OptionError
from retrain.images import DECODER, Preprocessing
from retrain.networks.download import Progress, download, reachable

KERAS_CACHE = Path("~/.keras/models")
BUILTIN_WEIGHTS = Path(__file__).parent / "builtin" / "weights.npz"
BEST = "inception_v3"  # what `auto` prefers

Weights = str | Mapping[str, str] | None  # as `find_backbone` takes them


@dataclass(frozen=True)
class Backbone:
    """Everything that determines a bottleneck, apart from the photo.

    `weights_file` is None for the fake backbone and for random weights; for a TF-Hub module it is
    the folder of the SavedModel. `dim` is the length of the bottleneck vector. `choice` says why
    this one was taken, where the user left it open. A joined backbone has `parts`, each with weights
    and arithmetic of its own, and no arithmetic itself.
    """

    architecture: str
    preprocessing: Preprocessing
    dim: int
    weights_sha256: str
    weights_file: Path | None = None
    feature_layer: str = "avg_pool"
    compute_dtype: str = "float32"
    stored_dtype: str = "float32"
    choice: str = ""
    parts: tuple["Backbone", ...] = ()

    @classmethod
    def find(
        cls,
        name: str = "auto",
        *,
        weights: Weights | os.PathLike[str] = None,
        image_size: int | None = None,
        model_dir: str | os.PathLike[str] = "tf_files/models",
        seed: int = 0,
        observe: Progress = lambda done, total: None,
    ) -> "Backbone":
        """An architecture of the registry with its weights, for Python users; see `find_backbone`.

        `observe` is told of a download: the bytes so far, and how many there are if it is known.
        """
        weights = os.fspath(weights) if isinstance(weights, os.PathLike) else weights
        return find_backbone(name, Path(model_dir), weights, image_size, seed, observe)

    @property
    def input_size(self) -> int:
        """Side of the square input, in pixels."""
        return self.preprocessing.size

    def in_float32(self) -> "Backbone":
        """The same backbone as exports compute it, whatever precision its bottlenecks have."""
        parts = tuple(part.in_float32() for part in self.parts)
        return replace(self, compute_dtype="float32", stored_dtype="float32", choice="", parts=parts)

    def computed_in(self, precision: str) -> "Backbone":
        """The same backbone with bottlenecks of this precision; the fake one has but float32."""
        if self.architecture == "fake":
            return self
        parts = tuple(part.computed_in(precision) for part in self.parts)
        return replace(self, compute_dtype=precision, parts=parts)

    def covers(self) -> dict[str, object]:
        """What the bottleneck fingerprint covers, as plain JSON."""
        return {
            "architecture": self.architecture,
            "weights_sha256": self.weights_sha256,
            "feature_layer": self.feature_layer,
            "input_size": self.input_size,
            "preprocessing": str(self.preprocessing),
            "decoder": f"pillow {DECODER}",
            "compute_dtype": self.compute_dtype,
            "stored_dtype": self.stored_dtype,
            **({"parts": [part.covers() for part in self.parts]} if self.parts else {}),
        }


def find_backbone(
    name: str,
    model_dir: Path,
    weights: Weights = None,
    image_size: int | None = None,
    seed: int = 0,
    progress: Progress = lambda done, total: None,
) -> Backbone:
    """An architecture with its weights: given ones, ones at hand, or downloaded ones.

    `name` may be `auto`: Inception-V3 where its weights can be had, else the built-in backbone; or
    `a+b`, of which each part has this `image_size`. `weights` is a file, an http(s) address, `random`
    (untrained, from `seed`), each of these by the name of the architecture that they are for, or None: then
    `<model_dir>/<name>.weights.h5`, the published file in `model_dir` or in Keras's cache, and at
    last a download are tried. Raises OptionError or BackboneError.
    """
    names = name.split("+")
    weights_of = _weights_by_name(names, weights)
    if len(names) > 1:
        return join([find_backbone(part, model_dir, weights_of[part], image_size, seed, progress) for part in names])
    weights = weights_of[name]
    if name == "auto":
        return _choose_backbone(model_dir, weights, image_size, seed, progress)
    entry = architecture(name)
    preprocessing = entry.preprocessing if image_size is None else entry.preprocessing.with_size(image_size)
    backbone = Backbone(name, preprocessing, entry.dim, weights_sha256=f"random-{seed}")
    if name == "fake":
        if weights not in (None, "random"):
            raise OptionError(f"--weights {weights}: the fake backbone has none; leave them out.")
        return replace(backbone, weights_sha256="none", feature_layer="average_colour")
    if weights == "random":
        return backbone
    file = find_weights(entry, model_dir, weights, progress)
    return replace(backbone, weights_file=file, weights_sha256=file_sha256(file))


def join(parts: Sequence[Backbone]) -> Backbone:
    """Several backbones as one, their bottlenecks side by side. Raises OptionError if they see different photos."""
    name = "+".join(part.architecture for part in parts)
    sizes = sorted({part.input_size for part in parts})
    if len(sizes) > 1:
        raise OptionError(
            f"--architecture {name}: their photos have different sizes ({', '.join(map(str, sizes))} pixels), and a "
            f"model takes but one. Choose backbones of one size, or train with --image_size {sizes[-1]} for all."
        )
    digest = hashlib.sha256("+".join(part.weights_sha256 for part in parts).encode()).hexdigest()
    pixels = parts[0].preprocessing.without_arithmetic()
    return Backbone(name, pixels, sum(part.dim for part in parts), digest, parts=tuple(parts))


def _weights_by_name(names: Sequence[str], weights: Weights) -> dict[str, str | None]:
    """The weights of each of these architectures. Raises OptionError if it is not clear which are whose."""
    joined = "+".join(names)
    if isinstance(weights, Mapping):
        for name in weights:
            if name not in names:
                raise OptionError(f"--weights {name}=…: {name} is not in --architecture {joined}.")
        return {name: weights.get(name) for name in names}
    if len(names) > 1 and weights not in (None, "random"):
        raise OptionError(
            f"--weights {weights}: say which part of {joined} they are for: --weights {names[0]}=FILE, once for each."
        )
    return dict.fromkeys(names, weights)


def find_weights(
    entry: Architecture,
    model_dir: Path,
    weights: str | None = None,
    progress: Progress = lambda done, total: None,
) -> Path:
    """The weights file of an architecture; see `find_backbone`."""
    if weights is not None and not weights.startswith(("http://", "https://")):
        path = Path(weights).expanduser()
        if not path.is_file():
            raise OptionError(f"--weights {weights}: there is no such file.")
        return path
    if entry.name == "builtin" and weights is None:
        return BUILTIN_WEIGHTS
    if weights is not None:
        # Named after the address too: another address is another file, and neither is the user's own.
        digest = hashlib.sha256(weights.encode()).hexdigest()[:12]
        url, path, checksum = weights, model_dir / f"{entry.name}-{digest}.weights.h5", None
    else:
        at_hand = weights_at_hand(entry, model_dir)
        if at_hand is not None:
            return at_hand
        if entry.checkpoint:
            raise BackboneError(
                f"The weights of {entry.name} have to be converted once: download "
                f"{TORCHVISION_WEIGHTS_URL}{entry.checkpoint}, run scripts/convert_torchvision_weights.py on it, "
                f"and put the result at {model_dir / f'{entry.name}.weights.h5'}"
            )
        url, checksum = KERAS_WEIGHTS_URL + entry.weights_file, entry.checksum
        path = model_dir / Path(entry.weights_file).name
    if not path.exists():
        download(url, path, checksum, progress)
    return path


def _choose_backbone(
    model_dir: Path, weights: str | None, image_size: int | None, seed: int, progress: Progress
) -> Backbone:
    """BEST where its weights are at hand or can be downloaded now, else the built-in backbone."""
    if weights is not None:
        raise OptionError("--weights needs --architecture: say which network the weights are for.")
    entry = architecture(BEST)
    reason = ""
    if weights_at_hand(entry, model_dir) is None and not reachable(KERAS_WEIGHTS_URL):
        reason = "cannot be downloaded now"
    else:
        try:
            return find_backbone(BEST, model_dir, None, image_size, seed, progress)
        except DownloadError as error:
            reason = f"could not be downloaded ({error})"
    choice = (
        f"Using the small built-in backbone, because the weights of {BEST} {reason}: accuracy will be lower than with "
        f"Inception-V3. To use it, put {Path(entry.weights_file).name} into {model_dir}; "
        f"it comes from {KERAS_WEIGHTS_URL}{entry.weights_file}"
    )
    return replace(find_backbone("builtin", model_dir, None, image_size, seed, progress), choice=choice)


def weights_at_hand(entry: Architecture, model_dir: Path) -> Path | None:
    """A weights file that needs no download, or None."""
    candidates = [model_dir / f"{entry.name}.weights.h5"]
    if published := Path(entry.weights_file).name:
        candidates += [model_dir / published, KERAS_CACHE.expanduser() / published]
    return next((path for path in candidates if path.is_file()), None)


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, as 64 hex digits. Raises BackboneError if it cannot be read."""
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            while chunk := file.read(2**20):
                digest.update(chunk)
    except OSError as error:
        raise BackboneError(f"{path} cannot be read: {error.strerror}.") from None
    return digest.hexdigest()
