"""The one place that imports TensorFlow, with its chatter turned down.

Modules that need it write `from retrain.networks.tensorflow import tf` and are themselves imported only
when a network has to run or an export has to be written. What TensorFlow's C++ code logs at
start-up (no CUDA, CPU features) comes before any log level is read, hence `quiet`.
"""

import contextlib
import os
import sys
from collections.abc import Iterator

from label_image.quiet import quiet


@contextlib.contextmanager
def without_keras() -> Iterator[None]:
    """Keep `import tensorflow` from importing Keras, which it does at its end and does not need.

    Keras (and scikit-learn, matplotlib and what else it finds) is up to half of TensorFlow's import.
    Where a network is built it is imported then; an export from a template takes none.
    """
    if "keras" in sys.modules:
        yield
        return
    sys.modules["keras"] = None  # type: ignore[assignment]  # Python's own way to say: not there
    try:
        yield
    finally:
        del sys.modules["keras"]


os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
with quiet():
    with without_keras():
        import tensorflow as tf

    with contextlib.suppress(RuntimeError):  # somebody else has started TensorFlow already
        for gpu in tf.config.list_physical_devices("GPU"):
            tf.config.experimental.set_memory_growth(gpu, True)  # later it is too late
    tf.config.list_logical_devices()  # the search for GPUs is the noisy part
tf.get_logger().setLevel("ERROR")

__all__ = ["quiet", "tf"]
