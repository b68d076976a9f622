"""Options that are given by variables of the environment."""

from pathlib import Path

import pytest
from calling import call

from retrain.cli.main import main
from retrain.cli.train import train


def test_a_variable_stands_for_an_option_and_the_command_line_counts_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RETRAIN_STORE_INFO_BOTTLENECK_DIR", str(tmp_path / "nowhere"))
    assert f"There is no folder {tmp_path / 'nowhere'}" in call(main, "store", "info").err
    (tmp_path / "there").mkdir()
    assert call(main, "store", "info", "--bottleneck_dir", tmp_path / "there").code == 0
    monkeypatch.setenv("RETRAIN_STORE_INFO_BOTTLENECK_DIR", "")
    monkeypatch.chdir(tmp_path)
    assert "tf_files/bottlenecks" in call(main, "store", "info").err


@pytest.mark.parametrize("command", [(), ("train",)])
def test_the_command_is_train_where_none_is_named(command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RETRAIN_TRAIN_IMAGE_DIR", "no_such_folder")
    said = call(main, *command)
    assert said.code != 0 and "There is no folder or manifest no_such_folder" in said.err
    monkeypatch.setenv("RETRAIN_TRAIN_SEED", "many")
    said = call(main, *command)
    assert said.code == 2 and "many" in said.err and "seed" in said.err


@pytest.mark.parametrize("value", ["1", "1.2"])
def test_a_variable_of_the_version_asks_nothing(value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RETRAIN_VERSION", value)
    said = call(main, "store", "info", "--bottleneck_dir", tmp_path / "nowhere")
    assert said.code != 0 and "There is no folder" in said.err


@pytest.mark.parametrize(
    "address",
    ["s3://bucket/birds", "hf://datasets/birds", "http://host:8080/birds.zip", "tfds:birds", "tfds:birds:train[:10%]"],
)
def test_a_variable_may_name_an_address(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RETRAIN_TRAIN_ADD_IMAGES", f"more:{address}:/data/cats")
    with train.make_context("train", ["--image_dir", "cats"], auto_envvar_prefix="RETRAIN_TRAIN") as made:
        assert [str(one) for one in made.params["add_images"]] == ["more", address, "/data/cats"]
