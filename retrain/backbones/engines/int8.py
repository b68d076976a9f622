"""A network is calibrated for int8: post-training quantisation by NNCF, of OpenVINO's makers.

NNCF runs the float32 network on some photos, measures the range of what each layer gives, and writes int8 into the
network: weights by channel, activations by layer. The same photos give the same bytes. Only this step needs NNCF; what
comes of it runs in OpenVINO alone.

Weights have 8 bits for CPUs with VNNI, and 7 for others, whose sums would overflow (but for depthwise layers, where
they do not): there EfficientNet-Lite0's bottlenecks in 7 bits are 0.04 (relative) from those of the same network with
its int8 simulated in float32, and 0.43 in 8 bits. NNCF's own way, 7 bits in the first layer alone, was not enough
(0.26); and where all 8 can be had the bit matters: error of the bottlenecks 0.14 instead of 0.21.
"""

from typing import TYPE_CHECKING, Any

from label_image.installing import how_to_install
from retrain.backbones.calibrated import ALL_BITS, NetworkFile
from retrain.backbones.engines.openvino import read_network
from retrain.core.errors import BackboneError, OptionError

if TYPE_CHECKING:
    from label_image.preprocessing import Pixels
    from retrain.backbones.backbone import Backbone


def import_quantiser() -> Any:
    """NNCF. Raises OptionError where it is not installed."""
    from label_image.strangers import import_nncf

    try:
        return import_nncf()
    except ModuleNotFoundError as error:
        raise OptionError(
            f"`precision` int8 needs {error.name} to calibrate a network, which is not installed: "
            f"{how_to_install('int8')}."
        ) from error
    except ImportError as error:
        raise OptionError(
            f"`precision` int8 needs nncf, which does not fit what is installed beside it ({error}): "
            f"{how_to_install('int8')}."
        ) from error


def quantised(backbone: "Backbone", pixels: "Pixels", weight_bits: int) -> NetworkFile:
    """The network in int8 by uint8 photos (n, size, size, 3), with weights of 8 bits, or of 7 for CPUs without VNNI.

    Raises OptionError where NNCF is not installed, BackboneError for a network that cannot be built.
    """
    from label_image.files import scratch_folder
    from label_image.strangers import import_openvino, without_output

    nncf, openvino = import_quantiser(), import_openvino()
    model = read_network(openvino.Core(), backbone)
    # The graph comes with an input that nothing takes, and NNCF fills in all inputs.
    model = openvino.Model([model.output(0)], [model.input(0).get_node()], backbone.architecture)
    batch = model.input(0).shape[0]
    # Whole ones alone: black photos beside real ones would count.
    batches = [pixels[start : start + batch] for start in range(0, len(pixels) - batch + 1, batch)]
    with without_output():
        model = _quantised(nncf, model, batches, weight_bits, backbone.architecture)
    # OpenVINO counts its operations while the process lives; what is named by that would be other bytes each time.
    for number, operation in enumerate(model.get_ordered_ops()):
        operation.set_friendly_name(f"{operation.get_type_name()}_{number}")
    with scratch_folder() as folder:
        openvino.save_model(model, folder / "network.xml", compress_to_fp16=False)
        description, weights = ((folder / f"network.{suffix}").read_bytes() for suffix in ("xml", "bin"))
    return NetworkFile(description, weights, weight_bits)


def _quantised(nncf: Any, model: Any, batches: "list[Pixels]", weight_bits: int, architecture: str) -> Any:
    overflow_fix = nncf.OverflowFix.DISABLE if weight_bits == ALL_BITS else nncf.OverflowFix.ENABLE
    try:
        return nncf.quantize(
            model,
            nncf.Dataset(batches),
            preset=nncf.QuantizationPreset.MIXED,
            subset_size=len(batches),
            advanced_parameters=nncf.AdvancedQuantizationParameters(overflow_fix=overflow_fix),
        )
    except Exception as error:  # of NNCF, or of OpenVINO below it: layers that one of them does not know
        raise BackboneError(
            f"{architecture} cannot be calibrated for int8 ({error}): choose another `precision`."
        ) from error
