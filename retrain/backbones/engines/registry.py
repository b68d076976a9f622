"""The registry of engines: which there are, and which one runs a backbone on this machine.

A new engine is a file beside this one, which declares it as `ENGINE`, and a line in KINDS.
"""

from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING

from label_image.installing import how_to_install
from retrain.backbones.engines import average_colour, openvino, tensorflow
from retrain.backbones.engines.kind import EngineKind
from retrain.core.defaults import AUTO
from retrain.core.errors import OptionError
from retrain.core.machine import has_gpu

if TYPE_CHECKING:
    from label_image.preprocessing import Pixels
    from retrain.backbones.backbone import Backbone
    from retrain.backbones.engines.base import Engine, Vectors

# `auto` takes the last one that can run here.
KINDS: tuple[EngineKind, ...] = (
    average_colour.ENGINE,
    tensorflow.ENGINE,
    openvino.ENGINE,
)
ENGINES = (AUTO, *(kind.name for kind in KINDS if not kind.architecture))  # those that can be asked for


def start_engine(backbone: "Backbone", engine: str = AUTO) -> "Engine":
    """Build and warm the network of a backbone; it computes in `backbone.compute_dtype`.

    Imports TensorFlow, unless the backbone is the fake one. Raises OptionError for an engine that
    is not there, BackboneError for a network that cannot be built, GpuError where float16 has no GPU.
    """
    own = next((kind for kind in KINDS if kind.architecture == backbone.architecture), None)
    if own is not None:
        return _checked(own.start(backbone), backbone.input_size)
    name = choose_engine(engine, backbone.compute_dtype)
    kind = next(kind for kind in KINDS if kind.name == name)
    return _checked(kind.start(backbone), backbone.input_size)


def choose_engine(asked: str, compute_dtype: str) -> str:
    """The engine for `--engine asked`; `auto` is OpenVINO where it is installed and there is no GPU, else TensorFlow.

    Raises OptionError for one that is not known, not installed, or cannot compute in that precision.
    """
    if asked not in ENGINES:
        raise OptionError(f"`engine` {asked} is not known; choose from {', '.join(ENGINES)}.")
    kinds = [kind for kind in KINDS if kind.name in ENGINES]
    if asked == AUTO:
        return _best_of(kinds, compute_dtype)
    chosen = next(kind for kind in kinds if kind.name == asked)
    if not _is_installed(chosen):
        raise OptionError(f"`engine` {asked}: it is not installed; {how_to_install(chosen.extra)}.")
    if compute_dtype not in chosen.precisions:
        where = "runs on the CPU, with" if chosen.cpu_only else "runs with"
        raise OptionError(f"`engine` {asked} {where} `precision` {', '.join(chosen.precisions)} alone; choose another.")
    return asked


def _best_of(kinds: Sequence[EngineKind], compute_dtype: str) -> str:
    """The last one that can run here; one for CPUs beside a GPU only where no other computes in that precision."""
    able = [kind for kind in kinds if compute_dtype in kind.precisions]
    there = [kind for kind in able if _is_installed(kind)]
    if not there:
        extra = "int8" if compute_dtype == "int8" else able[-1].extra  # which brings what calibrates, too
        raise OptionError(
            f"`precision` {compute_dtype} needs {able[-1].package}, which is not installed; {how_to_install(extra)}."
        )
    return next((kind.name for kind in reversed(there) if not (kind.cpu_only and has_gpu())), there[-1].name)


def _checked(engine: "Engine", size: int) -> "Engine":
    """The same, which refuses with a ValueError what would be spread over the shape of a photo, or cut to bytes."""

    def run(pixels: "Pixels", /) -> "Vectors":
        if pixels.dtype.name != "uint8" or pixels.shape[1:] != (size, size, 3):
            raise ValueError(f"photos of {pixels.dtype} {pixels.shape[1:]} instead of uint8 {(size, size, 3)}")
        return engine(pixels)

    return run


def _is_installed(kind: EngineKind) -> bool:
    return not kind.package or find_spec(kind.package) is not None
