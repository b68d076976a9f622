"""The whole command on real photos and real weights; skipped where ../shared is absent."""

import json
import os
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from calling import call
from schemas import check

import label_image.cli
import retrain.backbones.network
import retrain.cli.main
from label_image.model import load_model
from label_image.preprocessing import load_pixels
from retrain.exports.proof.reference import CHECK_PHOTOS
from retrain.photos.split import split_photos

SHARED = Path(__file__).resolve().parents[3] / "shared"
WEIGHTS = SHARED / "weights/mobilenet_0.25_128.weights.h5"

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not WEIGHTS.exists() or not (SHARED / "data/cats").exists(), reason=f"{SHARED} is absent"),
]


def train(*arguments: object) -> dict:
    done = call(retrain.cli.main.main, "--json", *arguments)
    assert done.code == 0, done.err
    return json.loads(done.out)


@pytest.fixture(scope="module")
def cats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    folder = tmp_path_factory.mktemp("cats")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        arguments = ["--image_dir", SHARED / "data/cats", "--architecture", "mobilenet_0.25_128", "--weights", WEIGHTS]
        arguments += ["--output_graph", folder / "graph.pb"]
        report = train(*arguments)
        yield SimpleNamespace(folder=folder, model=folder / "tf_files/model", report=report, arguments=arguments)


def manifest(model: Path) -> dict:
    return check("model", (model / "model.json").read_text(encoding="utf-8"))


def held_out(limit: int) -> list[tuple[str, str]]:
    """Test photos of the default split, spread over the breeds, with their breed."""
    from label_image.files import sha256_of_bytes
    from retrain.photos.dataset import Photo

    photos = [
        Photo(str(path), path.parent.name, sha256_of_bytes(path.read_bytes()))
        for path in sorted((SHARED / "data/cats").rglob("*.jpg"))
    ]
    sides = split_photos(photos, 10, 10, 0).splits
    chosen = [(photo.path, photo.label) for photo, side in zip(photos, sides, strict=True) if side == "testing"]
    return chosen[:: max(1, len(chosen) // limit)][:limit]


def test_breeds_are_learned(cats: SimpleNamespace) -> None:
    assert len(cats.report["classes"]) == 12
    assert cats.report["photos"]["used"] >= 2390
    assert cats.report["test"]["n"] >= 200
    assert cats.report["test"]["accuracy"] >= 0.66
    low, high = cats.report["test"]["interval"]
    assert low < cats.report["test"]["accuracy"] < high
    assert high - low < 0.15


def test_every_format_agrees_with_the_model_on_test_photos(cats: SimpleNamespace) -> None:
    proofs = manifest(cats.model)["parity"]
    photos = {name: proof["photos"] for name, proof in proofs.items()}
    assert photos == {"saved_model": 16, "saved_model_bytes": 4, "tflite": 16, "graph_def": 16}
    of_templates = manifest(cats.model)["template"]["parity"]  # which were new, and proven on more
    assert {name: proof["photos"] for name, proof in of_templates.items()} == {
        "saved_model": 48, "saved_model_bytes": 12, "tflite": 48,
    }  # fmt: skip
    for proof in (*proofs.values(), *of_templates.values()):
        assert proof["greatest_difference"] <= 1e-4
        assert proof["top_1_agreement"] == 1.0


def test_formats_agree_with_each_other_on_100_photos_read_here(cats: SimpleNamespace, tmp_path: Path) -> None:
    tflite = load_model(cats.model)
    without = shutil.copytree(cats.model, tmp_path / "model")
    (without / "model.tflite").unlink()
    saved_model = load_model(without)
    pixels = np.stack([load_pixels(path, tflite.preprocessing) for path, _ in held_out(100)])
    one, other = tflite.run(pixels), saved_model.run(pixels)
    assert len(pixels) == 100
    assert np.abs(one.probabilities - other.probabilities).max() <= 1e-4
    assert (one.probabilities.argmax(axis=1) == other.probabilities.argmax(axis=1)).all()
    assert one.similarity is not None and other.similarity is not None
    assert np.abs(one.similarity - other.similarity).max() <= 1e-4


def test_label_image_names_the_breed_of_held_out_photos(cats: SimpleNamespace) -> None:
    photos = held_out(60)
    done = call(label_image.cli.main, "--json", "--model", cats.model, *[path for path, _ in photos])
    assert done.code == 0, done.err
    answers = [json.loads(line)["label"] for line in done.out.splitlines()]
    right = sum(answer == breed for answer, (_, breed) in zip(answers, photos, strict=True))
    assert right >= 0.6 * len(photos)
    assert len(Counter(answers)) >= 10


def test_odd_files_are_all_labelled(cats: SimpleNamespace) -> None:
    done = call(label_image.cli.main, "--json", "--model", cats.model, SHARED / "data/odd")
    assert done.code == 0, done.err
    answers = [json.loads(line) for line in done.out.splitlines()]
    assert len(answers) == len(os.listdir(SHARED / "data/odd"))
    assert all(answer["label"] in cats.report["classes"] for answer in answers)


def test_second_run_computes_nothing_and_makes_the_same_model(cats: SimpleNamespace) -> None:
    before = manifest(cats.model)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(retrain.backbones.network, "load_network", None)
        report = train(*cats.arguments)
    assert cats.report["bottlenecks"]["computed"] > 2300
    assert report["bottlenecks"]["computed"] == 0
    assert report["bottlenecks"]["hits"] == report["photos"]["used"]
    assert report["test"] == cats.report["test"]
    assert manifest(cats.model) == before
    assert manifest(cats.model)["parity"]["tflite"]["photos"] == CHECK_PHOTOS < 100


def test_weights_of_another_network_are_a_sentence(cats: SimpleNamespace) -> None:
    other = SHARED / "weights/mobilenet_1.0_224.weights.h5"
    arguments = list(cats.arguments)
    arguments[arguments.index("--weights") + 1] = other
    done = call(retrain.cli.main.main, *arguments, "--output_dir", "other")
    assert done.code == 1
    assert "mobilenet_0.25_128" in done.err
    assert other.name in done.err
    assert "Traceback" not in done.err
