"""The Python API: the same results as the command line, the same sentences, and nothing on the screen."""

import inspect
import json
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from label_image.model import load_model
from retrain import (
    Augmentation,
    Backbone,
    Bottlenecks,
    Dataset,
    Division,
    ExportConfig,
    ExtractionConfig,
    HeadConfig,
    SplitConfig,
    TerminalScreen,
    TrainedHead,
    ViewsConfig,
    evaluate,
    export,
    extract,
    fit_head,
)
from retrain.backbones.backbone_config import BackboneConfig
from retrain.backbones.registry import DEFAULT_ARCHITECTURE
from retrain.cli.dashes import with_dashes
from retrain.cli.head_options import head_options
from retrain.cli.main import cli, main
from retrain.core.errors import DatasetError, ExportError, OptionError, RetrainError
from retrain.photos.source import SourceConfig
from retrain.training.metrics import wilson_interval

SHARED = Path(__file__).resolve().parents[2] / "shared"
WEIGHTS = SHARED / "weights/mobilenet_0.25_128.weights.h5"
COLOURS = {"red": (220, 30, 30), "green": (30, 200, 30), "blue": (30, 30, 220), "grey": (128, 128, 128)}
FAKE = Backbone.find("fake")


def paint(folder: Path, colours: str = "red green blue", seeds: range = range(14)) -> Path:
    for colour in colours.split():
        (folder / colour).mkdir(parents=True)
        for seed in seeds:
            jitter = np.random.default_rng([seed, *COLOURS[colour]]).integers(-60, 61, 3)
            rgb = np.clip(np.array(COLOURS[colour]) + jitter, 0, 255)
            Image.new("RGB", (20, 20), tuple(map(int, rgb))).save(folder / colour / f"{seed}.png")
    return folder


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    paint(Path("photos"))
    return tmp_path


def bottlenecks_of(source: str = "photos") -> Bottlenecks:
    return extract(Dataset.open(source), FAKE)


def extracted(**config: object) -> Bottlenecks:
    return extract(Dataset.open("photos"), FAKE, ExtractionConfig(**config))


def trained_head(tta: bool = False, **recipe: object) -> TrainedHead:
    bottlenecks = bottlenecks_of()
    return fit_head(bottlenecks, bottlenecks.split(), HeadConfig(**recipe), tta=tta)


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


# The same as the command line


@pytest.mark.parametrize(
    ("options", "recipe", "split", "chosen", "distortions"),
    [
        ("", {}, {}, {}, {}),
        (
            "--seed 3 --testing_percentage 20 --validation_percentage 25 --class_weight balanced "
            "--max_images_per_class 11 --fixes fixes.csv --formats saved_model",
            {"class_weight": "balanced"},
            {"seed": 3, "testing_percentage": 20, "validation_percentage": 25},
            {"max_images_per_class": 11, "fixes": "fixes.csv"},
            {},
        ),
        ("--hidden_units 8,4 --dropout 0.2 --epochs 3 --seed 5", {"hidden_units": [8, 4], "dropout": 0.2, "epochs": 3},
         {"seed": 5, "folds": 0}, {}, {}),
        ("--random_brightness 30 --flip_left_right --views 3 --tta", {}, {}, {},
         {"random_brightness": 30, "flip_left_right": True}),
    ],
    ids=["defaults", "choices", "hidden layers", "views"],
)  # fmt: skip
def test_export_has_the_bytes_of_the_command_line(
    options: str,
    recipe: dict[str, object],
    split: dict[str, int],
    chosen: dict[str, object],
    distortions: dict[str, int],
) -> None:
    Path("fixes.csv").write_text("file,action\nred/3.png,remove\ngreen/5.png,relabel:blue\n")
    main(f"--image_dir photos --architecture fake --output_dir command {options}".split())
    views = ViewsConfig(Augmentation(**distortions), 3 if distortions else None)
    bottlenecks = extract(Dataset.open("photos", **chosen), FAKE, views=views)
    trained = fit_head(
        bottlenecks, bottlenecks.split(SplitConfig(**split)), HeadConfig(**recipe), tta="--tta" in options
    )
    formats = ("saved_model",) if "--formats" in options else ("tflite", "saved_model")
    assert export(trained, ExportConfig("api", formats)).folder == Path("api")
    expected = files_of(Path("command"))
    assert {"model.json", "saved_model.pb", "metrics.json", "seen_photos.npy"} <= set(expected)
    assert files_of(Path("api")) == expected


