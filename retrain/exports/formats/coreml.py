"""The Core ML package for Apple's devices: a classifier of an RGB image, its labels inside.

Inputs and outputs: `image` (size x size pixels) -> `classLabel`, `classLabel_probs` (a dictionary by label) and
`similarity` (1, 1). Manifest and labels are metadata of the model. iOS 16, macOS 13 or later.
"""

import json
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from label_image.errors import ModelError, first_line
from label_image.files import scratch_folder
from label_image.installing import how_to_install
from label_image.plain_paths import plain_path
from label_image.strangers import keras_apart
from retrain.core.errors import ExportError
from retrain.exports.formats.base import ELSEWHERE, Conversion, Format, Source
from retrain.exports.proof.limits import FLOAT16, FLOAT32

if TYPE_CHECKING:
    from label_image.runtimes import Run
    from retrain.exports.frozen_graph import FrozenGraph

SPECIFICATION = Path("Data/com.apple.CoreML/model.mlmodel")
WEIGHTS = Path("Data/com.apple.CoreML/weights")
WEIGHT_FILE = "weights/weight.bin"  # as the specification names it
DATE = "com.github.apple.coremltools.conversion_date"


def write_coreml(source: Source, package: Path, float16: bool = False) -> None:
    """Write a package, a folder that ends in .mlpackage, from the `serving_default` of a SavedModel.

    With `float16` the weights take half the room, and it computes so. The same model gives the same bytes.
    Raises ExportError.
    """
    import_coremltools()
    from retrain.core.tensorflow import quiet
    from retrain.exports.frozen_graph import freeze_saved_model

    frozen = freeze_saved_model(source.export)
    size, labels = int(source.manifest["input"]["size"]), list(source.manifest["labels"])
    try:
        with quiet(), scratch_folder() as folder:
            made = folder / "model.mlpackage"  # coremltools takes a name with this ending only
            convert(frozen, size, labels, float16).save(str(made))
            _always_the_same(made, source)
            shutil.copytree(made, package)
    except Exception as error:  # the converter raises whatever its passes raise
        raise ExportError(f"{package.name} cannot be made: {first_line(error)}") from error


def convert(frozen: "FrozenGraph", size: int, labels: list[str], float16: bool) -> Any:
    """A model of coremltools from a frozen graph. It raises whatever its passes raise."""
    from retrain.core.tensorflow import tf

    ct = import_coremltools()
    wrapped = tf.compat.v1.wrap_function(lambda: tf.graph_util.import_graph_def(frozen.graph_def, name=""), [])
    target = ct.target.iOS16
    program = ct.convert(
        [wrapped.prune(frozen.tensors["image"], list(frozen.outputs.values()))],
        source="tensorflow",
        convert_to="milinternal",
        inputs=[ct.ImageType(name="image", shape=(1, size, size, 3), color_layout=ct.colorlayout.RGB)],
        compute_precision=ct.precision.FLOAT16 if float16 else ct.precision.FLOAT32,
        minimum_deployment_target=target,
    )
    # With float16 coremltools 9 makes a list of the outputs here; those of a classifier are then one more.
    program.functions["main"].output_types = None
    return ct.convert(
        program,
        source="milinternal",
        convert_to="mlprogram",
        classifier_config=ct.ClassifierConfig(labels, predicted_probabilities_output="scores"),
        compute_precision=ct.precision.FLOAT32,  # leaves what is float16 so
        minimum_deployment_target=target,
    )


def coreml_runner(package: Path) -> "Run":
    """A package read back and evaluated op by op (`retrain.exports.proof.mil`). Raises ModelError if it cannot be."""
    import_coremltools()
    from coremltools.converters.mil.frontend.milproto.load import load
    from coremltools.proto.Model_pb2 import Model

    from label_image.manifest import MANIFEST
    from retrain.core.tensorflow import quiet
    from retrain.exports.proof.mil import program_runner

    try:
        specification = Model.FromString((package / SPECIFICATION).read_bytes())
        manifest = json.loads(specification.description.metadata.userDefined[MANIFEST])
        labels = list(manifest["labels"])
        with quiet(), plain_path(package) as plain:
            program = load(specification, specification.specificationVersion, str(plain / WEIGHTS))
    except Exception as error:  # the loader raises whatever its parts raise
        raise ModelError(f"{package} cannot be loaded: {first_line(error)}") from None
    return program_runner(program, labels, package)


