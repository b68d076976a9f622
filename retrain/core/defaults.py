"""What is taken where nothing else is asked for, by the options of the command line and the configs of the rooms alike.

It imports nothing, for `--help` reads it. Other defaults stand in the one config that has them.
"""

BOTTLENECK_DIR = "tf_files/bottlenecks"
MODEL_DIR = "tf_files/models"  # weights and downloads
FINAL_TENSOR_NAME = "final_result"  # the output of a frozen graph, as in 2017
AUTO = "auto"  # what the machine or the data set make best
SEED = 0
TOP_K = 5  # answers shown of a photo in a report

# How bottlenecks are kept: in float16 they take half the disk (research/compare_store_dtypes.py says what that costs).
STORE_DTYPES = ("float32", "float16")

IMAGE_SIZES = (8, 2048)  # the least and the greatest side of the square that may be asked for, in pixels
