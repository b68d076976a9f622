"""The defects of the 2017 scripts that could come back here, each shown to be absent.

T4 and T9 are in photos/test_split.py, T5 to T7 in photos/test_dataset.py, T13 and T18 in cli/test_main.py, T12 in
e2e/test_command_of_2017.py, T19 to T22 in label_image/test_cli.py. T11 (distortions switch the cache off): views are
cached, see bottlenecks/test_extraction_views.py.
"""

from pathlib import Path

import numpy as np
import pytest
from painting import paint
from PIL import Image

from label_image.preprocessing import Pixels
from retrain.backbones.backbone import Backbone, find_backbone
from retrain.backbones.backbone_config import BackboneConfig
from retrain.backbones.engines.base import Engine, Vectors
from retrain.backbones.engines.registry import start_engine
from retrain.bottlenecks.extraction import Extraction, extract
from retrain.bottlenecks.extraction_config import ExtractionConfig
from retrain.bottlenecks.store import Store
from retrain.exports.export_config import ExportConfig
from retrain.photos.opening import list_photos
from retrain.training.head import Sample
from retrain.training.recipe import HeadConfig, choose_recipe

FAKE = find_backbone("fake", Path("models"))


def cats(root: Path, shade: int = 0) -> Path:
    for number in range(40):
        paint(root / "cat" / f"{number}.png", (number, shade, 0))
        paint(root / "dog" / f"{number}.png", (number, shade, 255))
    return root


def expected(extraction: Extraction) -> Vectors:
    """The average colours that the photos on the disk have now."""
    colours = [np.asarray(Image.open(photo.path))[0, 0] for photo in extraction.photos]
    return (np.array(colours) / 127.5 - 1).astype(np.float32)


def test_t1_a_replaced_photo_of_the_same_name_is_computed_again(tmp_path: Path) -> None:
    photos = cats(tmp_path / "photos")
    extract(list_photos(photos), FAKE, tmp_path / "store")
    paint(photos / "cat" / "7.png", (200, 100, 50))
    again = extract(list_photos(photos), FAKE, tmp_path / "store")
    assert again.computed == 1
    np.testing.assert_allclose(again.matrix, expected(again), atol=1e-5)


def test_t2_two_data_sets_with_the_same_names_share_a_store(tmp_path: Path) -> None:
    for root in (cats(tmp_path / "one", shade=10), cats(tmp_path / "other", shade=200)):
        extraction = extract(list_photos(root), FAKE, tmp_path / "store")
        np.testing.assert_allclose(extraction.matrix, expected(extraction), atol=1e-5)


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9, 0.999])
def test_t3_a_torn_file_is_computed_again(tmp_path: Path, kept: float) -> None:
    photos = cats(tmp_path / "photos")
    first = extract(list_photos(photos), FAKE, tmp_path / "store")
    for shard in (tmp_path / "store" / first.fingerprint).glob("*.parquet"):
        shard.write_bytes(shard.read_bytes()[: int(shard.stat().st_size * kept)])
    again = extract(list_photos(photos), FAKE, tmp_path / "store")
    assert (again.computed, again.set_aside) == (80, 2)  # one shard of photos, one of the probe
    np.testing.assert_array_equal(again.matrix, first.matrix)


def test_t8_a_broken_photo_is_named_and_the_others_are_used(tmp_path: Path) -> None:
    photos = cats(tmp_path / "photos")
    (photos / "cat" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more")
    extraction = extract(list_photos(photos), FAKE, tmp_path / "store")
    assert len(extraction.photos) == 80
    assert [Path(item.path).name for item in extraction.skipped] == ["broken.jpg"]


def test_t10_photos_run_in_batches_and_once(tmp_path: Path) -> None:
    sizes = []

    def start(backbone: Backbone) -> Engine:
        engine = start_engine(backbone)

        def run(pixels: Pixels) -> Vectors:
            sizes.append(len(pixels))
            return engine(pixels)

        return run

    extract(list_photos(cats(tmp_path / "photos")), FAKE, tmp_path / "store", start=start)
    assert sizes == [3, 32, 32, 16]  # the probe, then the 80 photos


def blobs(seed: int) -> Sample:
    random = np.random.default_rng(seed)
    classes = random.integers(0, 2, 60)
    return Sample((random.normal(size=(60, 4)) + classes[:, None]).astype(np.float32), classes)


def test_t14_the_seed_decides_and_the_best_step_is_kept() -> None:
    from retrain.training.fitting.mini_batches import fit_mini_batches

    # With this learning rate the training soon overshoots: the last step is not the best one.
    arguments = {"how_many_training_steps": 80, "learning_rate": 5.0, "train_batch_size": 4, "eval_step_interval": 1}
    recipes = [choose_recipe(HeadConfig(**arguments), seed) for seed in (5, 5, 6)]
    one, other, third = (fit_mini_batches(blobs(1), blobs(2), 2, recipe) for recipe in recipes)
    np.testing.assert_array_equal(one.head.kernel, other.head.kernel)
    assert not np.array_equal(one.head.kernel, third.head.kernel)
    losses = [progress.validation_cross_entropy for progress in one.curve]
    assert one.description["best_step"] == int(np.argmin(losses)) < 79


def test_t15_test_photos_can_be_evaluated_in_parts() -> None:
    from retrain.training.fitting.convergence import fit_to_convergence
    from retrain.training.head import predict

    head, sample = fit_to_convergence(blobs(1), blobs(2), 2).head, blobs(3)
    np.testing.assert_allclose(predict(head, sample, 7), predict(head, sample), atol=1e-6)


def test_t16_a_saved_model_takes_encoded_photos_of_any_size(tmp_path: Path) -> None:
    from retrain.backbones.network import load_network
    from retrain.core.tensorflow import tf
    from retrain.exports.classifier import Classifier
    from retrain.exports.formats.saved_model import write_saved_model
    from retrain.exports.top import Top
    from retrain.training.head import Head

    top = Top(Head(np.eye(3, dtype=np.float32) * 9, np.zeros(3, np.float32)), np.eye(3, dtype=np.float32))
    write_saved_model(Classifier(load_network(FAKE), top, ("red", "green", "blue")), tmp_path / "model")
    photo = paint(tmp_path / "green.png", (0, 255, 0)).read_bytes()
    answer = tf.saved_model.load(str(tmp_path / "model")).signatures["serve_bytes"](image_bytes=tf.constant([photo]))
    assert answer["classes"].numpy()[0][answer["scores"].numpy()[0].argmax()] == b"green"


def test_t17_a_warm_run_reads_the_store_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photos = cats(tmp_path / "photos")
    extract(list_photos(photos), FAKE, tmp_path / "store")
    calls = []
    read = Store.get_many
    monkeypatch.setattr(Store, "get_many", lambda self, *rest: calls.append(1) or read(self, *rest))
    extract(list_photos(photos), FAKE, tmp_path / "store")
    assert len(calls) == 1


def test_t18_nothing_is_kept_in_tmp() -> None:
    for folder in (ExportConfig().output_dir, ExtractionConfig().bottleneck_dir, BackboneConfig().model_dir):
        assert folder.parts[0] == "tf_files"
