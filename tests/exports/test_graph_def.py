import json
from pathlib import Path

import numpy as np
import pytest

from label_image.model import ModelError, load_model, load_saved_model, saved_model_runner
from retrain.cli.main import main
from retrain.core.tensorflow import tf
from retrain.exports.formats.graph_def import write_graph_def

PIXELS = np.random.default_rng(0).integers(0, 256, (19, 8, 8, 3), np.uint8)


def write(folder: Path, path: Path, name: str, manifest: dict[str, object] | None) -> Path:
    loaded = load_saved_model(folder)
    write_graph_def(lambda image: loaded.signatures["serving_default"](image=image), 8, path, name, manifest)
    return path


@pytest.fixture(scope="module")
def made(small_export: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    manifest = json.loads((small_export / "model.json").read_text(encoding="utf-8"))
    return write(small_export, tmp_path_factory.mktemp("graph") / "graph.pb", "final_result", manifest)


@pytest.mark.parametrize("name", ["final_result", "similarity", "scores", "retrained"])
def test_it_is_enough_for_label_image_whatever_its_output_is_called(
    name: str, small_export: Path, small_manifest: dict[str, object], tmp_path: Path
) -> None:
    model = load_model(write(small_export, tmp_path / "graph.pb", name, small_manifest))
    said, expected = model.run(PIXELS), saved_model_runner(small_export)(PIXELS)
    assert np.allclose(said.probabilities, expected.probabilities, atol=1e-5)
    assert said.similarity is not None and expected.similarity is not None
    assert np.allclose(said.similarity, expected.similarity, atol=1e-5)
    assert (list(model.labels), model.threshold) == (small_manifest["labels"], 0.5)


def test_a_session_of_2017_finds_what_it_always_found(made: Path, small_export: Path) -> None:
    graph_def = tf.compat.v1.GraphDef.FromString(made.read_bytes())
    assert {node.op for node in graph_def.node if "arVariable" in node.op or "VarHandle" in node.op} == set()
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(graph_def, name="import")
        with tf.compat.v1.Session(graph=graph) as session:
            scores = session.run("import/final_result:0", {"import/input:0": PIXELS[:2].astype(np.float32)})
    assert np.allclose(scores, saved_model_runner(small_export)(PIXELS[:2]).probabilities, atol=1e-5)


def test_a_folder_may_hold_nothing_else(made: Path, small_export: Path, tmp_path: Path) -> None:
    (tmp_path / "graph.pb").write_bytes(made.read_bytes())
    (tmp_path / "model.json").write_bytes((small_export / "model.json").read_bytes())
    assert load_model(tmp_path).run(PIXELS[:1]).probabilities.shape == (1, 3)


def test_a_graph_without_a_manifest_is_refused(small_export: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"carries no model\.json"):
        load_model(write(small_export, tmp_path / "graph.pb", "final_result", None))


@pytest.mark.parametrize("damage", ["cut", "no names of tensors", "a name that is not there"])
def test_damaged_graph_is_a_sentence(damage: str, made: Path, tmp_path: Path) -> None:
    path, data = tmp_path / "graph.pb", made.read_bytes()
    # Of the same length, so that the file stays whole.
    other = {"cut": data[:-9], "no names of tensors": data.replace(b'"tensors"', b'"tensorx"')}
    path.write_bytes(other.get(damage, data.replace(b'"final_result:0"', b'"final_xxxxxx:0"')))
    assert path.read_bytes() != data
    with pytest.raises(ModelError, match=r"graph\.pb"):
        load_model(path)


def test_a_saved_model_is_named_by_its_folder(small_export: Path) -> None:
    with pytest.raises(ModelError, match="pass its folder"):
        load_model(small_export / "saved_model.pb")


def test_output_graph_of_a_run_is_enough_for_label_image_and_evaluate(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from PIL import Image

    for name, colour in {"blue": (30, 30, 220), "red": (220, 30, 30)}.items():
        (tmp_path / "photos" / name).mkdir(parents=True)
        for n in range(6):
            Image.new("RGB", (16, 16), tuple(v + n for v in colour)).save(tmp_path / "photos" / name / f"{n}.png")
    photos, graph = tmp_path / "photos", tmp_path / "retrained.pb"
    folders = f"--output_dir {tmp_path / 'model'} --bottleneck_dir {tmp_path / 'b'} --model_dir {tmp_path / 'm'}"
    main(
        f"--image_dir {photos} --architecture fake {folders} --output_graph {graph} --final_tensor_name colour".split()
    )
    model = load_model(graph)
    assert model.label((photos / "red" / "0.png").read_bytes()).answers[0].label == "red"
    assert model.threshold == load_model(tmp_path / "model").threshold is not None
    capsys.readouterr()
    main(f"evaluate {graph} {photos} --bottleneck_dir {tmp_path / 'b'} --json".split())
    assert json.loads(capsys.readouterr().out)["accuracy"] == 1.0
