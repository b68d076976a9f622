import json
import os
import shutil
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from calling import call
from export_folders import COLOURS, contents, parity_of
from stand_ins import converted

import retrain.runs.export
from label_image.installing import how_to_install
from label_image.model import Outputs, load_model
from retrain.cli.main import main
from retrain.core.errors import DatasetError, ExportError
from retrain.core.tensorflow import tf
from retrain.exports.formats import tflite, tflite_variants
from retrain.exports.formats.base import Conversion, Source
from retrain.exports.registry import FORMATS
from retrain.photos.seen_photos import NAME as SEEN
from retrain.training.paired import paired_interval

SHARED = Path(__file__).resolve().parents[3] / "shared"
TFLITE, TFLITE_DYNAMIC, TFLITE_INT8 = "tflite", "tflite_dynamic", "tflite_int8"
VARIANTS = ("graph_def", "tflite", "tflite_float16", "tflite_dynamic", "tflite_int8")


# What is written


def test_int8_takes_pixels_as_they_are_and_answers_in_bytes(exported: Path) -> None:
    interpreter = Interpreter(str(exported / "model_int8.tflite"))
    (image,) = interpreter.get_input_details()
    assert (image["dtype"], image["quantization"]) == (np.uint8, (1.0, 0))
    assert [(output["name"], output["dtype"]) for output in interpreter.get_output_details()] == [
        ("scores", np.uint8),
        ("similarity", np.uint8),
    ]


def test_an_unknown_photo_is_refused_by_int8_too(exported: Path) -> None:
    loaded, exact = load_model(exported / "model_int8.tflite"), load_model(exported / "model_dynamic.tflite")
    pixels = np.zeros((1, 8, 8, 3), np.uint8)
    pixels[..., 0], pixels[..., 1] = 150, 150  # yellow is none of them
    for one in (loaded, exact):
        assert one.threshold is not None
        assert one.run(pixels).similarity[0] < one.threshold


