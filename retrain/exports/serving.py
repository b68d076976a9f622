"""A SavedModel where TensorFlow Serving looks for one: a folder of numbered versions, the highest is served.

    DIR/1/  saved_model.pb, variables/, assets.extra/{labels.txt, model.json, tf_serving_warmup_requests}

The server runs the warm-up requests before it answers: without them the first photo of each signature
waits until TensorFlow has chosen its kernels. They are a TFRecord of `PredictionLog`, a message of
tensorflow-serving-api; of it only lengths and numbers of fields are needed here, so the package is not.
"""

import errno
import io
import os
import shutil
from pathlib import Path
from typing import Any

from PIL import Image

from label_image.files import reason_of, temporary_folder
from label_image.plain_paths import plain_path
from retrain.core.errors import ExportError
from retrain.core.outputs import MANIFEST
from retrain.core.placing import obey_umask
from retrain.core.tensorflow import tf
from retrain.exports.formats.saved_model import FILES

EXTRA, WARM_UP = "assets.extra", "tf_serving_warmup_requests"
# Numbers of fields: PredictionLog.predict_log, PredictLog.request, PredictRequest.model_spec and .inputs,
# ModelSpec.name and .signature_name; of an entry of a map, key and value.
PREDICT_LOG, REQUEST, MODEL_SPEC, INPUTS, MODEL_NAME, SIGNATURE_NAME, KEY, VALUE = 6, 1, 1, 2, 1, 3, 1, 2


def write_serving(export: Path, folder: Path, size: int) -> Path:
    """Copy the SavedModel of an export to the next version folder of `folder`; returns that.

    It is written aside and renamed, so that a server never sees half of one. Raises ExportError.
    """
    try:
        with temporary_folder(folder) as temporary:
            new = temporary / "version"
            # The requests are in UTF-8, whatever the name of the folder is in.
            model = os.fsencode(folder.resolve().name).decode(errors="replace")
            _write_version(export, new, model, size)
            obey_umask(new)
            return _rename_to_next(new, folder)
    except OSError as error:
        raise ExportError(f"`serving_dir` {folder} cannot be written to: {reason_of(error)}.") from None


def _rename_to_next(new: Path, folder: Path) -> Path:
    """Rename a finished version to the number after the highest, which another run may take at the same time."""
    while True:
        version = 1 + max((int(path.name) for path in folder.iterdir() if path.name.isdecimal()), default=0)
        try:
            os.rename(new, folder / str(version))
        except OSError as error:
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                raise
            continue
        return folder / str(version)


def _write_version(export: Path, version: Path, model: str, size: int) -> None:
    (version / EXTRA).mkdir(parents=True)
    for name in FILES:
        if (export / name).is_dir():
            shutil.copytree(export / name, version / name)
        elif (export / name).exists():
            shutil.copyfile(export / name, version / name)
    for name in ("labels.txt", MANIFEST):
        shutil.copyfile(export / name, version / EXTRA / name)
    with plain_path(version) as plain, tf.io.TFRecordWriter(str(plain / EXTRA / WARM_UP)) as file:
        for request in warm_up_requests(model, size):
            file.write(request)


def warm_up_requests(model: str, size: int) -> list[bytes]:
    """A serialised PredictionLog for each signature that every export has, with one gray photo."""
    photo = io.BytesIO()
    Image.new("RGB", (size, size), (128, 128, 128)).save(photo, "JPEG")
    pixels = tf.make_tensor_proto(tf.fill((1, size, size, 3), 128.0).numpy())
    return [
        prediction_log(model, "serving_default", "image", pixels),
        prediction_log(model, "numeric", "image", pixels),
        prediction_log(model, "serve_bytes", "image_bytes", tf.make_tensor_proto([photo.getvalue()])),
    ]


def prediction_log(model: str, signature: str, name: str, tensor: Any) -> bytes:
    """A PredictionLog of a request with one input, a TensorProto."""
    spec = _field(MODEL_NAME, model.encode()) + _field(SIGNATURE_NAME, signature.encode())
    inputs = _field(KEY, name.encode()) + _field(VALUE, tensor.SerializeToString(deterministic=True))
    request = _field(MODEL_SPEC, spec) + _field(INPUTS, inputs)
    return _field(PREDICT_LOG, _field(REQUEST, request))


def _field(number: int, content: bytes) -> bytes:
    """A field of a protocol buffer with a length: its key, the length as a varint, the content."""
    length, rest = bytearray(), len(content)
    while rest > 127:
        length.append(rest & 127 | 128)
        rest >>= 7
    return bytes([number << 3 | 2, *length, rest]) + content