@pytest.mark.real
@pytest.mark.skipif(not WEIGHTS.exists(), reason=f"{SHARED} is absent")
def test_cats_get_the_head_of_the_command_line() -> None:
    photos = str(SHARED / "data/cats")
    backbone = Backbone.find("mobilenet_0.25_128", weights=WEIGHTS)
    bottlenecks = extract(Dataset.open(photos, max_images_per_class=60), backbone)
    trained = fit_head(bottlenecks, bottlenecks.split(SplitConfig(seed=1)))
    export(trained, ExportConfig("api", ["saved_model"]))
    main(
        f"--image_dir {photos} --max_images_per_class 60 --architecture mobilenet_0.25_128 --weights {WEIGHTS} "
        "--seed 1 --output_dir command --formats saved_model".split()
    )
    assert files_of(Path("api")) == files_of(Path("command"))
    assert evaluate(trained).accuracy > 0.5


def test_evaluation_is_that_of_the_command_line() -> None:
    trained = trained_head()
    metrics = evaluate(trained)
    export(trained, ExportConfig("model"))
    written = json.loads(Path("model/metrics.json").read_text())
    assert metrics.n > 0
    assert (metrics.accuracy, metrics.n) == (written["test"]["accuracy"], written["test"]["n"])
    assert trained.validation.cross_entropy == written["validation"]["cross_entropy"]


def test_evaluation_on_other_photos_is_that_of_retrain_evaluate(capsys: pytest.CaptureFixture[str]) -> None:
    paint(Path("more"), "red green blue grey", range(7, 30))  # some of them were trained on, one class is not known
    for take, wrong in enumerate(sorted(paint(Path("wrong"), "green", range(40, 46)).rglob("*.png"))):
        wrong.rename(f"more/red/one_nohash_{take}.png")
    trained = trained_head()
    export(trained, ExportConfig("model"))
    metrics = evaluate(trained, bottlenecks_of("more"))
    capsys.readouterr()
    main(["evaluate", "model", "more", "--json"])
    said = json.loads(capsys.readouterr().out)
    assert 3 * 16 + 6 <= metrics.n < 3 * 23 + 6
    assert (metrics.n, metrics.accuracy, metrics.interval) == (said["n"], said["accuracy"], tuple(said["interval"]))
    plain = wilson_interval(metrics.n * (metrics.accuracy or 0), metrics.n)
    assert metrics.interval is not None and metrics.interval[0] < plain[0] - 0.02  # takes are wrong together


def test_exported_model_answers_as_the_head_does() -> None:
    trained = trained_head()
    export(trained, ExportConfig("model"))
    photo = trained.bottlenecks.photos[3]
    expected = trained.head.probabilities(trained.bottlenecks.matrix[3:4])[0]
    answers = load_model("model").label(Path(photo.path).read_bytes(), top_k=3).answers
    assert {answer.label: answer.probability for answer in answers} == pytest.approx(
        dict(zip(trained.labels, map(float, expected), strict=True)), abs=1e-5
    )


# What the objects hold


def test_bottlenecks_are_aligned_with_photos_and_classes() -> None:
    Path("photos/red/broken.png").write_bytes(b"no photo")
    dataset = Dataset.open("photos")
    assert (len(dataset.files), dataset.labels, dataset.source) == (43, ("blue", "green", "red"), "photos")
    bottlenecks = extract(dataset, FAKE, ExtractionConfig("kept"))
    assert (bottlenecks.matrix.shape, bottlenecks.matrix.dtype) == ((42, 3), np.float32)
    assert bottlenecks.labels == ("blue", "green", "red")
    assert [bottlenecks.labels[index] for index in bottlenecks.classes] == [item.label for item in bottlenecks.photos]
    assert [Path(item.path).name for item in bottlenecks.skipped] == ["broken.png"]
    means = np.asarray(Image.open(bottlenecks.photos[20].path)).mean(axis=(0, 1)) / 127.5 - 1
    assert bottlenecks.matrix[20] == pytest.approx(means, abs=1e-5)


def test_bottlenecks_are_computed_once() -> None:
    first, second = (extract(Dataset.open("photos"), FAKE, ExtractionConfig("kept")) for _ in range(2))
    assert (first.extraction.computed, second.extraction.computed) == (42, 0)
    np.testing.assert_array_equal(first.matrix, second.matrix)


