"""The one place that imports TensorFlow for training, with its chatter turned down.

Modules that need it write `from retrain.core.tensorflow import tf` and are themselves imported only
when a network has to run or an export has to be written. What TensorFlow's C++ code logs at
start-up (no CUDA, CPU features) comes before any log level is read, hence `quiet`.
"""

import contextlib
import tempfile
import threading
from collections.abc import Iterator, Mapping
from typing import Any

from label_image.files import scratch_folder
from label_image.quiet import quiet
from label_image.strangers import import_tensorflow, without_bytecode

import_tensorflow()
import tensorflow as tf  # noqa: E402  already there: for the type checker

with quiet():
    with contextlib.suppress(RuntimeError):  # somebody else has started TensorFlow already
        for gpu in tf.config.list_physical_devices("GPU"):
            tf.config.experimental.set_memory_growth(gpu, True)  # later it is too late
    tf.config.list_logical_devices()  # the search for GPUs is the noisy part
tf.get_logger().setLevel("ERROR")
_saving = threading.Lock()  # where temporary files go is the same for all threads


@contextlib.contextmanager
def leaving_nothing() -> Iterator[None]:
    """TensorFlow's temporary files, the code that it generates among them, go into a folder that is removed.

    Also where the process is killed, by the next run. By itself it removes them when Python ends as it should.
    """
    with _saving, quiet(), without_bytecode(), scratch_folder() as folder:
        before, tempfile.tempdir = tempfile.tempdir, str(folder)
        try:
            yield
        finally:
            tempfile.tempdir = before


def save_model(module: Any, folder: str, signatures: Mapping[str, Any]) -> None:
    """`tf.saved_model.save`, leaving nothing else."""
    with leaving_nothing():
        tf.saved_model.save(module, folder, signatures=dict(signatures))


__all__ = ["leaving_nothing", "quiet", "save_model", "tf"]
