"""Backbones: architectures with their weights at hand, which is all that determines a bottleneck.

`retrain.backbones.network` builds the network itself, when one has to run. Nothing here imports TensorFlow.

The `fake` backbone is the photo's average colour, three numbers; it needs no TensorFlow, and is there for tests.

`a+b` is a backbone too: its bottleneck is that of b behind that of a. Each part is computed and kept as
if it were alone.
"""

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from label_image.preprocessing import DECODER, Preprocessing
from retrain.backbones.calibrated import CalibratedNetwork
from retrain.backbones.registry import ARCHITECTURES, DEFAULT_ARCHITECTURE, architecture
from retrain.backbones.weights import check_digest, file_sha256, find_weights
from retrain.core.defaults import IMAGE_SIZES, MODEL_DIR
from retrain.core.download import Progress
from retrain.core.errors import OptionError
from retrain.core.observing import Observe, ending, not_observed
from retrain.core.typed import require_whole

if TYPE_CHECKING:
    from typing_extensions import Self

# Counts the faults of the engines that put wrong bottlenecks into stores: whoever mends one adds 1, and they are never
# served again. 2: TensorFlow's engine ran one kernel in several threads, which mixed up photos in residual networks.
ENGINE_REVISION = 2

Weights = str | Mapping[str, str] | None  # as `find_backbone` takes them


