"""Weights that are fetched before they are needed, from a server on this machine."""

import hashlib
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace as Server

import fetch_weights as script
import pytest
from click.testing import CliRunner

from retrain.backbones import weights
from retrain.backbones.backbone import find_backbone
from retrain.backbones.registry import ARCHITECTURES

NAME, FILE = "inception_v3", "inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5"


@pytest.fixture
def published(server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> bytes:
    """A server that has the file of an architecture; nothing is at hand."""
    data = b"weights" * 1000
    checksum = hashlib.md5(data, usedforsecurity=False).hexdigest()
    monkeypatch.setitem(ARCHITECTURES, NAME, replace(ARCHITECTURES[NAME], checksum=checksum, weights_url=server.url))
    monkeypatch.setattr(weights, "KERAS_CACHE", tmp_path / "keras")
    for module in (weights, script):
        monkeypatch.setattr(module, "INSTALLED_WEIGHTS", tmp_path / "installed")
    server.pages[f"/inception_v3/{FILE}"] = (200, data, len(data))
    return data


def test_they_are_fetched_once(published: bytes, server: Server, tmp_path: Path) -> None:
    for _ in range(2):
        result = CliRunner().invoke(script.main, [NAME, "--model_dir", str(tmp_path / "models")])
        assert result.exit_code == 0, result.output
        assert f"{NAME}: {tmp_path / 'models' / FILE}" in result.output
    assert (tmp_path / "models" / FILE).read_bytes() == published
    assert len(server.asked) == 1


def test_in_an_image_every_run_finds_them(published: bytes, tmp_path: Path) -> None:
    assert CliRunner().invoke(script.main, [f"efficientnet_lite0+{NAME}", "--for_all"]).exit_code == 0
    assert find_backbone(NAME, tmp_path / "other").weights_file == tmp_path / "installed" / FILE


def test_the_folder_of_an_image_is_there_also_where_nothing_is_fetched(published: bytes, tmp_path: Path) -> None:
    """The image's recipe opens it to everyone."""
    result = CliRunner().invoke(script.main, ["efficientnet_lite0+fake", "--for_all"])
    assert result.exit_code == 0 and "fake: has no weights" in result.output
    assert list((tmp_path / "installed").iterdir()) == []


def test_another_file_than_the_published_one_is_refused(published: bytes, server: Server, tmp_path: Path) -> None:
    server.pages[f"/inception_v3/{FILE}"] = (200, b"other", 5)
    result = CliRunner().invoke(script.main, [NAME, "--model_dir", str(tmp_path)])
    assert result.exit_code == 1 and "checksum" in result.output
    assert list(tmp_path.glob("*.h5")) == []


def test_an_unknown_name_is_a_wrong_call(tmp_path: Path) -> None:
    result = CliRunner().invoke(script.main, ["inception_v4", "--model_dir", str(tmp_path)])
    assert result.exit_code == 2 and "inception_v3" in result.output
