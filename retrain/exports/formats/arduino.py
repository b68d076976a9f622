"""A sketch for microcontrollers: an Arduino folder with the int8 model as a C array, and what it needs of the board.

What is proven is the array as it lies in the folder, run by TensorFlow Lite Micro's interpreter on this machine: it is
the code that a board compiles, with other kernels where the maker of the chip wrote faster ones.
"""

import hashlib
import re
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from label_image.errors import ForeignFileError, ModelError, first_line
from label_image.foreign_text import parse_json, read_limited
from label_image.installing import how_to_install
from retrain.core.errors import UnfitError
from retrain.exports.formats.base import Conversion, Format, Source
from retrain.exports.proof.limits import INT8

if TYPE_CHECKING:
    from label_image.runtimes import Run

ELSEWHERE = "run by TensorFlow Lite Micro here, not on a board"
TEMPLATES = Path(__file__).parents[1] / "templates"
# What Arduino's tools let a sketch have of each: flash, and memory, in bytes.
BOARDS = {
    "Arduino Nano 33 BLE": (983_040, 262_144),
    "Arduino Nano RP2040 Connect": (16_777_216, 270_336),
    "Arduino Portenta H7": (786_432, 523_624),
}
# What is left of that for the interpreter, the sketch and the board's own system.
PROGRAM = (200_000, 65_536)
ARRAY = re.compile(r"\{\n([0-9a-fx,\s]+)\};")
DIGEST = re.compile(r"SHA-256 ([0-9a-f]{64})")
PARTS = ("arduino.ino", "model.cpp", "model.h")
LINE = 20  # bytes in a line of the array
MOST_BYTES = 512_000_000  # of a file that is read: many times what any board has


def no_interpreter() -> str | None:
    """What is missing where TensorFlow Lite Micro is not installed."""
    if find_spec("tflite_micro") is not None:
        return None
    return f"The format arduino needs tflite_micro, which there is for Linux on x86-64: {how_to_install('arduino')}."


def boards_for(model: int, arena: int) -> list[str]:
    """The boards that have room for a model of so many bytes with such an arena. Raises UnfitError if none has."""
    fitting = [
        board
        for board, (flash, memory) in BOARDS.items()
        if model + PROGRAM[0] <= flash and arena + PROGRAM[1] <= memory
    ]
    if not fitting:
        flash, memory = (
            max(size) - rest for size, rest in zip(zip(*BOARDS.values(), strict=True), PROGRAM, strict=True)
        )
        raise UnfitError(
            f"The model takes {model:,} bytes of flash and {arena:,} of memory, and no board has room for both: the "
            f"most of either are {flash:,} and {memory:,}. Train with `architecture` mobilenet_0.25_128 and "
            "`image_size` 96."
        )
    return fitting


def write_sketch(source: Source, folder: Path) -> None:
    """Raises UnfitError for a model that fits no board, or that the interpreter cannot run."""
    import jinja2

    from retrain.exports.clients import cpp_literal
    from retrain.exports.formats.tflite import one_photo_model
    from retrain.exports.formats.tflite_variants import convert_int8
    from retrain.exports.on_chip import OnChip, arena_of, operators_of

    model = convert_int8(source.made(one_photo_model), source.calibration())
    arena = arena_of(model)
    if arena is None:
        raise UnfitError(
            "TensorFlow Lite Micro cannot run the model: it lacks one of its operators, or 16 MB of memory."
        )
    labels = source.manifest["labels"]
    chip = OnChip(model, arena, len(labels))
    values: dict[str, Any] = {
        "arena": arena,
        "array": "\n".join(_lines(model)),
        "boards": boards_for(len(model), arena),
        "bytes": len(model),
        "digest": hashlib.sha256(model).hexdigest(),
        "labels": labels,
        "operators": operators_of(model),
        "outputs": {"scores": chip.scores, "similarity": chip.similarity},
        "scales": {"scores": chip.scale_of(chip.scores), "similarity": chip.scale_of(chip.similarity)},
        "size": source.manifest["input"]["size"],
        "threshold": source.manifest.get("unknown", {}).get("threshold", -2.0),
    }
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), undefined=jinja2.StrictUndefined, keep_trailing_newline=True
    )
    environment.filters["cpp"] = cpp_literal
    folder.mkdir()
    for name in (*PARTS, "README.md"):
        text = environment.get_template(f"arduino/{name}.jinja").render(values)
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
    for name, text in source.texts.items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")


def _lines(model: bytes) -> list[str]:
    return [
        ",".join(f"0x{byte:02x}" for byte in model[start : start + LINE]) + "," for start in range(0, len(model), LINE)
    ]


def run_sketch(folder: Path) -> "Run":
    """The array of a sketch in TensorFlow Lite Micro. Raises ModelError if it cannot be loaded."""
    from retrain.exports.on_chip import OnChip

    try:
        text = (folder / "model.cpp").read_text(encoding="ascii")
        header = (folder / "model.h").read_text(encoding="utf-8")
        array, digest = ARRAY.search(text), DIGEST.search(text)
        model = bytes.fromhex(re.sub(r"0x|[,\s]", "", array[1])) if array else b""
        if digest is None or hashlib.sha256(model).hexdigest() != digest[1]:
            raise ModelError(f"{folder} cannot be loaded: the array in model.cpp is not the one that was written.")
        arena = re.search(r"kArenaBytes = (\d+);", header)
        manifest = parse_json(read_limited(folder / "model.json"), dict[str, Any])
        return OnChip(model, int(arena[1]) if arena else 0, len(manifest["labels"])).run
    except (OSError, ValueError, RuntimeError, KeyError, ForeignFileError) as error:
        reason = first_line(error)
        raise ModelError(f"{folder} cannot be loaded: {reason}.") from None


FORMATS = (
    Format(
        "arduino",
        ("arduino",),
        INT8,
        run_sketch,
        conversions=(Conversion(write_sketch, ELSEWHERE),),
        extra="arduino",
        own_program=False,
        lacks=no_interpreter,
        parts=lambda export: (f"arduino/{name}" for name in PARTS),
    ),
)
