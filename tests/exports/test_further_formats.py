import json
import shutil
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from calling import call
from export_folders import COLOURS, parity_of
from stand_ins import converted

import retrain.exports.further_formats
from label_image.model import Outputs, load_model
from retrain.cli.main import main
from retrain.core.errors import DatasetError, ExportError
from retrain.core.tensorflow import tf
from retrain.exports.formats import tflite, tflite_variants
from retrain.exports.formats.base import Conversion, Source
from retrain.exports.registry import FORMATS
from retrain.photos.seen_photos import NAME as SEEN
from retrain.training.paired import paired_interval

TFLITE, TFLITE_DYNAMIC, TFLITE_INT8 = "tflite", "tflite_dynamic", "tflite_int8"


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
    put = retrain.exports.further_formats.put_into_export

    def killed(new: Path, target: Path) -> None:
        put(new, target)
        if target.name == "model.tflite":
            raise KeyboardInterrupt

    assert TFLITE in parity_of(model)
    monkeypatch.setattr(retrain.exports.further_formats, "put_into_export", killed)
    with pytest.raises(KeyboardInterrupt):
        converted(model, (TFLITE,), str(trained / "photos"), tmp_path)
    assert TFLITE not in parity_of(model)
