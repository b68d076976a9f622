"""The one place that imports TensorFlow, with its chatter turned down.

Modules that need it write `from retrain.tensorflow import tf` and are themselves imported only
when a network has to run or an export has to be written.
"""

import contextlib
import os
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Send what C++ code writes to file descriptor 2 to nowhere; Python exceptions still rise.

    TensorFlow logs its start-up (CUDA not found, CPU features) and its converter logs every step
    before any log level is read, so there is no option that would do.
    """
    sys.stderr.flush()
    saved = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        sys.stderr.flush()
        os.dup2(saved, 2)
        os.close(saved)
        os.close(nowhere)


os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
with quiet():
    import tensorflow as tf

    tf.config.list_logical_devices()  # the search for GPUs is the noisy part
tf.get_logger().setLevel("ERROR")

__all__ = ["quiet", "tf"]