def test_photos_of_the_training_calibrate_and_others_judge(
    trained: Path, model: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    test = json.loads((model / "metrics.json").read_text())["test"]["n"]
    used: list[int] = []
    first = FORMATS[TFLITE_INT8].conversions[0]

    def count(source: Source, path: Path) -> None:
        used.append(len(source.calibration()))
        first.write(source, path)

    monkeypatch.setitem(FORMATS, TFLITE_INT8, replace(FORMATS[TFLITE_INT8], conversions=(Conversion(count),)))
    report = converted(model, (TFLITE_INT8, TFLITE), str(trained / "photos"), tmp_path)
    assert (report.photos, used) == (test, [60 - test])
    parity = parity_of(model)
    for name in (TFLITE, TFLITE_INT8):
        assert (parity[name]["photos"], parity[name]["test"]["n"]) == (60, test)
    (model / SEEN).unlink()
    said: list[str] = []
    report = converted(model, ("saved_model",), str(trained / "photos"), tmp_path, say=said.append)
    assert report.photos == 60
    assert any("not known" in sentence for sentence in said)


def test_photos_in_folders_of_other_names_are_known_by_the_names_of_the_training(
    trained: Path, model: Path, tmp_path: Path
) -> None:
    for number, label in enumerate(COLOURS):
        shutil.copytree(trained / "photos" / label, tmp_path / "numbered" / str(number))
    with pytest.raises(DatasetError, match="no photo of a class"):
        converted(model, ("saved_model",), str(tmp_path / "numbered"), tmp_path)
    (tmp_path / "names.json").write_text(json.dumps({str(number): label for number, label in enumerate(COLOURS)}))
    arguments = (model, ("saved_model",), str(tmp_path / "numbered"), tmp_path)
    report = converted(*arguments, category_names=tmp_path / "names.json")
    assert report.reference.accuracy == 1.0 and report.photos < 60


def test_int8_that_is_as_good_says_on_how_many_photos_and_what_they_exclude(
    trained: Path, model: Path, tmp_path: Path
) -> None:
    arguments = ("--to", TFLITE_INT8, "--image_dir", trained / "photos", "--bottleneck_dir", tmp_path)
    code, out, err = call(main, "export", model, *arguments)
    assert code == 0, err
    _, high = paired_interval(0, 0, 60)
    assert (
        "accuracy +0.0 points beside the SavedModel's on 60 photos (95 % interval "
        f"{-100 * high:+.1f} to {100 * high:+.1f}: a loss of more than {100 * high:.1f} is excluded)"
    ) in out
    tested = json.loads((model / "model.json").read_text(encoding="utf-8"))["metrics"]["test"]["n"]
    assert f"{tested} photos, beside the SavedModel; |dp|, same and similarity on up to 60" in " ".join(out.split())
    assert "|dp|: the greatest change of a probability; same: photos with the same first answer; similarity: the" in out


# What is not kept


def swapped(outputs: Outputs) -> Outputs:
    return Outputs(outputs.probabilities[:, ::-1], outputs.similarity)


def spoil(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Let a format answer as if its classes were in the other order."""
    load = FORMATS[name].load

    def wrong(path: Path) -> object:
        run = load(path)
        return lambda pixels: swapped(run(pixels))

    monkeypatch.setitem(FORMATS, name, replace(FORMATS[name], load=wrong))


def test_an_int8_that_loses_accuracy_is_kept_by_force_alone(
    trained: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(monkeypatch, TFLITE_DYNAMIC)
    spoil(monkeypatch, TFLITE)
    names, photos = (TFLITE, TFLITE_DYNAMIC), str(trained / "photos")
    refused = converted(model, names, photos, tmp_path).results[2]
    assert refused.refused is not None and "`force` keeps it" in refused.refused
    _, out, _ = call(main, "export", model, "--to", TFLITE_DYNAMIC, "--image_dir", photos, "--bottleneck_dir", tmp_path)
    assert "--force keeps it" in out
    _, tflite, dynamic = converted(model, names, photos, tmp_path, force=True).results
    assert dynamic.judgement is not None and dynamic.judgement.forced and dynamic.judgement.drop > 0.5
    assert parity_of(model)[TFLITE_DYNAMIC]["forced"] is True
    assert tflite.refused is not None, "a float format is never forced"


def test_where_int8_throughout_does_not_hold_its_head_stays_float(
    trained: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    conversions = FORMATS[TFLITE_INT8].conversions

    def fail(source: Source, path: Path) -> None:
        raise ExportError("no")

    monkeypatch.setitem(
        FORMATS, TFLITE_INT8, replace(FORMATS[TFLITE_INT8], conversions=(Conversion(fail), *conversions[1:]))
    )
    result = converted(model, (TFLITE_INT8,), str(trained / "photos"), tmp_path).results[1]
    assert (result.refused, result.remark) == (None, "head in float32")
    assert parity_of(model)[TFLITE_INT8]["remark"] == "head in float32"
    for output in Interpreter(str(model / "model_int8.tflite")).get_output_details():
        assert output["dtype"] == np.float32


def test_a_file_without_its_weights_is_never_kept(
    trained: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a function of a Keras model the converter makes one without a word; it answers what is in memory."""
    network = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(3, "softmax")])
    spec = tf.TensorSpec((1, 8, 8, 3), tf.float32, name="image")
    answer = tf.function(lambda image: {"scores": network(image)}, autograph=False).get_concrete_function(spec)

    def weightless(_: Path) -> object:
        return tf.lite.TFLiteConverter.from_concrete_functions([answer], network)

    for module in (tflite, tflite_variants):
        monkeypatch.setattr(module, "converter_of", weightless)
    names = (TFLITE, TFLITE_DYNAMIC)
    report = converted(model, names, str(trained / "photos"), tmp_path, force=True)
    for result in report.results[1:]:
        assert result.refused is not None and "without its weights" in result.refused
    assert not any((model / FORMATS[name].file).exists() for name in names)
    assert not parity_of(model).keys() & set(names)


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_answers_that_are_not_finite_are_never_kept(
    wrong: float, trained: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(path: Path) -> object:
        return lambda pixels: Outputs(np.full((len(pixels), 3), wrong, np.float32))

    monkeypatch.setitem(FORMATS, TFLITE_DYNAMIC, replace(FORMATS[TFLITE_DYNAMIC], load=load))
    result = converted(model, (TFLITE_DYNAMIC,), str(trained / "photos"), tmp_path, force=True).results[1]
    assert result.refused is not None and "finite" in result.refused


def test_an_export_that_a_training_replaced_meanwhile_gets_nothing_of_the_old_model(
    trained: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = FORMATS[TFLITE].load

    def train_meanwhile(path: Path) -> object:
        manifest = json.loads((model / "model.json").read_text())
        (model / "model.json").write_text(json.dumps({**manifest, "seed": 99}))
        return load(path)

    (model / "model.tflite").write_bytes(b"of the new model")
    monkeypatch.setitem(FORMATS, TFLITE, replace(FORMATS[TFLITE], load=train_meanwhile))
    with pytest.raises(ExportError, match="was replaced by another training meanwhile"):
        converted(model, (TFLITE,), str(trained / "photos"), tmp_path)
    assert (model / "model.tflite").read_bytes() == b"of the new model"


def test_a_kill_after_a_format_was_exchanged_leaves_no_figures_of_the_old_one(
    trained: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    converted(model, (TFLITE,), str(trained / "photos"), tmp_path)
    put = retrain.runs.export.put_into_export

    def killed(new: Path, target: Path) -> None:
        put(new, target)
        if target.name == "model.tflite":
            raise KeyboardInterrupt

    assert TFLITE in parity_of(model)
    monkeypatch.setattr(retrain.runs.export, "put_into_export", killed)
    with pytest.raises(KeyboardInterrupt):
        converted(model, (TFLITE,), str(trained / "photos"), tmp_path)
    assert TFLITE not in parity_of(model)


def test_everything_has_the_modes_of_the_umask(trained: Path, tmp_path: Path) -> None:
    photos = f"--image_dir {trained / 'photos'} --bottleneck_dir {tmp_path / 'b'}"
    before = os.umask(0o002)
    try:
        main(f"{photos} --output_dir {tmp_path / 'm'} --saved_model_dir {tmp_path / 's'} --architecture fake".split())
        main(f"export {tmp_path / 'm'} --to tflite,tfjs {photos} --serving_dir {tmp_path / 'serving'}".split())
    finally:
        os.umask(before)
    made = [
        path for folder in ("b", "m", "s", "serving") for path in (tmp_path / folder, *(tmp_path / folder).rglob("*"))
    ]
    wrong = [str(path) for path in made if path.stat().st_mode & 0o777 != (0o775 if path.is_dir() else 0o664)]
    assert wrong == []
    assert {"variables", "clients", "templates", "assets.extra"} <= {path.name for path in made}


# Wrong calls


def test_unknown_names_are_a_wrong_call(model: Path) -> None:
    code, _, err = call(main, "export", model, "--to", "tflite,pickle", "--image_dir", "x")
    assert code == 2
    assert "pickle is not known" in err
    assert all(name in err for name in (*FORMATS, "all"))


def test_a_missing_package_is_named_before_any_work(
    trained: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "tf2onnx" else find_spec(name))
    before = contents(model)
    code, _, err = call(main, "export", model, "--to", "onnx,tflite", "--image_dir", trained / "photos")
    assert code == 1
    assert "onnx needs tf2onnx" in err.replace("\n", " ") and how_to_install("export").split()[1] in err
    assert contents(model) == before


def test_what_is_no_export_is_refused_with_a_sentence(trained: Path, model: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for folder, why in ((tmp_path / "nowhere", "not an export folder"), (tmp_path / "empty", "no readable model.json")):
        with pytest.raises(ExportError, match=why):
            converted(folder, (TFLITE,), str(trained / "photos"), tmp_path)
    (model / "saved_model.pb").unlink()
    with pytest.raises(ExportError, match="has no SavedModel"):
        converted(model, (TFLITE,), str(trained / "photos"), tmp_path)


def test_labels_that_are_not_those_of_the_manifest_are_refused_before_any_work(
    trained: Path, model: Path, tmp_path: Path
) -> None:
    labels, command = model / "labels.txt", ("export", model, "--to", "tflite", "--image_dir", trained / "photos")
    alterations = {
        "has other classes than model.json: write the labels": lambda: labels.write_text("red\ngreen\nblue\n"),
        "is not UTF-8: write the labels": lambda: labels.write_bytes(b"\xff\n"),
        "has no labels.txt: write the labels": labels.unlink,
    }
    for sentence, alter in alterations.items():
        alter()
        before = contents(model)
        code, _, err = call(main, *command, "--bottleneck_dir", tmp_path / "b")
        assert code == 1 and sentence in " ".join(err.split()) and contents(model) == before


# The command


def test_the_command_shows_the_table_and_ends_with_json(trained: Path, model: Path, tmp_path: Path) -> None:
    arguments = ("--to", "saved_model,tflite", "--image_dir", trained / "photos", "--serving_dir", tmp_path / "serving")
    code, out, err = call(main, "export", model, *arguments, "--json", "--bottleneck_dir", tmp_path)
    assert code == 0, err
    summary = json.loads(out)
    assert list(summary["formats"]) == ["saved_model", "saved_model_bytes", "tflite"]
    assert summary["formats"]["tflite"]["top_1_agreement"] == 1.0
    assert "Accuracy of the SavedModel: 100.0%" in err
    assert f"written: {model / 'model.tflite'}" in err
    assert summary["serving"] == str(tmp_path / "serving" / "1")
    assert (tmp_path / "serving" / "1" / "saved_model.pb").is_file()


# Real photos


@pytest.mark.real
def test_cats_in_every_precision(tmp_path: Path) -> None:
    """The float formats hold their limits; int8 tells cats from flowers as the float32 one does."""
    cats, flowers = SHARED / "data/cats", SHARED / "data/flowers"
    if not cats.is_dir() or not flowers.is_dir():
        pytest.skip(f"{SHARED}/data is absent")
    main(
        f"--image_dir {cats} --max_images_per_class 30 --testing_percentage 45 --image_size 160 "
        f"--output_dir {tmp_path / 'model'} --bottleneck_dir {tmp_path / 'b'} --model_dir {tmp_path / 'm'} "
        "--formats saved_model".split()
    )
    report = converted(tmp_path / "model", VARIANTS, str(cats), tmp_path)
    assert [result.refused for result in report.results] == [None] * 6
    assert report.photos > 150
    by_name = {result.name: result.judgement for result in report.results}
    for name in ("tflite_dynamic", "tflite_int8"):
        judgement = by_name[name]
        assert judgement is not None and judgement.drop_interval[0] <= 0.01
        assert judgement.bytes < by_name["tflite"].bytes * 0.4
    strange = sorted(flowers.rglob("*.jpg"))[::20]
    exact, int8 = load_model(tmp_path / "model" / "model.tflite"), load_model(tmp_path / "model" / "model_int8.tflite")
    pixels = np.stack([exact.preprocessing.pixels(path.read_bytes()) for path in strange])
    refused = [one.refuses(one.run(pixels)).mean() for one in (exact, int8)]
    assert refused[0] > 0.7 and abs(refused[1] - refused[0]) < 0.1
