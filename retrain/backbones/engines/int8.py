"""A network is calibrated for int8: post-training quantisation by NNCF, of OpenVINO's makers.

NNCF runs the float32 network on some photos, measures the range of what each layer gives, and writes int8 into the
network: weights by channel, activations by layer. The same photos give the same bytes. Only this step needs NNCF; what
comes of it runs in OpenVINO alone.

Weights have 8 bits for CPUs with VNNI. Without it sums of theirs overflow: there NNCF gives those of the first layer 7
bits and, where some of the photos show that this is not enough, those of all layers. What bottlenecks are off,
||a - b|| / ||b||, from the same network with its int8 simulated in float32, and from float32, on a CPU with AVX2:

                          8 bits        7 in the first layer    7 in all
    EfficientNet-Lite0    0.43, 0.43    0.26, 0.28              0.04, 0.18
    MobileNet 1.0         0.50, 0.49    0.02, 0.11              0.01, 0.16
    Inception-V3          0.21, 0.21    0.03, 0.07              0.03, 0.14
"""

from typing import TYPE_CHECKING, Any

from label_image.installing import how_to_install
from retrain.backbones.calibrated import NetworkFile
from retrain.backbones.engines.openvino import read_network
from retrain.core.errors import BackboneError, OptionError

if TYPE_CHECKING:
    from label_image.preprocessing import Pixels
    from retrain.backbones.backbone import Backbone

CHECKED_BATCHES = 8
OVERFLOW = 0.1  # relative error of the bottlenecks; rounding alone makes 0.01 to 0.04
SIMULATED = {"LP_TRANSFORMS_MODE": "NO"}  # of OpenVINO: operations are not replaced by those for int8


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


def calibrated_network(backbone: "Backbone", pixels: "Pixels", vnni: bool) -> NetworkFile:
    """The network in int8 by uint8 photos (n, size, size, 3), for CPUs with VNNI alone or for this one, which has none.

    Raises OptionError where NNCF is not installed, BackboneError for a network that cannot be built.
    """
    from label_image.files import scratch_folder
    from label_image.strangers import import_openvino, without_output

    nncf, openvino = import_quantiser(), import_openvino()
    core = openvino.Core()
    model = read_network(core, backbone)
    # The graph comes with an input that nothing takes, and NNCF fills in all inputs.
    model = openvino.Model([model.output(0)], [model.input(0).get_node()], backbone.architecture)
    batch = model.input(0).shape[0]
    # Whole ones alone: black photos beside real ones would count.
    batches = [pixels[start : start + batch] for start in range(0, len(pixels) - batch + 1, batch)]
    fix = nncf.OverflowFix
    with without_output():
        found = _quantised_model(nncf, model, batches, fix.DISABLE if vnni else fix.FIRST_LAYER, backbone.architecture)
        if not vnni and _overflows(core, found, batches[:CHECKED_BATCHES]):
            found = _quantised_model(nncf, model, batches, fix.ENABLE, backbone.architecture)
    # OpenVINO counts its operations while the process lives; what is named by that would be other bytes each time.
    for number, operation in enumerate(found.get_ordered_ops()):
        operation.set_friendly_name(f"{operation.get_type_name()}_{number}")
    with scratch_folder() as folder:
        openvino.save_model(found, folder / "network.xml", compress_to_fp16=False)
        description, weights = ((folder / f"network.{suffix}").read_bytes() for suffix in ("xml", "bin"))
    return NetworkFile(description, weights, without_vnni=not vnni)


def _overflows(core: Any, model: Any, batches: "list[Pixels]") -> bool:
    """Whether this CPU gives other bottlenecks than it does where it simulates the network's int8 in float32."""
    import numpy as np

    vectors = []
    for settings in ({}, SIMULATED):
        try:
            compiled = core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32", **settings})
        except RuntimeError:  # one that does not know the setting: it has to be taken for granted
            return True
        vectors.append(np.concatenate([compiled([batch])[0] for batch in batches]))
    computed, simulated = vectors
    return bool(np.linalg.norm(computed - simulated) > OVERFLOW * np.linalg.norm(simulated))


def _quantised_model(nncf: Any, model: Any, batches: "list[Pixels]", overflow_fix: Any, architecture: str) -> Any:
    try:
        return nncf.quantize(
            model.clone(),
            nncf.Dataset(batches),
            preset=nncf.QuantizationPreset.MIXED,
            subset_size=len(batches),
            advanced_parameters=nncf.AdvancedQuantizationParameters(overflow_fix=overflow_fix),
        )
    except Exception as error:  # of NNCF, or of OpenVINO below it: layers that one of them does not know
        raise BackboneError(
            f"{architecture} cannot be calibrated for int8 ({error}): choose another `precision`."
        ) from error
