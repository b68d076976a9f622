"""`--architecture a+b` from photos to an export that is used, and from a sweep to the head that it tested."""

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from calling import call
from PIL import Image
from schemas import check

import label_image.cli
import retrain.cli.main

SHARED = Path(__file__).resolve().parents[3] / "shared"
NAME = "fake+mobilenet_0.25_128"
REAL = ("mobilenet_0.25_224", "mobilenet_v2_0.35_224")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def train(*arguments: object) -> dict:
    done = call(retrain.cli.main.main, "--json", *arguments)
    assert done.code == 0, done.err
    return json.loads(done.out)


def test_a_joined_backbone_is_trained_exported_and_used() -> None:
    """Its parts have arithmetic each and none together; an export of other numbers would not be written."""
    for number in range(40):
        label, shade = (("dark", 90), ("light", 160))[number % 2]
        pixels = np.random.default_rng(number).normal(shade, 20, (30, 40, 3)).clip(0, 255).astype(np.uint8)
        path = Path("photos", label, f"{number}.png")
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    options = ("--image_dir", "photos", "--architecture", NAME, "--weights", "random", "--image_size", "32")
    report = train(*options)
    assert report["bottlenecks"] == {"hits": 0, "computed": 80, "set_aside": 0}
    assert report["test"]["accuracy"] > 0.8
    model = check("model", Path("tf_files/model/model.json").read_text())
    assert (model["architecture"], model["preprocessing"]) == (NAME, "decode(2)|orient|resize(32,bilinear)")
    assert set(model["parity"]) >= {"saved_model", "tflite"}
    assert train(*options)["bottlenecks"] == {"hits": 80, "computed": 0, "set_aside": 0}
    for form in ("tf_files/model", "tf_files/model/model.tflite"):
        said = call(label_image.cli.main, "--model", form, "--json", "photos/dark/0.png", "photos/light/1.png")
        assert said.code == 0, said.err
        best = [json.loads(line)["label"] for line in said.out.splitlines()]
        assert best == ["dark", "light"]
    drawn = call(label_image.cli.main, "--heatmap", "heat.png", "photos/dark/0.png")
    assert drawn.code == 1 and "places of different sizes" in drawn.err + drawn.out


@pytest.mark.real
@pytest.mark.skipif(not (SHARED / "data/flowers").exists(), reason=f"{SHARED} is absent")
def test_the_command_of_a_sweep_trains_the_head_that_it_tested() -> None:
    """On bottlenecks of two networks."""
    weights = [f"--weights={name}={SHARED}/weights/{name}.weights.h5" for name in REAL]
    sources = (
        "--image_dir",
        SHARED / "data/flowers",
        "--max_images_per_class",
        50,
        "--architecture",
        "+".join(REAL),
        "--precision",
        "float32",  # that of the export, from which `retrain` quotes
        *weights,
    )
    swept = call(retrain.cli.main.main, "sweep", *sources, "--l2", "0.1,0.03", "--testing_percentage", "30")
    assert swept.code == 0, swept.err
    found = re.search(r"test: accuracy ([\d.]+%) on (\d+) photos", swept.out)
    assert found and found[1] != "100.0%"
    report = train(*shlex.split(swept.out.splitlines()[-1])[1:])
    assert report["bottlenecks"]["computed"] == 0
    assert (f"{report['test']['accuracy']:.1%}", report["test"]["n"]) == (found[1], int(found[2]))
