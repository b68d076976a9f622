"""The command line of the 2017 tutorial, and its options, do what they did."""

from pathlib import Path

import numpy as np
import pytest
import stand_ins
from calling import call
from painting import COLOURS, paint
from whole_runs import paint_classes, train

import retrain.cli.main
from retrain.runs.train import Run, run_training

# With another architecture.
COMMAND_OF_2017 = (
    "--bottleneck_dir=tf_files/bottlenecks --how_many_training_steps=500 --model_dir=tf_files/models/ "
    "--summaries_dir=tf_files/training_summaries/fake --output_graph=tf_files/retrained_graph.pb "
    "--output_labels=tf_files/retrained_labels.txt --architecture=fake --image_dir=tf_files/cats"
)


def test_command_line_of_2017_twice(here: Path) -> None:
    import tensorflow as tf

    paint_classes(here / "tf_files/cats", each=8)
    mine = here / "tf_files/training_summaries/fake/train/events.out.tfevents.1"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"a week of training")
    (here / "tf_files/retrained_graph.pb").write_bytes(b"an older graph")
    for _ in range(2):
        done = call(retrain.cli.main.main, *COMMAND_OF_2017.split())
        assert done.code == 0, done.err
        assert "--how_many_training_steps asks for mini-batches, by sgd: without it" in done.err
    assert mine.read_bytes() == b"a week of training"  # T12
    assert (here / "tf_files/retrained_graph.pb.1").read_bytes() == b"an older graph"
    assert sorted(path.name for path in (here / "tf_files").glob("retrained_*")) == [
        "retrained_graph.pb", "retrained_graph.pb.1", "retrained_labels.txt",
    ]  # fmt: skip
    assert (here / "tf_files/retrained_labels.txt").read_text() == "blue\ngreen\nred\n"

    graph_def = tf.compat.v1.GraphDef.FromString((here / "tf_files/retrained_graph.pb").read_bytes())
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(graph_def, name="import")
    with tf.compat.v1.Session(graph=graph) as session:
        photos = np.zeros((3, 8, 8, 3), np.float32) + np.array(
            [COLOURS[name] for name in ("blue", "green", "red")], np.float32
        ).reshape(3, 1, 1, 3)
        scores = session.run("import/final_result:0", {"import/input:0": photos})
    assert scores.argmax(axis=1).tolist() == [0, 1, 2]
    assert np.allclose(scores.sum(axis=1), 1, atol=1e-5)


def test_output_of_the_frozen_graph_has_the_name_that_was_asked_for(here: Path) -> None:
    import tensorflow as tf

    paint_classes(here / "photos", each=4)
    train("--image_dir", "photos", "--output_graph", "g.pb", "--final_tensor_name", "answer", "--saved_model_dir", "sm")
    graph_def = tf.compat.v1.GraphDef.FromString((here / "g.pb").read_bytes())
    assert {"input", "answer"} <= {node.name for node in graph_def.node}
    assert {"serving_default", "serve_bytes"} <= set(tf.saved_model.load(str(here / "sm")).signatures)


def test_output_dir_with_something_else_is_refused_before_any_work(here: Path) -> None:
    paint_classes(here / "photos", each=3)
    (here / "out").mkdir()
    (here / "out/thesis.tex").write_text("chapter 1")
    done = call(retrain.cli.main.main, "--image_dir", "photos", "--architecture", "fake", "--output_dir", "out")
    assert done.code == 1
    assert "thesis.tex" in done.err
    assert not (here / "tf_files").exists()
    assert [path.name for path in (here / "out").iterdir()] == ["thesis.tex"]


def run_quietly(**options: object) -> Run:
    return run_training(stand_ins.asked(architecture="fake", **options))


def test_same_seed_same_head_and_another_seed_another(here: Path, no_export: None) -> None:
    paint_classes(here / "photos", 12)
    split = {"how_many_training_steps": 20, "train_batch_size": 5, "validation_percentage": 20}
    heads = [run_quietly(seed=seed, **split).trained.fit.head for seed in (3, 3, 4)]
    assert np.array_equal(heads[0].kernel, heads[1].kernel)
    assert np.array_equal(heads[0].bias, heads[1].bias)
    assert not np.array_equal(heads[0].kernel, heads[2].kernel)


def test_mini_batch_options_reach_the_head(here: Path, no_export: None) -> None:
    paint_classes(here / "photos", 12)
    fit = run_quietly(
        how_many_training_steps=40, learning_rate=0.5, train_batch_size=7, eval_step_interval=9
    ).trained.fit
    assert [point.step for point in fit.curve] == [0, 9, 18, 27, 36, 39]
    assert {"learning_rate": 0.5, "steps": 40, "batch_size": 7}.items() <= fit.description.items()


@pytest.mark.parametrize("size", [1, 4, 1000])
def test_size_of_test_batches_changes_nothing(size: int, here: Path, no_export: None) -> None:
    paint_classes(here / "photos", 12)
    whole = run_quietly(testing_percentage=40, test_batch_size=-1)
    parts = run_quietly(testing_percentage=40, test_batch_size=size)
    assert np.allclose(whole.trained.test_probabilities, parts.trained.test_probabilities, atol=1e-6)
    assert whole.trained.test.confusion == parts.trained.test.confusion
    assert whole.trained.test.n > 4


def test_misclassified_test_photos_are_named(here: Path, no_export: None) -> None:
    paint_classes(here / "photos/train", 6)
    paint_classes(here / "photos/valid", 2, first_seed=50)
    paint_classes(here / "photos/test", 2, first_seed=60)
    paint(here / "photos/test/red/really_blue.jpg", "blue", 70)
    silent = train("--image_dir", "photos")
    assert "really_blue.jpg" not in silent["err"]
    told = train("--image_dir", "photos", "--print_misclassified_test_images", "--top_k", 2)
    (line,) = [line for line in told["err"].splitlines() if "really_blue.jpg" in line]
    assert "blue 1.00" in line or "blue 0.9" in line
    assert line.count(",") == 1  # two answers
    assert "test/red/61.jpg" not in told["err"]
    assert "taken for another: 1 of red for blue" in told["err"]


@pytest.mark.parametrize(
    "option", ["--output_graph", "--output_labels", "--saved_model_dir", "--bottleneck_dir", "--summaries_dir"]
)
def test_nothing_else_may_be_written_into_the_export(option: str, here: Path) -> None:
    paint_classes(here / "photos", 4)
    done = call(
        retrain.cli.main.main, "--image_dir", "photos", "--architecture", "fake", option, "tf_files/model/inside"
    )
    assert done.code == 2
    assert option in done.err
    assert not (here / "tf_files").exists()
