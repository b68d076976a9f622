"""The whole command on red, green and blue photos, with the fake backbone: a photo's average colour."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import stand_ins
from calling import call
from painting import COLOURS, paint

import label_image.cli
import retrain.cli.main
from label_image.model import tflite_runner
from retrain.exports.folder import EXPORT_NAMES
from retrain.runs.train import Run, run_training

# The command of the 2017 tutorial, with another architecture.
COMMAND_OF_2017 = (
    "--bottleneck_dir=tf_files/bottlenecks --how_many_training_steps=500 --model_dir=tf_files/models/ "
    "--summaries_dir=tf_files/training_summaries/fake --output_graph=tf_files/retrained_graph.pb "
    "--output_labels=tf_files/retrained_labels.txt --architecture=fake --image_dir=tf_files/cats"
)


def paint_classes(folder: Path, each: int = 12, names: dict[str, str] | None = None, first_seed: int = 0) -> Path:
    for name, colour in (names or {"red": "red", "green": "green", "blue": "blue"}).items():
        for number in range(first_seed, first_seed + each):
            paint(folder / name / f"{number}.jpg", colour, number)
    return folder


def train(*arguments: object) -> dict:
    done = call(retrain.cli.main.main, "--architecture", "fake", "--json", *arguments)
    assert done.code == 0, done.err
    return {**json.loads(done.out), "err": done.err}


def label(*arguments: object) -> list[dict]:
    done = call(label_image.cli.main, "--json", *arguments)
    assert done.code == 0, done.err
    return [json.loads(line) for line in done.out.splitlines()]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def no_export(monkeypatch: pytest.MonkeyPatch) -> None:
    import retrain.exports.writer

    monkeypatch.setattr(retrain.exports.writer, "write_outputs", stand_ins.no_export)


@pytest.fixture(scope="module")
def first_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    folder = tmp_path_factory.mktemp("colours")
    paint_classes(folder / "photos")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        done = call(retrain.cli.main.main, "--image_dir", "photos", "--architecture", "fake", "--json")
        assert done.code == 0, done.err
    yield SimpleNamespace(folder=folder, model=folder / "tf_files/model", out=done.out, err=done.err)


# One ordinary run


def test_standard_output_is_one_json_object_with_the_promised_keys(first_run: SimpleNamespace) -> None:
    report = json.loads(first_run.out)
    assert set(report) == {"output_dir", "classes", "photos", "bottlenecks", "validation", "test", "seconds"}
    assert report["output_dir"] == "tf_files/model"
    assert report["classes"] == ["blue", "green", "red"]
    assert report["photos"] == {"used": 36, "skipped": 0, "gone": 0}
    assert report["bottlenecks"] == {"hits": 0, "computed": 36, "set_aside": 0}
    assert set(report["seconds"]) == {
        "read",
        "decode",
        "infer",
        "write",
        "head",
        "confidence",
        "export",
        "report",
        "total",
    }
    for side in ("validation", "test"):
        assert set(report[side]) == {"accuracy", "interval", "n"}


def test_three_colours_are_told_apart(first_run: SimpleNamespace) -> None:
    test = json.loads(first_run.out)["test"]
    assert test["accuracy"] == 1.0
    assert test["n"] >= 3
    assert test["interval"][0] < 1.0 == test["interval"][1]


def test_the_last_lines_go_to_standard_error_and_are_few(first_run: SimpleNamespace) -> None:
    last = first_run.err.partition("\n\n")[2].splitlines()
    assert "; unknown: " in " ".join(last)
    assert "; unknown: " not in first_run.out
    assert len(last) <= 10


def test_export_directory_holds_the_promised_files_and_no_others(first_run: SimpleNamespace) -> None:
    names = {path.name for path in first_run.model.iterdir()}
    assert names <= EXPORT_NAMES
    assert names >= {
        "saved_model.pb", "variables", "labels.txt", "model.json", "model.tflite", "metrics.json", "skipped.csv",
    }  # fmt: skip
    assert [path.name for path in first_run.model.parent.iterdir() if path.name.startswith(".")] == []


def test_manifest_says_what_a_reader_needs_and_where_the_model_came_from(first_run: SimpleNamespace) -> None:
    manifest = json.loads((first_run.model / "model.json").read_text(encoding="utf-8"))
    assert (manifest["format"], manifest["format_version"]) == ("retrain-export", 1)
    assert manifest["architecture"] == "fake"
    assert manifest["preprocessing"] == "decode(2)|orient|resize(8,bilinear)|value_range(-1,1)"
    assert manifest["labels"] == ["blue", "green", "red"]
    assert manifest["metrics"]["test"]["accuracy"] == 1.0
    assert manifest["provenance"]["seed"] == 0
    assert manifest["provenance"]["photos"] == 36
    assert len(manifest["provenance"]["dataset_digest"]) == 64
    assert manifest["provenance"]["versions"]["tensorflow"].startswith("2.")
    assert set(manifest["parity"]) == {"saved_model", "saved_model_bytes", "tflite"}
    for proof in manifest["parity"].values():
        assert proof["greatest_difference"] <= 1e-4
        assert proof["top_1_agreement"] == 1.0
        assert proof["photos"] >= 3


def test_metrics_file_has_the_classes_and_the_confusion_matrix(first_run: SimpleNamespace) -> None:
    metrics = json.loads((first_run.model / "metrics.json").read_text(encoding="utf-8"))
    assert [entry["label"] for entry in metrics["test"]["classes"]] == ["blue", "green", "red"]
    assert {"precision", "recall", "f1", "support"} <= set(metrics["test"]["classes"][0])
    confusion = np.array(metrics["test"]["confusion"])
    assert np.trace(confusion) == confusion.sum() == metrics["test"]["n"] * metrics["test"]["answers"]


def test_lines_of_labels_txt_are_in_the_order_of_the_scores(first_run: SimpleNamespace) -> None:
    labels = (first_run.model / "labels.txt").read_text(encoding="utf-8").splitlines()
    run = tflite_runner(first_run.model / "model.tflite")
    for colour in ("red", "green", "blue"):
        photo = np.full((1, 8, 8, 3), COLOURS[colour], np.uint8)
        assert labels[int(run(photo).probabilities[0].argmax())] == colour


@pytest.mark.parametrize("shape", ["folder", "tflite alone", "saved model alone"])
def test_label_image_names_new_colours(shape: str, first_run: SimpleNamespace, here: Path) -> None:
    model = shutil.copytree(first_run.model, here / "model")
    if shape == "tflite alone":
        model = Path(shutil.move(model / "model.tflite", here / "alone.tflite"))
        shutil.rmtree(here / "model")
    elif shape == "saved model alone":
        (model / "model.tflite").unlink()
    photos = [paint(here / f"new_{colour}.jpg", colour, seed=999) for colour in ("red", "green", "blue")]
    answers = label("--model", model, *photos)
    assert [answer["label"] for answer in answers] == ["red", "green", "blue"]
    assert [answer["image"] for answer in answers] == [str(photo) for photo in photos]
    assert min(answer["probability"] for answer in answers) > 0.9


def test_saved_model_takes_the_bytes_of_a_photo(first_run: SimpleNamespace, here: Path) -> None:
    import tensorflow as tf

    loaded = tf.saved_model.load(str(first_run.model))
    photos = [paint(here / f"{colour}.jpg", colour, seed=5).read_bytes() for colour in ("green", "red")]
    answers = loaded.signatures["serve_bytes"](image_bytes=tf.constant(photos))
    classes = answers["classes"].numpy()
    first = [classes[row][column].decode() for row, column in enumerate(answers["scores"].numpy().argmax(axis=1))]
    assert first == ["green", "red"]


def test_second_run_computes_nothing_and_keeps_the_export_before(here: Path) -> None:
    paint_classes(here / "photos", each=6)
    train("--image_dir", "photos")
    train("--image_dir", "photos")  # a new template is tried on more photos, and says so
    before = (here / "tf_files/model/model.json").read_bytes()
    report = train("--image_dir", "photos")
    assert report["bottlenecks"] == {"hits": 18, "computed": 0, "set_aside": 0}
    assert (here / "tf_files/model.previous/model.json").read_bytes() == before
    assert (here / "tf_files/model/model.json").read_bytes() == before
    train("--image_dir", "photos")
    assert sorted(path.name for path in (here / "tf_files").iterdir()) == ["bottlenecks", "model", "model.previous"]


# The command line of 2017


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


# Sources


def test_given_split_is_kept(here: Path, no_export: None) -> None:
    for seed, (side, each) in enumerate({"train": 6, "valid": 2, "test": 3}.items()):
        paint_classes(here / "photos" / side, each, first_seed=100 * seed)
    report = train("--image_dir", "photos")
    assert (report["validation"]["n"], report["test"]["n"]) == (6, 9)
    assert report["classes"] == ["blue", "green", "red"]


def test_manifest_as_the_source(here: Path, no_export: None) -> None:
    rows = [
        f"{paint(here / 'all' / f'{colour}{n}.jpg', colour, n).relative_to(here)},{colour.upper()},{side}"
        for colour in ("red", "blue")
        for n, side in enumerate(["train"] * 5 + ["validation"] * 2 + ["test"] * 3)
    ]
    (here / "photos.csv").write_text("path,label,split\n" + "\n".join(rows), encoding="utf-8")
    report = train("--image_dir", "photos.csv")
    assert report["classes"] == ["BLUE", "RED"]
    assert (report["photos"]["used"], report["test"]["n"]) == (20, 6)


@pytest.fixture(scope="module")
def odd_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """Class names that the 2017 script merged, and photos that are none."""
    folder = tmp_path_factory.mktemp("odd")
    names = {"猫": "red", "犬": "green", "Café au lait": "blue", "[bold] c++": "grey"}
    paint_classes(folder / "photos", 8, names)
    (folder / "photos/猫/broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no photo")
    (folder / "photos/犬/empty.png").write_bytes(b"")
    (folder / "photos/犬/notes.txt").write_text("woof")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        report = train("--image_dir", "photos")
        yield SimpleNamespace(folder=folder, model=folder / "tf_files/model", names=names, report=report)


def test_class_names_survive_everywhere(odd_run: SimpleNamespace) -> None:
    expected = sorted(odd_run.names)
    assert odd_run.report["classes"] == expected
    assert (odd_run.model / "labels.txt").read_text(encoding="utf-8") == "".join(f"{name}\n" for name in expected)
    assert json.loads((odd_run.model / "model.json").read_text(encoding="utf-8"))["labels"] == expected
    photo = paint(odd_run.folder / "new.jpg", "red", 77)
    assert label("--model", odd_run.model, photo)[0]["label"] == "猫"
    shown = call(retrain.cli.main.main, "evaluate", odd_run.model, odd_run.folder / "photos", "--all_photos")
    assert "[bold] c++" in shown.out


def test_broken_photos_are_listed_and_counted_and_stop_nothing(odd_run: SimpleNamespace) -> None:
    assert odd_run.report["photos"] == {"used": 32, "skipped": 3, "gone": 0}
    text = (odd_run.model / "skipped.csv").read_text(encoding="utf-8")
    header, *rows = text.splitlines()
    assert header == "path,reason"
    for name in ("broken.jpg", "empty.png", "notes.txt"):
        assert sum(name in row for row in rows) == 1
    assert len(rows) == 3
    assert all(row.partition(",")[2] for row in rows)


@pytest.mark.parametrize(
    ("counts", "tested"), [((1, 1), 0), ((1, 2), 2), ((2, 2, 2), 6), ((1, 2, 3), 5), ((1, 12, 12), 24)]
)
def test_classes_of_one_photo_are_not_tested(counts: tuple[int, ...], tested: int, here: Path, no_export: None) -> None:
    for colour, count in zip(COLOURS, counts, strict=False):
        paint_classes(here / "photos", count, {colour: colour})
    report = train("--image_dir", "photos")
    assert ("Not tested, for want of a second photo" in report["err"]) == (1 in counts)
    assert report["photos"]["used"] == sum(counts)
    assert report["test"]["n"] == tested


def test_smallest_possible_data_set_can_be_exported(here: Path) -> None:
    paint_classes(here / "photos", 1)
    train("--image_dir", "photos")
    answers = label("--model", "tf_files/model", *sorted((here / "photos").rglob("*.jpg")))
    assert [answer["label"] for answer in answers] == ["blue", "green", "red"]


def test_no_test_and_no_validation_photos(here: Path, no_export: None) -> None:
    paint_classes(here / "photos", 5)
    report = train("--image_dir", "photos", "--testing_percentage", 0, "--validation_percentage", 0)
    assert report["test"] == report["validation"] == {"accuracy": None, "interval": None, "n": 0}


# Training options


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


def test_interrupted_run_leaves_no_export(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import retrain.exports.formats.tflite

    def interrupt(*arguments: object) -> None:
        raise KeyboardInterrupt

    paint_classes(here / "photos", 4)
    monkeypatch.setattr(retrain.exports.formats.tflite, "append_files", interrupt)
    done = call(retrain.cli.main.main, "--image_dir", "photos", "--architecture", "fake")
    assert done.code == 130
    assert "run the same command again" in done.err
    assert [path.name for path in (here / "tf_files").iterdir()] == ["bottlenecks"]
    monkeypatch.undo()
    monkeypatch.chdir(here)
    assert train("--image_dir", "photos")["bottlenecks"]["computed"] == 0


def test_nothing_left_to_train_on_is_a_sentence(here: Path) -> None:
    rows = [f"{paint(here / f'{colour}{n}.jpg', colour, n)},{colour},test" for colour in COLOURS for n in range(3)]
    (here / "photos.csv").write_text("\n".join(rows), encoding="utf-8")
    done = call(retrain.cli.main.main, "--image_dir", "photos.csv", "--architecture", "fake")
    assert done.code == 1
    assert "no photos for training" in done.err


def test_one_photo_copied_into_every_class_cannot_be_tested(here: Path, no_export: None) -> None:
    for name in ("cat", "dog"):
        paint(here / "photos" / name / "1.png", "red")
    assert train("--image_dir", "photos")["test"] == {"accuracy": None, "interval": None, "n": 0}


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


def test_file_names_that_are_not_utf_8(here: Path) -> None:
    paint_classes(here / "photos", 4)
    for name in (b"photos/red/\xff.jpg", b"photos/red/broken\xff.jpg"):
        (here / name.decode(errors="surrogateescape")).write_bytes((here / "photos/red/1.jpg").read_bytes())
    (here / b"photos/red/broken\xff.jpg".decode(errors="surrogateescape")).write_bytes(b"")
    assert train("--image_dir", "photos")["photos"] == {"used": 13, "skipped": 1, "gone": 0}
    assert call(retrain.cli.main.main, "--image_dir", "photos", "--architecture", "fake").code == 0
    plain = call(label_image.cli.main, "photos/red")
    assert r"photos/red/\xff.jpg" in plain.out
    done = call(label_image.cli.main, "--json", "photos/red")
    assert done.code == 1
    answers = [json.loads(line) for line in done.out.splitlines()]
    assert [set(answer) for answer in answers].count({"image", "error"}) == 1
    assert len(answers) == 6
