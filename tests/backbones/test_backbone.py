"""A backbone: what its fingerprint covers, and its sizes."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from weights_of import NAME

from label_image.preprocessing import Preprocessing
from retrain.backbones.backbone import ENGINE_REVISION, Backbone, find_backbone
from retrain.core.errors import OptionError

pytestmark = pytest.mark.usefixtures("nothing_from_outside")


def test_nothing_here_imports_tensorflow() -> None:
    code = "import sys, retrain.backbones.backbone; sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


# What a backbone covers


def test_covers_is_plain_json() -> None:
    backbone = find_backbone(NAME, Path("x"), "random", seed=3)
    assert json.loads(json.dumps(backbone.covers())) == {
        "architecture": NAME,
        "weights_sha256": "random-3",
        "feature_layer": "avg_pool",
        "input_size": 128,
        "preprocessing": "decode(2)|orient|resize(128,bilinear)|value_range(-1,1)",
        "decoder": "pillow 2",
        "compute_dtype": "float32",
        "stored_dtype": "float32",
        "engine_revision": ENGINE_REVISION,
    }


def test_what_an_engine_at_fault_may_have_written_is_not_served_again(monkeypatch: pytest.MonkeyPatch) -> None:
    network, fake = find_backbone(NAME, Path("x"), "random"), find_backbone("fake", Path("x"))
    before = network.covers(), fake.covers()
    monkeypatch.setattr("retrain.backbones.backbone.ENGINE_REVISION", ENGINE_REVISION + 1)
    assert network.covers() == {**before[0], "engine_revision": ENGINE_REVISION + 1}
    assert fake.covers() == before[1]  # NumPy's: nothing was at fault, and nothing is computed again


@pytest.mark.parametrize(
    "change",
    [
        {"architecture": "x"},
        {"weights_sha256": "x"},
        {"feature_layer": "x"},
        {"compute_dtype": "bfloat16"},
        {"stored_dtype": "float16"},
        {"preprocessing": Preprocessing.parse("decode|resize(8,box)")},
    ],
)
def test_covers_changes_with_all_that_changes_a_bottleneck(change: dict[str, object]) -> None:
    backbone = find_backbone("fake", Path("x"))
    changed: Backbone = replace(backbone, **change)  # type: ignore[arg-type]
    assert changed.covers() != backbone.covers()
    assert replace(backbone, weights_file=Path("elsewhere")).covers() == backbone.covers()


# Which weights


def test_the_fake_backbone_needs_no_weights(models: Path) -> None:
    fake = find_backbone("fake", models, seed=5)
    assert (fake.weights_file, fake.dim, fake.input_size) == (None, 3, 8)
    assert fake == find_backbone("fake", models)
    assert not models.exists()


def test_random_weights_are_known_by_their_seed(models: Path) -> None:
    one, again, other = (find_backbone(NAME, models, "random", seed=seed) for seed in (1, 1, 2))
    assert one == again
    assert one.covers() != other.covers()
    assert one.weights_file is None


def test_an_image_size_replaces_the_usual_one(models: Path) -> None:
    backbone = find_backbone(NAME, models, "random", image_size=160)
    assert backbone.input_size == 160
    assert str(backbone.preprocessing) == "decode(2)|orient|resize(160,bilinear)|value_range(-1,1)"


@pytest.mark.parametrize("size", [0, -5, 7, 2049, 5000])
def test_an_image_size_beyond_those_of_the_command_line_is_refused(size: int) -> None:
    with pytest.raises(OptionError, match=f"^`image_size` {size} must be from 8 to 2048 pixels.$"):
        find_backbone(NAME, Path("x"), "random", image_size=size)


@pytest.mark.parametrize("size", [224.0, True, "224"])
def test_an_image_size_is_a_whole_number(size: Any) -> None:
    for name in (NAME, f"{NAME}+fake"):
        with pytest.raises(OptionError, match=f"^`image_size` takes a whole number; got {type(size).__name__} "):
            find_backbone(name, Path("x"), "random", image_size=size)


def test_untrained_weights_are_said() -> None:
    assert "resnet50, untrained, " in find_backbone("resnet50", Path("x"), "random").describe()


def test_parts_of_different_sizes_see_photos_of_the_largest() -> None:
    joined = find_backbone("efficientnet_lite0+efficientnet_lite2", Path("x"), "random")
    assert [part.input_size for part in joined.parts] == [260, 260]
    joined = find_backbone("efficientnet_lite0+efficientnet_lite2", Path("x"), "random", image_size=224)
    assert joined.input_size == 224