def test_bottlenecks_in_float16_are_kept_beside_the_others() -> None:
    exact, half = extracted(bottleneck_dir="kept"), extracted(bottleneck_dir="kept", store_dtype="float16")
    assert (half.extraction.computed, half.backbone.stored_dtype) == (42, "float16")
    assert half.extraction.fingerprint != exact.extraction.fingerprint
    np.testing.assert_array_equal(half.matrix, exact.matrix.astype(np.float16))
    assert extracted(bottleneck_dir="kept", store_dtype="float16").extraction.computed == 0
    with pytest.raises(OptionError, match="`store_dtype` int8 is not known; choose from float32, float16"):
        ExtractionConfig(store_dtype="int8")


def test_division_is_by_content_and_can_be_given() -> None:
    bottlenecks = bottlenecks_of()
    assert bottlenecks.split() == bottlenecks.split()
    assert bottlenecks.split().folds != bottlenecks.split(SplitConfig(seed=1)).folds
    one = [bottlenecks.split(SplitConfig(seed=seed, folds=0)).splits for seed in (0, 0, 1)]
    assert one[0] == one[1] != one[2]
    own = Division(tuple(("testing", "validation", "training")[index % 3] for index in range(42)))
    assert evaluate(fit_head(bottlenecks, own)).n == 14


def test_small_classes_are_cross_validated(tmp_path: Path) -> None:
    paint(tmp_path / "few", seeds=range(2))
    bottlenecks = bottlenecks_of("few")
    division = bottlenecks.split()
    assert division.folds is not None
    assert evaluate(fit_head(bottlenecks, division)).n == 6


def test_the_choice_of_the_head_is_the_users() -> None:
    trained = trained_head(l2=0.5, label_smoothing=0.1)
    assert (trained.description["l2"], trained.description["label_smoothing"]) == (0.5, 0.1)


def test_objects_are_shown_in_a_line() -> None:
    trained = trained_head()
    assert repr(trained.bottlenecks.dataset) == "<Dataset photos: 42 files of 3 classes>"
    assert repr(trained.bottlenecks) == "<Bottlenecks by fake: 42 photos of 3 classes, 3 numbers each>"
    assert repr(trained).startswith("<TrainedHead {'optimizer': 'lbfgs'") and "test: accuracy" in repr(trained)


# Signatures


def test_arguments_have_names_and_defaults_of_the_configs() -> None:
    """`Dataset.open` and `Backbone.find` take one by one what a run has in its configs."""
    configs = (SourceConfig(Path("photos")), ExtractionConfig(), BackboneConfig())
    defaults = {one.name: getattr(config, one.name) for config in configs for one in fields(config)}
    compared = set()
    for step in (Dataset.open, Backbone.find):
        for name, parameter in inspect.signature(step).parameters.items():
            if name in defaults:
                default = Path(parameter.default) if isinstance(defaults[name], Path) else parameter.default
                assert default == defaults[name], name
                compared.add(name)
    assert compared == {"add_images", "bottleneck_dir", "fixes", "layout", "max_images_per_class", "paranoid",
                        "weights", "image_size", "model_dir", "seed", "source_dir"}  # fmt: skip
    assert BackboneConfig().architecture is None  # which means the default that `Backbone.find` names
    assert inspect.signature(Backbone.find).parameters["name"].default == DEFAULT_ARCHITECTURE


def test_every_option_of_the_head_is_a_field() -> None:
    def nothing() -> None: ...

    names = {option.name for option in head_options(nothing).__click_params__}
    # Where and how; the result is the same.
    assert names - {"checkpoint_path", "resume"} == {field.name for field in fields(HeadConfig)}


def test_steps_take_a_handful_of_parameters() -> None:
    for step in (extract, Bottlenecks.split, fit_head, evaluate, export):
        assert len(inspect.signature(step).parameters) <= 7, step


# Errors


def test_an_export_without_a_format_is_refused() -> None:
    with pytest.raises(OptionError, match="`formats` is empty: choose from saved_model, tflite"):
        ExportConfig(formats=())


