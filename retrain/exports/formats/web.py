"""The camera page: a folder that any web server serves as it is, and a phone runs the model in it by itself.

The page is that of `label_image.web`. Its model is a float16 TFLite, or an int8 one: less than half the download and
about twice as fast, with answers that differ a little more. What is proven here is the model as it lies packed in the
folder, by LiteRT; a browser runs the same file by LiteRT's WebAssembly.
"""

import gzip
import json
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from label_image.errors import ForeignFileError, ModelError, first_line
from label_image.files import scratch_folder
from label_image.foreign_text import parse_json, read_limited
from retrain.exports.formats.base import Conversion, Format, Source
from retrain.exports.formats.tflite import one_photo_model, write_with_texts
from retrain.exports.formats.tflite_variants import convert_float16, convert_int8, convert_int8_with_float_head
from retrain.exports.proof.limits import FLOAT16, INT8

if TYPE_CHECKING:
    from label_image.runtimes import Run

ELSEWHERE = "run by LiteRT, not in a browser"


def no_runtime() -> str | None:
    """What is missing where `make web-runtime` has not been run."""
    from label_image.web.site import why_no_runtime  # with all of Pillow

    return why_no_runtime()


def run_web(folder: Path) -> "Run":
    """The model of a page in LiteRT. Raises ModelError if it cannot be loaded."""
    from label_image.runtimes import tflite_runner
    from label_image.web.site import CONFIG

    try:
        config = parse_json(read_limited(folder / CONFIG), dict[str, object])
        model = config["model"]
        name = model["file"] if isinstance(model, dict) else ""
        data = gzip.decompress((folder / Path(str(name)).name).read_bytes())
    except (OSError, EOFError, zlib.error, KeyError, ForeignFileError) as error:
        raise ModelError(f"{folder} cannot be loaded: {first_line(error)}.") from None
    with scratch_folder() as scratch:
        (scratch / "model.tflite").write_bytes(data)
        return tflite_runner(scratch / "model.tflite")  # which reads it at once


def _parts(export: Path, page: str) -> Iterator[str]:
    from label_image.web.site import CONFIG, INDEX, RUNTIME_FILES, SERVICE_WORKER, UNKEPT

    yield from (f"{page}/{name}" for name in (INDEX, SERVICE_WORKER, *RUNTIME_FILES) if name not in UNKEPT)
    yield f"{page}/{CONFIG}"
    yield f"{page}/{json.loads((export / page / CONFIG).read_text(encoding='utf-8'))['model']['file']}"


def _of(convert: Callable[[Source], bytes], remark: str) -> Conversion:
    def write(source: Source, folder: Path) -> None:
        from label_image.web.site import page_files

        with scratch_folder() as scratch:
            write_with_texts(convert(source), source, scratch / "model.tflite")
            files = page_files(scratch / "model.tflite", server=False)
        folder.mkdir()
        for name, data in files.items():
            (folder / name).write_bytes(data)

    return Conversion(write, remark)


def _float16(source: Source) -> bytes:
    return convert_float16(source.made(one_photo_model))


def _int8(source: Source) -> bytes:
    return convert_int8(source.made(one_photo_model), source.calibration())


def _int8_with_float_head(source: Source) -> bytes:
    return convert_int8_with_float_head(source.made(one_photo_model), source.calibration())


FORMATS = (
    Format(
        "web",
        ("web",),
        FLOAT16,
        run_web,
        conversions=(_of(_float16, ELSEWHERE),),
        own_program=False,
        lacks=no_runtime,
        parts=partial(_parts, page="web"),
    ),
    Format(
        "web_int8",
        ("web_int8",),
        INT8,
        run_web,
        conversions=(_of(_int8, ELSEWHERE), _of(_int8_with_float_head, f"head in float32; {ELSEWHERE}")),
        own_program=False,
        lacks=no_runtime,
        parts=partial(_parts, page="web_int8"),
    ),
)
