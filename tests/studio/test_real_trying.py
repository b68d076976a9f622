"""What the studio says of real photos is what `label_image` says of them with the export; skipped without ../shared."""

from pathlib import Path

import numpy as np
import pytest
from studios import seen_in, trained_on

from label_image.heatmap import activation_maps
from label_image.model import load_model
from retrain.backbones.backbone_config import BackboneConfig
from retrain.backbones.engines.one_photo import one_photo_engine
from retrain.bottlenecks.extraction_config import ExtractionConfig
from retrain.studio.config import StudioConfig
from retrain.studio.examining import examine
from retrain.studio.kept import Kept
from retrain.studio.taking import take
from retrain.studio.trying import try_photo

CATS = Path(__file__).resolve().parents[3] / "shared/data/cats"
CLOSE = 1e-4  # as proofs have it

pytestmark = [pytest.mark.real, pytest.mark.skipif(not CATS.exists(), reason=f"{CATS} is absent")]


def test_the_studio_and_the_export_agree(tmp_path: Path) -> None:
    folder = tmp_path / "cats"
    for breed in ("Bombay", "Siamese", "Sphynx"):
        (folder / breed).mkdir(parents=True)
        for photo in sorted((CATS / breed).iterdir())[:12]:
            (folder / breed / photo.name).write_bytes(photo.read_bytes())
    config = StudioConfig(
        folder=folder,
        output_dir=tmp_path / "cats_model",
        backbone=BackboneConfig(model_dir=tmp_path / "m"),
        extraction=ExtractionConfig(bottleneck_dir=tmp_path / "b"),
        host="127.0.0.1",
        port=8000,
        https=False,
        token="token",
        phone_token="phone",
    )
    seen = seen_in(config)
    trained = trained_on(seen, config)
    kept = Kept(folder)
    sections = examine(seen, trained, config).plain(seen.listing, kept)["sections"]
    kept.close()
    (few,) = (section for section in sections if section["kind"] == "imbalance")
    assert [(card["id"], card["label"]) for card in few["cards"]] == [
        (None, breed) for breed in ("Bombay", "Siamese", "Sphynx")
    ]
    take(trained, config, "tflite")
    model, maps = load_model(config.output_dir), activation_maps(config.output_dir / "model.tflite")
    look = one_photo_engine(trained.bottlenecks.backbone.in_float32())
    tried = [sorted((CATS / breed).iterdir())[30] for breed in ("Bombay", "Siamese", "Sphynx", "Persian")]
    for path in tried:
        data = path.read_bytes()
        verdict, said = model.label(data), try_photo(data, trained, seen)
        assert [one.label for one in verdict.answers] == [one["label"] for one in said["top"]]
        for answer, one in zip(verdict.answers, said["top"], strict=True):
            assert answer.probability == pytest.approx(one["probability"], abs=CLOSE)
        assert verdict.similarity == pytest.approx(said["similarity"], abs=CLOSE)
        assert (verdict.unknown, verdict.threshold) == (said["unknown"], pytest.approx(said["threshold"]))
        assert said["heat"].startswith("data:image/jpeg;base64,") and len(said["nearest"]) == 3
        pixels = model.preprocessing.pixels(data)
        found = look(pixels).places @ trained.head.kernel + trained.head.bias
        expected = np.moveaxis(maps(pixels), 0, -1)
        np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())
