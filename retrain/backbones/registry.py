"""The registry: which networks there are, family by family. Nothing here imports TensorFlow.

A new family is a file in `families`, which declares its architectures as `FAMILY`, and a line in FAMILIES.
`retrain.backbones.backbone` puts weights to them, `retrain.backbones.network` builds them.
"""

from retrain.backbones.families import (
    average_colour,
    convnext,
    densenet,
    efficientnet_lite,
    efficientnet_v2,
    inception,
    mobilenet,
    nasnet,
    resnet,
    torchvision_networks,
    torchvision_residual,
    vgg,
)
from retrain.backbones.families.base import Architecture
from retrain.core.errors import OptionError

DEFAULT_ARCHITECTURE = "efficientnet_lite0"
RETIRED = {
    "auto": f"it is {DEFAULT_ARCHITECTURE} now, also where `architecture` is left out",
    "builtin": f"it was retired; {DEFAULT_ARCHITECTURE}, which needs no download either, took its place",
}
FAMILIES: dict[str, tuple[Architecture, ...]] = {
    "efficientnet_lite": efficientnet_lite.FAMILY,
    "mobilenet": mobilenet.FAMILY,
    "average_colour": average_colour.FAMILY,
    "inception": inception.FAMILY,
    "efficientnet_v2": efficientnet_v2.FAMILY,
    "resnet": resnet.FAMILY,
    "vgg": vgg.FAMILY,
    "densenet": densenet.FAMILY,
    "nasnet": nasnet.FAMILY,
    "convnext": convnext.FAMILY,
    "torchvision_networks": torchvision_networks.FAMILY,
    "torchvision_residual": torchvision_residual.FAMILY,
}
ARCHITECTURES: dict[str, Architecture] = {entry.name: entry for family in FAMILIES.values() for entry in family}


def architecture(name: str) -> Architecture:
    """Look an architecture up by name. Raises OptionError, with the nearest names, if there is none."""
    if name in ARCHITECTURES:
        return ARCHITECTURES[name]
    if name.endswith("_quantized") and name.removesuffix("_quantized") in ARCHITECTURES:
        raise OptionError(
            f"`architecture` {name}: use {name.removesuffix('_quantized')}; quantisation belongs to the export."
        )
    if name in RETIRED:
        raise OptionError(f"`architecture` {name}: {RETIRED[name]}.")
    from difflib import get_close_matches  # here, and not above: a known name does without

    near = get_close_matches(name, ARCHITECTURES, n=3) or [DEFAULT_ARCHITECTURE, "inception_v3", "mobilenet_1.0_224"]
    raise OptionError(f"`architecture` {name!r} is unknown; did you mean {', '.join(near)}?")