def import_coremltools() -> Any:
    """The package, without its remarks on other packages. Raises ExportError if it is missing."""
    import logging

    from retrain.core.tensorflow import (
        quiet,  # before coremltools, which would import a TensorFlow that is not quiet
    )

    log = logging.getLogger("coremltools")
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        with quiet(), keras_apart():
            import coremltools
    except ImportError:
        raise ExportError(f"A Core ML package needs coremltools: {how_to_install('export')}.") from None
    finally:
        log.setLevel(level)
    return coremltools


def _parts(export: Path, package: str) -> Iterator[str]:
    yield f"{package}/Manifest.json"
    yield f"{package}/{SPECIFICATION.as_posix()}"
    if WEIGHT_FILE.encode() in (export / package / SPECIFICATION).read_bytes():  # few numbers are in it themselves
        yield f"{package}/{WEIGHTS.parent.as_posix()}/{WEIGHT_FILE}"


def _always_the_same(package: Path, source: Source) -> None:
    """Put the manifest in, and take the date, the random identifiers and the counted names out."""
    from coremltools.proto.Model_pb2 import Model

    specification = Model.FromString((package / SPECIFICATION).read_bytes())
    description = specification.description
    classes = len(source.manifest["labels"])
    description.metadata.shortDescription = f"Image classifier of {classes} classes, made by retrain."
    entries = description.metadata.userDefined
    entries.pop(DATE, None)
    for name, text in source.texts.items():
        entries[name] = text
    (block,) = specification.mlProgram.functions["main"].block_specializations.values()
    _name_in_order(block, {*(each.name for each in (*description.input, *description.output))})
    (package / SPECIFICATION).write_bytes(specification.SerializeToString(deterministic=True))
    (package / SPECIFICATION).chmod(0o644)
    listing = json.loads((package / "Manifest.json").read_text(encoding="utf-8"))
    items = listing["itemInfoEntries"]
    by_path = sorted(items, key=lambda key: str(items[key]["path"]))
    identifiers = {key: f"00000000-0000-4000-8000-{place:012d}" for place, key in enumerate(by_path)}
    listing["itemInfoEntries"] = {identifiers[key]: items[key] for key in by_path}
    listing["rootModelIdentifier"] = identifiers[listing["rootModelIdentifier"]]
    (package / "Manifest.json").write_text(json.dumps(listing, indent=4) + "\n", encoding="utf-8")


def _name_in_order(block: Any, kept: set[str]) -> None:
    """Name the values of a program by their place, but those in `kept`: the converter's names count up in a process.

    A program with blocks inside (branches, loops) is left as it is.
    """
    if any(operation.blocks for operation in block.operations):
        return
    names = {name: name for name in kept}
    for operation in block.operations:
        for output in operation.outputs:
            output.name = names.setdefault(output.name, f"t{len(names)}")
        if "name" in operation.attributes:
            strings = operation.attributes["name"].immediateValue.tensor.strings.values
            strings[:] = [f"{operation.type}_{operation.outputs[0].name}"]
        for argument in operation.inputs.values():
            for binding in argument.arguments:
                if binding.HasField("name"):  # and is no constant
                    binding.name = names.get(binding.name, binding.name)
    block.outputs[:] = [names[name] for name in block.outputs]


FORMATS = (
    Format(
        "coreml",
        ("model.mlpackage",),
        FLOAT32,
        coreml_runner,
        conversions=(Conversion(write_coreml, ELSEWHERE),),
        packages=("coremltools",),
        own_program=False,
        parts=partial(_parts, package="model.mlpackage"),
    ),
    Format(
        "coreml_float16",
        ("model_float16.mlpackage",),
        FLOAT16,
        coreml_runner,
        conversions=(Conversion(partial(write_coreml, float16=True), ELSEWHERE),),
        packages=("coremltools",),
        own_program=False,
        parts=partial(_parts, package="model_float16.mlpackage"),
    ),
)
