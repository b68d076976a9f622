"""What a user has put into an export, or changed there, outlives further formats and trainings."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from calling import call
from stand_ins import converted

from retrain.cli.main import main

Export = Callable[..., list[str]]  # writes formats, and returns what was said


@pytest.fixture
def export(trained: Path, model: Path, tmp_path: Path) -> Export:
    def written(*formats: str) -> list[str]:
        said: list[str] = []
        converted(model, formats, str(trained / "photos"), tmp_path / "b", said.append)
        return said

    return written


def kept(said: list[str]) -> list[str]:
    return [sentence for sentence in said if "kept as" in sentence or "stays as it is" in sentence]


def test_a_file_that_lies_where_a_format_comes_is_kept(model: Path, export: Export) -> None:
    (model / "graph.pb").write_text("mine")
    assert kept(export("graph_def")) == [
        f"{model}/graph.pb is not as an export left it: it is kept as {model}/graph.pb.1."
    ]
    assert (model / "graph.pb.1").read_text() == "mine" and (model / "graph.pb").stat().st_size > 1000


def test_a_link_or_a_folder_where_a_file_comes_is_kept(model: Path, export: Export, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    (model / "graph.pb").symlink_to(tmp_path / "mine")
    (model / "model_float16.tflite").mkdir()
    (model / "model_float16.tflite" / "notes.txt").write_text("mine")
    assert len(kept(export("graph_def", "tflite_float16"))) == 2
    assert (model / "graph.pb.1").read_text() == (model / "model_float16.tflite.1" / "notes.txt").read_text() == "mine"


def test_a_format_that_was_changed_by_hand_is_kept(model: Path, export: Export) -> None:
    assert kept(export("tfjs")) == []
    (model / "tfjs" / "notes.txt").write_text("mine")
    assert len(kept(export("tfjs"))) == 1
    assert (model / "tfjs.1" / "notes.txt").read_text() == "mine" and not (model / "tfjs" / "notes.txt").exists()


def test_what_exports_wrote_themselves_is_replaced(model: Path, export: Export) -> None:
    export("graph_def", "tflite", "tfjs")
    assert kept(export("graph_def", "tflite", "tfjs")) == []
    assert not [path for path in model.iterdir() if path.name.endswith(".1")]


def test_a_client_that_was_changed_stays_and_others_come_back(model: Path, export: Export) -> None:
    export("tflite")
    (model / "clients" / "classify.py").write_text("mine")
    (model / "clients" / "my_app.py").write_text("mine, too")
    (model / "clients" / "classify.mjs").unlink()
    (sentence,) = kept(export("tflite"))
    assert sentence.startswith(f"{model}/clients/classify.py is not as this version writes it, and stays as it is")
    assert (model / "clients" / "classify.py").read_text() == "mine"
    assert (model / "clients" / "my_app.py").exists() and (model / "clients" / "classify.mjs").exists()


def test_a_file_in_the_place_of_the_clients_is_kept(model: Path, export: Export) -> None:
    (model / "clients").write_text("mine")
    export("tflite")
    assert (model / "clients.1").read_text() == "mine" and (model / "clients" / "classify.py").exists()


@pytest.mark.parametrize("name", ["clients/my_app.py", "clients/classify.py", "variables/notes.txt"])
def test_what_is_the_user_s_in_folders_of_an_export_outlives_two_trainings(
    name: str, trained: Path, model: Path, tmp_path: Path
) -> None:
    photos = ["--image_dir", trained / "photos", "--bottleneck_dir", tmp_path / "b", "--architecture", "fake"]
    (model / name).parent.mkdir(exist_ok=True)
    (model / name).write_text("mine")
    said = [call(main, *photos, "--output_dir", model, "--l2", strength) for strength in ("0.1", "0.2")]
    assert [one.code for one in said] == [0, 0], said[1].err
    assert (tmp_path / "model.previous.1" / name).read_text() == "mine"
    assert name in said[1].out + said[1].err


@pytest.mark.parametrize("left", [["format"], ["format", "labels", "preprocessing"]])
def test_clients_of_an_older_export_are_kept_as_well(
    left: list[str], model: Path, trained: Path, tmp_path: Path
) -> None:
    """How they would be written cannot be told of its manifest."""
    photos = ["--image_dir", trained / "photos", "--bottleneck_dir", tmp_path / "b", "--architecture", "fake"]
    (model / "clients").mkdir()
    (model / "clients" / "classify.py").write_text("of another version")
    manifest = json.loads((model / "model.json").read_text())
    (model / "model.json").write_text(json.dumps({name: manifest[name] for name in left}))
    for strength in ("0.1", "0.2"):
        said = call(main, *photos, "--output_dir", model, "--l2", strength)
        assert said.code == 0, said.err
    assert (tmp_path / "model.previous.1" / "clients" / "classify.py").read_text() == "of another version"