@dataclass(frozen=True)
class Backbone:
    """Everything that determines a bottleneck, apart from the photo.

    `weights_file` is None for the fake backbone and for random weights; for a TF-Hub module it is
    the folder of the SavedModel. `dim` is the length of the bottleneck vector. A joined backbone has
    `parts`, each with weights and arithmetic of its own, and no arithmetic itself. In int8 a bottleneck depends on
    the photos that the network was `calibrated` on, too.
    """

    architecture: str
    preprocessing: Preprocessing
    dim: int
    weights_sha256: str
    weights_file: Path | None = None
    feature_layer: str = "avg_pool"
    compute_dtype: str = "float32"
    stored_dtype: str = "float32"
    parts: tuple["Backbone", ...] = ()
    calibrated: CalibratedNetwork | None = None

    @classmethod
    def find(
        cls,
        name: str = DEFAULT_ARCHITECTURE,
        *,
        weights: Weights | os.PathLike[str] = None,
        image_size: int | None = None,
        model_dir: str | os.PathLike[str] = MODEL_DIR,
        seed: int = 0,
        observe: Observe = not_observed,
    ) -> "Self":
        """An architecture of the registry with its weights, for Python users; see `find_backbone`.

        `observe` is told of a download: the bytes so far, and how many there are if it is known; where it returns
        False, Stopped is raised.
        """
        if not isinstance(name, str):
            raise OptionError(f"`architecture` is a name, such as {DEFAULT_ARCHITECTURE}; got {type(name).__name__}.")
        weights = os.fspath(weights) if isinstance(weights, os.PathLike) else weights
        found = find_backbone(name, Path(model_dir), weights, image_size, seed, ending(observe))
        return cls(**{field.name: getattr(found, field.name) for field in fields(found)})

    @property
    def input_size(self) -> int:
        """Side of the square input, in pixels."""
        return self.preprocessing.size

    @property
    def untrained(self) -> tuple[str, ...]:
        """The architectures in it whose weights are random."""
        return tuple(one.architecture for one in self.parts or (self,) if one.weights_sha256.startswith("random-"))

    @property
    def has_weights(self) -> bool:
        """Whether it is a network; the fake one is a fixed function, computed by NumPy, in float32."""
        entry = ARCHITECTURES.get(self.architecture)
        return entry is None or bool(entry.weights_file)

    def describe(self) -> str:
        """What it is, for people, as in `efficientnet_lite0, 1280 numbers from 224 x 224 pixels`.

        int8 is named, which was asked for; what `auto` chooses is not.
        """
        size = self.input_size
        untrained = ", untrained" if self.untrained else ""
        int8 = " in int8" if self.compute_dtype == "int8" else ""
        return f"{self.architecture}{int8}{untrained}, {self.dim} numbers from {size} x {size} pixels"

    def in_float32(self) -> "Backbone":
        """The same backbone as exports compute it, whatever precision its bottlenecks have."""
        parts = tuple(part.in_float32() for part in self.parts)
        return replace(self, compute_dtype="float32", stored_dtype="float32", parts=parts, calibrated=None)

    def computed_in(self, precision: str) -> "Backbone":
        """The same backbone with bottlenecks of this precision; the fake one supports only float32."""
        if not self.has_weights:
            return self
        parts = tuple(part.computed_in(precision) for part in self.parts)
        return replace(self, compute_dtype=precision, parts=parts, calibrated=None)

    def stored_in(self, dtype: str) -> "Backbone":
        """The same backbone with bottlenecks that are kept in float32 or float16."""
        return replace(self, stored_dtype=dtype, parts=tuple(part.stored_in(dtype) for part in self.parts))

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
            # Those of a joined one are kept for each part.
            **({} if self.parts or not self.has_weights else {"engine_revision": ENGINE_REVISION}),
            **({"parts": [part.covers() for part in self.parts]} if self.parts else {}),
            **({"calibrated": self.calibrated.sha256} if self.calibrated else {}),
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

    `name` may be `a+b`, of which each part has this `image_size`, or the largest of their own. `weights` is a
    file, an http(s) address, `random` (untrained, from `seed`), each of these by the name of the architecture
    that they are for, or None: then `<model_dir>/<name>.weights.h5`, the published file in `model_dir`, in Keras's
    cache or in INSTALLED_WEIGHTS, the Python package that they come with, and at last a download are tried.
    Raises OptionError or BackboneError.
    """
    if image_size is not None:
        image_size = _checked_size(image_size)
    names = name.split("+")
    weights_of = _weights_by_name(names, weights)
    if len(names) > 1:
        if image_size is None:
            image_size = own_size(name)
        return join([find_backbone(part, model_dir, weights_of[part], image_size, seed, progress) for part in names])
    weights = weights_of[name]
    entry = architecture(name)
    preprocessing = entry.preprocessing if image_size is None else entry.preprocessing.with_size(image_size)
    backbone = Backbone(name, preprocessing, entry.dim, f"random-{seed}", feature_layer=entry.feature_layer)
    if not backbone.has_weights:
        if weights not in (None, "random"):
            raise OptionError(f"`weights` {weights}: the {name} backbone has none; leave them out.")
        return replace(backbone, weights_sha256="none")
    if weights == "random":
        return backbone
    file = find_weights(entry, model_dir, weights, progress)
    sha256 = file_sha256(file)
    check_digest(entry, file, sha256)
    return replace(backbone, weights_file=file, weights_sha256=sha256)


def own_size(name: str) -> int | None:
    """The side of the square that a network takes where no size is asked for; of `a+b`, which takes photos of one size,
    what the part needs that needs the most. None of one that is not in the registry.
    """
    known = [ARCHITECTURES.get(part) for part in name.split("+")]
    sizes = [entry.input_size for entry in known if entry is not None]
    return max(sizes) if len(sizes) == len(known) else None


def join(parts: Sequence[Backbone]) -> Backbone:
    """Several backbones as one, their bottlenecks side by side. Raises OptionError if they see different photos."""
    name = "+".join(part.architecture for part in parts)
    sizes = sorted({part.input_size for part in parts})
    if len(sizes) > 1:
        raise OptionError(
            f"`architecture` {name}: their photos have different sizes ({', '.join(map(str, sizes))} pixels), and a "
            f"model takes only one. Choose backbones of one size, or train with `image_size` {sizes[-1]} for all."
        )
    digest = hashlib.sha256("+".join(part.weights_sha256 for part in parts).encode()).hexdigest()
    pixels = parts[0].preprocessing.without_arithmetic()
    return Backbone(name, pixels, sum(part.dim for part in parts), digest, parts=tuple(parts))


def _checked_size(size: int) -> int:
    size, (least, most) = require_whole(size, "image_size"), IMAGE_SIZES
    if not least <= size <= most:
        raise OptionError(f"`image_size` {size} must be from {least} to {most} pixels.")
    return size


def _weights_by_name(names: Sequence[str], weights: Weights) -> dict[str, str | None]:
    """The weights of each of these architectures. Raises OptionError if it is not clear which are whose."""
    joined = "+".join(names)
    if isinstance(weights, Mapping):
        for name in weights:
            if name not in names:
                raise OptionError(f"`weights` {name}=…: {name} is not in `architecture` {joined}.")
        return {name: weights.get(name) for name in names}
    if len(names) > 1 and weights not in (None, "random"):
        raise OptionError(
            f"`weights` {weights}: say which part of {joined} they are for: `weights` {names[0]}=FILE, once for each."
        )
    return dict.fromkeys(names, weights)
