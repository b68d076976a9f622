"""What this machine can compute with: its cores, its GPU, and the precision of the bottlenecks.

bfloat16 and float16 run convolutions about twice as fast, int8 once more so. Their bottlenecks are not float32's
(they differ by 1 to 10 %), so the precision is part of the bottleneck fingerprint; what that costs in
accuracy was measured to be within the noise, see docs/speed.md. Exports are float32 in any case.

A warm run has to know its fingerprint without TensorFlow; nothing here imports it. So a GPU that
TensorFlow does not find is noticed when a network has to run: see `retrain.bottlenecks.extraction_config`.
"""

import ctypes
import functools
import glob
import os
from importlib.util import find_spec
from pathlib import Path

from label_image.installing import how_to_install
from retrain.core.errors import OptionError

PRECISIONS = ("auto", "float32", "bfloat16", "float16", "int8")

CORES = "RETRAIN_CORES"  # the environment variable that says how many cores a worker may use
CPU_INFO = Path("/proc/cpuinfo")
BFLOAT16_FLAGS = {"avx512_bf16", "amx_bf16"}  # without them bfloat16 is emulated, and slow
VNNI_FLAGS = {"avx512_vnni", "avx_vnni", "amx_int8"}
INT8_FLAGS = {*VNNI_FLAGS, "avx2"}  # without them int8 is no faster than float32
NVIDIA_DEVICES = "/dev/nvidia[0-9]*"
WSL_DEVICE = "/dev/dxg"  # of Linux under Windows, for GPUs of any maker
DRIVER = "libcuda.so.1"
CUDNN = "libcudnn.so.9"  # of the TensorFlow that pyproject.toml asks for
NO_DEVICES = ("", "none", "void", "-1")
TENSORFLOW_FINDS_NONE = "the driver and CUDA's libraries are there, but TensorFlow finds none; do their versions fit?"

_tensorflow_finds_none = False  # as far as this process has learned


def cores() -> int:
    """How many cores this process may use; a worker of a cluster has a share of them, which is in CORES."""
    found = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    share = os.environ.get(CORES, "")
    return min(found, int(share)) if share.isdecimal() and int(share) else found


def choose_precision(asked: str) -> str:
    """The compute dtype for `--precision asked` on this machine: float32, bfloat16, float16 or int8.

    `auto` is float16 on a GPU, bfloat16 on a CPU that has instructions for it, else float32; never int8.
    Raises OptionError for what the machine cannot do.
    """
    if asked not in PRECISIONS:
        raise OptionError(f"`precision` {asked} is not known; choose from {', '.join(PRECISIONS)}.")
    if asked == "float16" and not has_gpu():
        raise OptionError("`precision` float16 needs a GPU, and none is there: leave it out, or use float32.")
    if asked == "bfloat16" and not has_bfloat16():
        raise OptionError(
            "`precision` bfloat16 needs a CPU with AVX512-BF16 or AMX-BF16, and this one has neither: "
            "leave it out, or use float32."
        )
    if asked == "int8" and not has_int8():
        raise OptionError(
            "`precision` int8 needs a CPU with AVX2, AVX512-VNNI, AVX-VNNI or AMX-INT8, and this one has none of them: "
            "leave it out, or use float32."
        )
    if asked != "auto":
        return asked
    if has_gpu():
        return "float16"
    return "bfloat16" if has_bfloat16() else "float32"


def has_gpu() -> bool:
    """Whether there is a GPU that TensorFlow can use, as far as can be told without TensorFlow."""
    return why_no_gpu() is None


@functools.cache
def why_no_gpu() -> str | None:
    """What a GPU lacks for TensorFlow, as part of a sentence; None where nothing is lacking."""
    if _tensorflow_finds_none:
        return TENSORFLOW_FINDS_NONE
    if _devices("CUDA_VISIBLE_DEVICES") in NO_DEVICES:
        return "CUDA_VISIBLE_DEVICES hides it"
    if not _has_device():
        return "no NVIDIA device is there; a container needs --gpus all"
    if not _loads(DRIVER):
        return f"the driver's {DRIVER} is not there"
    if not (_loads(CUDNN) or _comes_with_packages(CUDNN)):
        return f"{CUDNN} and CUDA's other libraries are not there: {how_to_install('cuda')}"
    return None


def do_without_gpu() -> None:
    """From now on this process knows that TensorFlow finds no GPU: what `auto` chooses is the CPU's."""
    global _tensorflow_finds_none
    _tensorflow_finds_none = True
    why_no_gpu.cache_clear()


def gpu_remark() -> str | None:
    """A sentence where a GPU is there or asked for, and yet cannot be used."""
    why = why_no_gpu()
    visible = _devices("CUDA_VISIBLE_DEVICES")
    if why is None or visible in NO_DEVICES:
        return None
    if _has_device():
        return f"There is a GPU, but it cannot be used ({why}): computing on the CPU."
    for name in ("CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES"):
        if _devices(name) not in (None, *NO_DEVICES):
            return f"A GPU is asked for ({name}={os.environ[name]}), but cannot be used ({why}): computing on the CPU."
    return None


def _devices(variable: str) -> str | None:
    """What an environment variable says of the devices to use; None where it is not set."""
    value = os.environ.get(variable)
    return None if value is None else value.strip().lower()


def _has_device() -> bool:
    return bool(glob.glob(NVIDIA_DEVICES)) or (Path(WSL_DEVICE).exists() and _loads(DRIVER))


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def _comes_with_packages(library: str) -> bool:
    """Whether a library of CUDA lies beside TensorFlow, in NVIDIA's packages, where TensorFlow looks first."""
    spec = find_spec("tensorflow")
    if spec is None or spec.origin is None:
        return False
    return any(Path(spec.origin).parents[1].glob(f"nvidia/*/lib/{library}"))


def computes(dtype: str) -> bool:
    """Whether the CPU has instructions for a compute dtype: bfloat16 and int8 would be slower than float32."""
    return {"bfloat16": has_bfloat16, "int8": has_int8}.get(dtype, lambda: True)()


def has_bfloat16() -> bool:
    """Whether the CPU multiplies bfloat16 natively."""
    return bool(BFLOAT16_FLAGS & _cpu_flags())


def has_int8() -> bool:
    """Whether the CPU adds up products of bytes faster than products of float32."""
    return bool(INT8_FLAGS & _cpu_flags())


def has_vnni() -> bool:
    """Whether the CPU adds up products of bytes in 32 bits.

    Others add two of them in 16 bits first (`vpmaddubsw`), for which 2 x 255 x 127 is too much.
    """
    return bool(VNNI_FLAGS & _cpu_flags())


@functools.cache
def _cpu_flags() -> frozenset[str]:
    try:
        lines = CPU_INFO.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return frozenset()
    return frozenset(next((line for line in lines if line.startswith("flags")), "").split())
