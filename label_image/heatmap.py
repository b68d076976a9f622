"""Where on a photo a class is seen: class activation maps, read out of a model.tflite.

The head of an export is linear and its bottleneck is an average over places, so the logit of class c
is itself an average over places (Zhou et al. 2016, "Learning deep features for discriminative
localization"):

    logit_c = mean over (x, y) of  M_c(x, y) = bias_c + sum_k kernel_ck * feature_k(x, y)

Nothing is approximated, and no gradient is needed. The product is found in the file by going back
from the output `scores`: SOFTMAX, FULLY_CONNECTED (the head), then MEAN or AVERAGE_POOL_2D; of several
backbones side by side (CONCATENATION) one of these each.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from label_image.model import ModelError
from label_image.pool import Pool
from label_image.preprocessing import Pixels
from label_image.quiet import quiet
from label_image.tflite_graph import SIGNATURE, TfliteGraph

Map = npt.NDArray[np.float32]
Maps = npt.NDArray[np.float32]

SCORES = "scores"
EXACT = 1e-4  # of the largest value: how far the average of a map may be from its logit, in float32
# From cold to hot: five stops of matplotlib's "inferno" (CC0) without its whitish end. It grows evenly
# brighter, so that it can be read in a gray print and by the colour-blind.
STOPS = ((0, 0, 4), (77, 13, 108), (168, 46, 95), (236, 105, 37), (246, 215, 70))
OPACITY = 0.6  # of the colours at the hottest place
FLAT = 1e-4  # of a map's largest value: differences below that are rounding


@dataclass(frozen=True)
class _Head:
    """Numbers of the tensors in the file that a map is made of; `bias` is None where there is none."""

    features: tuple[int, ...]  # of each backbone (1, rows, columns, its part of dim)
    kernel: int  # (classes, dim)
    bias: int | None  # (classes,)
    logits: int  # (1, classes)


class _NoMap(Exception):
    """Why a network has no class activation map; the message is the rest of a sentence."""


def find_tflite(model: str | Path) -> Path:
    """The .tflite file of an export, given as its folder or that file. Raises ModelError if there is none."""
    path = Path(model)
    if path.is_dir():
        path = path / "model.tflite"
        if not path.is_file():
            raise ModelError(
                f"{model} has no model.tflite, which the heat map is read from: train it again with --formats tflite."
            )
    elif path.suffix.lower() != ".tflite":
        raise ModelError(f"{model} has no heat map: it is read from a model.tflite. Pass that, or its folder.")
    return path


def activation_maps(path: Path) -> Callable[[Pixels], Maps]:
    """Load a .tflite export once, for the maps of many photos. Raises ModelError if it has none.

    The result maps one photo, uint8 RGB (size, size, 3), to float32 (classes, rows, columns): the map
    of a class averages to its logit, which is checked for every photo (ModelError). It may be called by
    several threads.
    """
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    def load() -> tuple[Any, Any]:
        with quiet():
            interpreter = Interpreter(
                model_content=data,
                experimental_preserve_all_tensors=True,
                # XNNPACK, the default delegate, keeps its inner tensors to itself.
                experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
            )
            interpreter.allocate_tensors()
            return interpreter, interpreter.get_signature_runner(SIGNATURE)

    try:
        data = path.read_bytes()
        interpreters = Pool(load)
        with interpreters.borrow():
            head = _find_head(data)
    except _NoMap as why:
        raise ModelError(f"{path} has no heat map: {why}") from None
    except Exception as error:  # a flatbuffer that is damaged is noticed wherever it is read
        raise ModelError(f"{path} cannot be loaded: {error}") from None

    def maps(pixels: Pixels) -> Maps:
        with interpreters.borrow() as (interpreter, signature):
            signature(image=pixels[None].astype(np.float32))
            kernel = interpreter.get_tensor(head.kernel)
            features = np.concatenate([interpreter.get_tensor(number)[0] for number in head.features], axis=-1)
            found: Maps = np.moveaxis(features @ kernel.T, -1, 0)
            if head.bias is not None:
                found += interpreter.get_tensor(head.bias)[:, None, None]
            logits = interpreter.get_tensor(head.logits)[0]
        if not np.allclose(found.mean(axis=(1, 2)), logits, rtol=0, atol=EXACT * (1 + np.abs(found).max())):
            raise ModelError(f"{path} has no heat map: its scores are not an average over places of linear ones.")
        return found

    return maps


def overlay(photo: Image.Image, heat: Map) -> Image.Image:
    """A photo, RGB of any proportions, in gray with a map (rows, columns) in colours over it.

    The colours span this map: the place that speaks most for the class is brightest, the one that
    speaks least is gray. A map that is the same everywhere colours nothing.
    """
    low, high = float(heat.min()), float(heat.max())
    flat = not high - low > FLAT * max(abs(low), abs(high))
    level = np.zeros_like(heat) if flat else (heat - low) / (high - low)
    # A place of the map is an area of the photo, so it is enlarged as a small photo would be.
    large = np.asarray(Image.fromarray(level).resize(photo.size, Image.Resampling.BICUBIC)).clip(0, 1)
    positions = np.linspace(0, 1, len(STOPS))
    colours = np.stack([np.interp(large, positions, channel) for channel in zip(*STOPS, strict=True)], axis=-1)
    opacity = OPACITY * large[..., None]
    gray = np.asarray(photo.convert("L"))[..., None]
    mixed = gray * (1 - opacity) + colours * opacity
    return Image.fromarray(mixed.round().astype(np.uint8))


def _find_head(data: bytes) -> _Head:
    """Go back from the scores to the features. Raises _NoMap; ValueError for a file without that signature."""
    from ai_edge_litert import schema_py_generated as schema

    file = TfliteGraph.of(data)
    scores = file.output(SCORES)
    graph, steps = file.graph, 0

    def source(tensor: int) -> tuple[str, list[int]]:
        nonlocal steps
        steps += 1
        if steps > 2 * len(file.made_by) + 8:
            raise _NoMap("its operations go in a circle.")
        return file.source(tensor)

    def averaged(bottleneck: int) -> list[int]:
        """The features (1, rows, columns, dim) whose averages, side by side, are the bottleneck."""
        name, inputs = source(bottleneck)
        while name in ("RESHAPE", "SQUEEZE"):
            name, inputs = source(inputs[0])
        if name == "CONCATENATION":
            return [number for part in inputs for number in averaged(part)]
        if name not in ("MEAN", "AVERAGE_POOL_2D") or graph.Tensors(inputs[0]).ShapeLength() != 4:
            raise _NoMap(
                "the head must stand right on an average over places. "
                "Train without --hidden_units, on a backbone that ends in such an average (most do)."
            )
        return [inputs[0]]

    name, inputs = source(scores)
    if name != "SOFTMAX":
        raise _NoMap(f"its scores come from {name}, not from SOFTMAX.")
    logits = inputs[0]
    name, inputs = source(logits)
    if name != "FULLY_CONNECTED":
        raise _NoMap(f"its logits come from {name}, not from FULLY_CONNECTED.")
    bottleneck, kernel, *bias = inputs
    if graph.Tensors(kernel).Type() != schema.TensorType.FLOAT32:
        raise _NoMap("its head is quantised. Use the float32 model.tflite of the same run.")
    features = averaged(bottleneck)
    if len({tuple(graph.Tensors(number).ShapeAsNumpy()[1:3]) for number in features}) > 1:
        raise _NoMap("its backbones divide the photo into places of different sizes.")
    # A missing bias is left out or has the number -1.
    return _Head(tuple(features), kernel, next((number for number in bias if number >= 0), None), logits)
