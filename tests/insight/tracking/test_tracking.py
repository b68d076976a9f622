"""What trackers are told of a run, and MLflow as one of them: its own client reads what was kept."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from calling import Called, call
from whole_runs import paint_classes

import retrain.cli.main
from retrain.core.errors import OptionError
from retrain.insight.tracking import mlflow as module
from retrain.insight.tracking.mlflow import TRACKER
from retrain.insight.tracking.registry import TRACKERS, check_trackers

mlflow = pytest.importorskip("mlflow", reason="mlflow-skinny comes with `make cluster`")
TRAIN = ("--image_dir", "photos", "--architecture", "fake", "--formats", "tflite", "--track", "mlflow")


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tracked")
    paint_classes(folder / "photos", each=6)
    return folder


@pytest.fixture(autouse=True)
def alone(work: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nobody's settings, in a folder of its own, and no connection to anybody."""
    monkeypatch.chdir(work)
    for name in (module.ADDRESS, module.EXPERIMENT, *module.SWITCHES, *module.DEFAULTS):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    yield


def run(*arguments: str) -> Called:
    return call(retrain.cli.main.main, *TRAIN, *arguments)


def kept(folder: Path, experiment: str = "retrain") -> list[object]:
    client = mlflow.MlflowClient(folder.absolute().as_uri())
    return list(client.search_runs([client.get_experiment_by_name(experiment).experiment_id]))


def refuse(*_: object) -> None:
    raise AssertionError("it connects to somebody")


def test_a_run_is_kept_in_a_folder_without_a_word_to_anybody(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket.socket, "connect", refuse)
    said = run("--l2", "0.3", "--report", "report.html")
    assert said.code == 0, said.err
    assert "Keeping the run in tf_files/mlruns for mlflow" in said.err
    (found,) = kept(work / module.FOLDER)
    manifest = json.loads((work / "tf_files/model/model.json").read_text(encoding="utf-8"))
    test = manifest["metrics"]["test"]
    assert found.info.status == "FINISHED" and found.info.run_name == "model"
    assert (found.data.params["architecture"], found.data.params["l2"]) == ("fake", "0.3")
    assert found.data.metrics["test_accuracy"] == test["accuracy"]
    assert found.info.end_time - found.info.start_time >= 1000 * found.data.metrics["seconds_total"] - 1
    low, high = (found.data.metrics[f"test_accuracy_{edge}"] for edge in ("low", "high"))
    assert [low, high] == test["interval"]
    assert found.data.tags["dataset_digest"] == manifest["provenance"]["dataset_digest"]
    files = {path.name for path in Path(found.info.artifact_uri.removeprefix("file://")).iterdir()}
    assert files == {"model.json", "labels.txt", "metrics.json", "README.md", "report.html"}


def test_the_penalty_that_was_chosen_is_kept_and_no_validation_that_was_none(work: Path) -> None:
    assert run("--output_dir", "path", "--folds", "3").code == 0
    (found,) = (each for each in kept(work / module.FOLDER) if each.info.run_name == "path")
    chosen = json.loads((work / "path/model.json").read_text(encoding="utf-8"))["head"]["l2"]
    assert found.data.metrics["chosen_l2"] == chosen and "l2" not in found.data.params
    assert not [name for name in found.data.metrics if name.startswith("validation_")]


def test_runs_lie_beside_each_other_under_the_name_that_is_asked_for(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(module.EXPERIMENT, "colours")
    monkeypatch.setenv(module.ADDRESS, (work / "elsewhere").as_uri())
    for folder in ("first", "second"):
        assert run("--output_dir", folder).code == 0
    assert {found.info.run_name for found in kept(work / "elsewhere", "colours")} == {"first", "second"}


def test_a_server_that_is_not_there_costs_no_model(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(module.ADDRESS, "http://me:secret@127.0.0.1:9/store")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    said = run("--output_dir", "alone")
    assert said.code == 1 and "secret" not in said.err and "secret" not in said.out
    assert "The run could not be kept in http://127.0.0.1:9/store (" in said.err
    assert (work / "alone/model.tflite").is_file()


def test_the_curve_of_a_training_is_kept_with_its_steps(work: Path) -> None:
    assert run("--optimizer", "adam", "--epochs", "3", "--output_dir", "steps").code == 0
    (found,) = (each for each in kept(work / module.FOLDER) if each.info.run_name == "steps")
    client = mlflow.MlflowClient((work / module.FOLDER).as_uri())
    history = client.get_metric_history(found.info.run_id, "curve_training_cross_entropy")
    steps = [point.step for point in history]
    assert len(steps) > 1 and steps == sorted(steps)


# All trackers, before anything is computed


def test_a_tracker_that_is_not_known_is_refused_at_once(work: Path) -> None:
    said = call(retrain.cli.main.main, "--image_dir", "nowhere", "--track", "wandb")
    assert said.code == 2 and "--track wandb is not known; choose from mlflow" in said.err


@pytest.mark.parametrize("name", TRACKERS)
def test_one_without_its_package_says_what_is_missing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_spec", lambda package: None)
    with pytest.raises(OptionError, match=f"`track` {name} needs {name}, which is not installed; "):
        check_trackers([name])


def test_a_password_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(module.ADDRESS, "https://me:secret@host.example:8443/path?x=1")
    assert TRACKER.place() == "https://host.example:8443/path?x=1"


@pytest.mark.parametrize("address", ["sqlite:////tmp/runs.db", "databricks://mine:store", "file:///tmp/a", "./runs"])
def test_an_address_without_a_password_is_shown_as_it_was_given(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(module.ADDRESS, address)
    check_trackers(["mlflow"])
    assert TRACKER.place() == address


@pytest.mark.parametrize("address", ["http://[::1", "http://me:secret@[::1/store"])
def test_what_is_no_address_is_refused_before_the_work(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(module.ADDRESS, address)
    said = run("--output_dir", "never")
    assert said.code == 2 and not Path("never").exists()
    assert "MLFLOW_TRACKING_URI is not an address" in said.err and "secret" not in said.err
