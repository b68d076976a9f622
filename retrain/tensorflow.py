"""The one place that imports TensorFlow, with its chatter turned down.

Modules that need it write `from retrain.tensorflow import tf` and are themselves imported only
when a network has to run or an export has to be written. What TensorFlow's C++ code logs at
start-up (no CUDA, CPU features) comes before any log level is read, hence `quiet`.
"""

import os

from label_image.quiet import quiet

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
with quiet():
    import tensorflow as tf

    tf.config.list_logical_devices()  # the search for GPUs is the noisy part
tf.get_logger().setLevel("ERROR")

__all__ = ["quiet", "tf"]