def said_by_the_command(options: str, capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    with pytest.raises(SystemExit):
        main(options.split())
    return capsys.readouterr().err


@pytest.mark.parametrize(
    ("call", "options", "error"),
    [
        (lambda: Dataset.open("nowhere"), "--image_dir nowhere", DatasetError),
        (lambda: Backbone.find("mobilnet"), "--image_dir photos --architecture mobilnet", OptionError),
        (
            lambda: Backbone.find("resnet50", weights="no.h5"),
            "--image_dir photos --architecture resnet50 --weights no.h5",
            OptionError,
        ),
        (
            lambda: SplitConfig(testing_percentage=60, validation_percentage=40),
            "--image_dir photos --testing_percentage 60 --validation_percentage 40",
            OptionError,
        ),
        (lambda: trained_head(dropout=0.5), "--image_dir photos --architecture fake --dropout 0.5", OptionError),
        (
            lambda: ExportConfig(formats=["saved_model", "onnx"]),
            "--image_dir photos --formats saved_model,onnx",
            OptionError,
        ),
        (
            lambda: ExportConfig(formats=["tflite"], output_graph=Path("g.pb")),
            "--image_dir photos --formats tflite --output_graph g.pb",
            OptionError,
        ),
        (
            lambda: export(trained_head(), ExportConfig("photos")),
            "--image_dir photos --architecture fake --output_dir photos",
            ExportError,
        ),
    ],
)
def test_wrong_calls_get_the_sentences_of_the_command_line(
    call: Callable[[], object], options: str, error: type[RetrainError], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(error) as caught:
        call()
    assert "--" not in str(caught.value)
    assert f"Error: {with_dashes(str(caught.value), cli)}" in said_by_the_command(options, capsys)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: Dataset.open("photos", max_images_per_class=0), "`max_images_per_class` 0 must be at least 1"),
        (lambda: ExtractionConfig(precision="half"), "`precision` half is not known; choose from auto, float32, "),
        (lambda: ExtractionConfig(engine="steam"), "`engine` steam is not known; choose from auto, "),
        (lambda: SplitConfig(testing_percentage=-1), "`testing_percentage` -1 must be"),
        (lambda: SplitConfig(seed=-1), "`seed` -1 must be"),
        (lambda: Augmentation(random_crop=100), "`random_crop` 100 must be 0 to 99"),
        (lambda: Augmentation(random_scale=-1), "`random_scale` -1 must be 0 or more"),
        (lambda: ViewsConfig(views=2), "`views` 2 needs to know"),
        (lambda: ViewsConfig(views=0), "`views` 0 must be at least 1."),
        (lambda: ViewsConfig(Augmentation(random_crop=9), -3), "`views` -3 must be at least 1."),
        (lambda: trained_head(tta=True), "several views"),
        (lambda: fit_head(bottlenecks_of(), Division(("training",) * 3)), "The division is one of 3 photos"),
        (lambda: evaluate(trained_head(), extract(Dataset.open("photos"), Backbone.find("fake", image_size=16))),
         "not those of the head's backbone"),
    ],
)  # fmt: skip
def test_what_the_command_line_cannot_be_asked_is_refused_in_a_sentence(
    call: Callable[[], object], sentence: str
) -> None:
    with pytest.raises(OptionError, match=sentence):
        call()


def test_evaluation_needs_photos_that_the_head_has_not_seen() -> None:
    trained = trained_head()
    paint(Path("strange"), "grey", range(3))
    seen = {photo.path for photo, side in zip(trained.bottlenecks.photos, trained.division.splits, strict=True)
            if side != "testing"}  # fmt: skip
    for path in Path("photos").rglob("*.png"):
        if str(path.absolute()) not in seen:
            path.unlink()
    with pytest.raises(DatasetError, match="trained on all of these photos"):
        evaluate(trained, bottlenecks_of())


def test_one_class_of_usable_photos_is_not_enough() -> None:
    for colour in ("green", "blue"):
        for path in Path("photos", colour).iterdir():
            path.write_bytes(b"no photo")
    with pytest.raises(DatasetError, match="photos holds only the class 'red'"):
        bottlenecks_of()


# The screen


def test_nothing_is_printed_unless_it_is_asked_for(capfd: pytest.CaptureFixture[str]) -> None:
    trained_head()
    assert capfd.readouterr() == ("", "")
    extract(Dataset.open("photos"), FAKE, ExtractionConfig("elsewhere"), progress=TerminalScreen())
    out, err = capfd.readouterr()
    assert (out, "42/42" in err) == ("", True)


def test_download_is_observed(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[int, int | None]] = []

    def download(url: str, path: Path, checksum: str | None, observe: Callable[[int, int | None], None]) -> None:
        observe(1, 2)
        path.parent.mkdir(parents=True)
        path.write_bytes(b"weights")

    monkeypatch.setattr("retrain.backbones.weights.download", download)
    monkeypatch.setattr("retrain.backbones.weights.KERAS_CACHE", Path("nowhere"))
    backbone = Backbone.find("mobilenet_0.25_128", model_dir="models", observe=lambda *done: told.append(done))
    assert told == [(1, 2)] and backbone.weights_file == Path("models/mobilenet_2_5_128_tf_no_top.h5")
