"""Several runs of TensorFlow's engine at once, in fresh processes: see scripts/check_engine.py.

Of processes with the engine that shared kernels between runs, six of seven crashed or were wrong in float32.
"""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from check_engine import wrong_bottlenecks

from label_image.preprocessing import Pixels
from retrain.backbones.backbone import find_backbone
from retrain.backbones.engines.base import Engine, Vectors

SCRIPT = Path(__file__).parents[2] / "scripts" / "check_engine.py"


@pytest.mark.parametrize(("precision", "processes"), [("float32", 3), ("bfloat16", 1)])
def test_runs_at_the_same_time_do_not_mix_up_photos(precision: str, processes: int) -> None:
    options = ["--processes", str(processes), "--precision", precision]
    checked = subprocess.run([sys.executable, str(SCRIPT), *options], capture_output=True, text=True)
    assert checked.stdout.endswith(f"{processes} processes: {processes} right, 0 wrong, 0 crashed\n"), checked.stdout
    assert checked.returncode == 0


def test_the_check_finds_a_wrong_bottleneck(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []

    def engine(_: object) -> Engine:
        def run(pixels: Pixels) -> Vectors:
            calls.append(len(pixels))
            vectors = np.ones((len(pixels), 3), np.float32)
            vectors[5, 1] += 0.5 * (len(calls) == 2)
            return vectors

        return run

    monkeypatch.setattr("retrain.backbones.engines.tensorflow.tensorflow_cpu_engine", engine)
    assert wrong_bottlenecks(find_backbone("fake", Path("x")), photos=256, rounds=3, runs=1) == (1, 0.5)
