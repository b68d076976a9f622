"""What holds for every format of the registry; what is special to one is tested beside its file."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from export_folders import COLOURS, contents, paint, parity_of
from schemas import check
from stand_ins import converted, evaluated

from label_image.embedding import Embed, embeds_of
from label_image.errors import ModelError
from label_image.installing import how_to_install
from label_image.model import Outputs, load_model, saved_model_runner
from retrain.core.errors import ExportError
from retrain.exports.card import CARD
from retrain.exports.card_sections import brief
from retrain.exports.folder import check_export_dir
from retrain.exports.formats.base import Conversion, Format, Source
from retrain.exports.proof.limits import FLOAT32
from retrain.exports.registry import FORMATS, SAVED_MODEL, TITLES, TRAINING_FORMATS, check_packages

pytestmark = pytest.mark.filterwarnings("ignore")  # some converters are written for older versions of what they meet
ROOT = Path(__file__).resolve().parents[2]
CONVERTED = [name for name, format in FORMATS.items() if format.conversions and format.lacks() is None]
ALONE = [name for name in CONVERTED if FORMATS[name].own_program]  # a file of these is enough for label_image
NOT_HERE = [
    pytest.param(name, marks=pytest.mark.skip(format.lacks() or ""))
    for name, format in FORMATS.items()
    if format.lacks()
]
PIXELS = np.stack([np.full((8, 8, 3), colour, np.uint8) for colour in COLOURS.values()] * 7)[:19]
PROGRAM = """
import sys, warnings
from pathlib import Path
from retrain.runs.export import ConvertConfig, export_model
warnings.simplefilter("ignore")
model, photos, store, *names = sys.argv[1:]
report = export_model(ConvertConfig(Path(model), tuple(names), photos, Path(store)))
assert all(result.refused is None for result in report.results), report
"""


@pytest.fixture(params=[*CONVERTED, *NOT_HERE])
def name(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@pytest.fixture
def copied(name: str, exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Instead of being converted once more, the format is copied from the export that has them all."""

    def copy(source: Source, path: Path) -> None:
        copy_to(exported / FORMATS[name].file, path)

    monkeypatch.setitem(FORMATS, name, replace(FORMATS[name], conversions=(Conversion(copy),)))


def copy_to(made: Path, path: Path) -> Path:
    return Path(shutil.copytree(made, path) if made.is_dir() else shutil.copyfile(made, path))


# What is declared


@pytest.mark.parametrize("format", FORMATS.values(), ids=FORMATS)
def test_what_it_declares_is_sound(format: Format) -> None:
    assert FORMATS[format.name] is format and format.files
    assert format.conversions or format.template
    others = [other for other in FORMATS.values() if other is not format]
    assert not set(format.files) & {file for other in others for file in other.files}
    assert not set(format.titles) & {what for other in others for what in other.titles}
    assert format.template is None or (format.titles and format.name in TRAINING_FORMATS)
    # What must not differ at all has no second, coarser way.
    assert format.limits != FLOAT32 or len(format.conversions) <= 1
    assert {what: TITLES[what] for what in format.titles} == format.titles


def test_the_saved_model_is_the_first() -> None:
    assert SAVED_MODEL == TRAINING_FORMATS[0] == "saved_model"


def test_it_is_in_the_documentation(name: str) -> None:
    page = (ROOT / "docs" / "exports.md").read_text(encoding="utf-8")
    assert f"| `{name}` | `{FORMATS[name].file}" in page


# What is written


def test_it_is_there_and_its_proof_is_in_the_manifest(name: str, exported: Path) -> None:
    format, entry = FORMATS[name], parity_of(exported)[name]
    assert sum(map(len, contents(exported / format.file).values())) == entry["bytes"] > 1000
    assert (entry["milliseconds_per_photo"] or 0) > 0 or not format.own_program
    assert entry["test"]["accuracy"] == 1.0 and entry["test"]["n"] > 0
    assert entry["photos"] == 60, "on seen photos, too, where few are unseen"
    assert entry["test"]["n"] < 60 and entry["test"]["seen"] is False
    assert entry["test"]["interval"][0] < 1.0
    if format.limits.tolerance is not None:
        assert 0 <= entry["greatest_difference"] <= format.limits.tolerance
        assert entry["similarity_difference"] <= format.limits.tolerance


def test_the_manifest_of_all_is_as_its_schema_says(exported: Path) -> None:
    check("model", (exported / "model.json").read_text(encoding="utf-8"))


def test_it_is_on_the_card_with_its_proof(name: str, exported: Path) -> None:
    entry = parity_of(exported)[name]
    text = (exported / CARD).read_text(encoding="utf-8")
    (row,) = (line for line in text.splitlines() if line.startswith(f"| `{FORMATS[name].file}`"))
    assert f" | {entry['photos']} | {brief(entry['greatest_difference'])} | " in row
    low, high = (100 * end for end in entry["test"]["drop_interval"])
    assert row.endswith(f" | 0.0 ({low:.1f} to {high:.1f}) |")


def test_what_is_written_is_part_of_an_export(exported: Path, tmp_path: Path) -> None:
    check_export_dir(exported)
    assert not [path.name for path in exported.parent.iterdir() if path.name != "model"]
    for format in FORMATS.values():
        for file in format.files:
            (tmp_path / file).touch()
    (tmp_path / "model.json").write_text('{"format": "retrain-export"}')
    check_export_dir(tmp_path)


@pytest.mark.parametrize("photos", [1, 5, 19])
def test_it_answers_like_the_saved_model_on_any_number_of_photos(name: str, photos: int, exported: Path) -> None:
    said, expected = FORMATS[name].load(exported / FORMATS[name].file)(PIXELS[:photos]), reference(exported, photos)
    assert said.probabilities.shape == (photos, len(COLOURS)) and said.probabilities.dtype == np.float32
    tolerance = {1e-4: 1e-5}.get(FORMATS[name].limits.tolerance or 0, 0.1)
    assert np.allclose(said.probabilities, expected.probabilities, atol=tolerance)
    assert said.similarity is not None and expected.similarity is not None
    assert np.allclose(said.similarity, expected.similarity, atol=tolerance)


@pytest.mark.parametrize("name", [name for name, format in FORMATS.items() if format.embeds is not None])
def test_it_gives_the_bottlenecks_that_the_saved_model_gives(name: str, exported: Path) -> None:
    format = FORMATS[name]
    assert format.embeds is not None
    said, expected = format.embeds(exported / format.file)(PIXELS), embeds_of(exported)(PIXELS)
    assert said.shape == (len(PIXELS), 3) and said.dtype == np.float32
    np.testing.assert_allclose(said, expected, rtol=1e-4, atol=1e-6)
    assert parity_of(exported)[name]["embedding_difference"] <= 1e-4


@pytest.mark.parametrize("name", [name for name, format in FORMATS.items() if format.embeds is not None])
def test_one_whose_bottlenecks_differ_is_not_kept(
    name: str, trained: Path, model: Path, tmp_path: Path, exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def copy(source: Source, path: Path) -> None:
        copy_to(exported / FORMATS[name].file, path)

    def other(path: Path) -> Embed:
        return lambda pixels: embeds_of(exported)(pixels) * np.float32(1.001)

    changed = replace(FORMATS[name], conversions=(Conversion(copy),), embeds=other)
    monkeypatch.setitem(FORMATS, name, changed)
    _, result = converted(model, (name,), str(trained / "photos"), tmp_path).results
    assert result.refused is not None and "its embeddings differ from the SavedModel's by up to 0.001" in result.refused
    assert not (model / FORMATS[name].file).exists()


def reference(exported: Path, photos: int) -> Outputs:
    expected = saved_model_runner(exported)(PIXELS[:photos])
    assert photos == 1 or np.ptp(expected.probabilities, axis=0).min() > 0.5  # photos do differ
    return expected


def test_labels_and_threshold_are_in_it(name: str, exported: Path) -> None:
    manifest = json.loads((exported / "model.json").read_text(encoding="utf-8"))
    data = b"".join(contents(exported / FORMATS[name].file).values())
    for label in manifest["labels"]:
        assert json.dumps(label, ensure_ascii=False).encode() in data
    assert json.dumps(manifest["unknown"]["threshold"]).encode() in data


@pytest.mark.parametrize("name", ALONE)
def test_it_alone_labels_photos_and_can_be_evaluated(name: str, exported: Path, trained: Path, tmp_path: Path) -> None:
    alone = copy_to(exported / FORMATS[name].file, tmp_path / FORMATS[name].file)
    loaded, folder = load_model(alone), load_model(exported)
    assert (loaded.labels, loaded.threshold) == (folder.labels, folder.threshold)
    for label in COLOURS:
        verdict = loaded.label((trained / "photos" / label / "3.png").read_bytes())
        assert verdict.answers[0].label == label and not verdict.unknown
        assert sum(answer.probability for answer in verdict.answers) == pytest.approx(1, abs=0.01)
    evaluation = evaluated(alone, str(paint(tmp_path / "new", range(50, 55))), tmp_path)
    assert evaluation.metrics.n == 15 and evaluation.metrics.accuracy == 1.0


def test_all_are_the_same_bytes_in_another_process(exported: Path, trained: Path, tmp_path: Path) -> None:
    """Whatever a process did before, and however it orders its sets."""
    model = shutil.copytree(trained / "model", tmp_path / "model")
    command = [sys.executable, "-c", PROGRAM, model, trained / "photos", tmp_path, *reversed(CONVERTED)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env={**os.environ, "PYTHONHASHSEED": "7"})
    assert done.returncode == 0, done.stderr
    files = [CARD, *(FORMATS[name].file for name in CONVERTED)]
    assert [file for file in files if contents(model / file) != contents(exported / file)] == []


# What is refused


def test_a_missing_package_is_named_before_any_work(
    name: str, model: Path, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for package in FORMATS[name].packages:
        with monkeypatch.context() as patch:
            patch.setattr(
                "importlib.util.find_spec", lambda asked, package=package: None if asked == package else object()
            )
            with pytest.raises(ExportError, match=f"The format {name} needs {package}: ") as error:
                converted(model, (name,), "no/photos", model.parent)
        assert how_to_install(FORMATS[name].extra) in str(error.value)
    check_packages([name])


def test_what_else_is_missing_is_said_before_any_work(name: str, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FORMATS, name, replace(FORMATS[name], lacks=lambda: "A part of it has to be built: run that."))
    with pytest.raises(ExportError, match=r"A part of it has to be built: run that\."):
        converted(model, (name,), "no/photos", model.parent)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "cut": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "not a model": lambda path: path.write_bytes(b"not a model" * 99),
    "gone": lambda path: path.unlink(),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_one_is_a_sentence(name: str, damage: str, exported: Path, tmp_path: Path) -> None:
    path = copy_to(exported / FORMATS[name].file, tmp_path / FORMATS[name].file)
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    for file in files:
        DAMAGES[damage](file)
    with pytest.raises(ModelError, match=path.name.replace(".", r"\.")):
        FORMATS[name].load(path)


@pytest.fixture
def before(name: str, model: Path) -> Iterator[None]:
    """The export, in which the format was already; afterwards it still is, and nothing else is new."""
    (model / FORMATS[name].file).write_bytes(b"the one before")
    there = contents(model)
    yield
    now = contents(model)
    assert {file for file in there if now.get(file) != there[file]} <= {"model.json"}  # which is told of the reference
    assert {file for file in now if file not in there and not file.startswith("clients")} == set()
    assert name not in parity_of(model)
    assert [path.name for path in model.parent.iterdir()] == ["model"]


@pytest.mark.usefixtures("copied", "before")
def test_one_that_does_not_hold_leaves_what_was_there(
    name: str, trained: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its classes are in another order."""
    load = FORMATS[name].load

    def wrong(path: Path) -> object:
        run = load(path)
        return lambda pixels: Outputs(np.roll(run(pixels).probabilities, 1, axis=1), run(pixels).similarity)

    monkeypatch.setitem(FORMATS, name, replace(FORMATS[name], load=wrong))
    _, result = converted(model, (name,), str(trained / "photos"), tmp_path).results
    assert result.refused is not None and f"{FORMATS[name].file} was not kept" in result.refused


@pytest.mark.usefixtures("before")
def test_one_that_cannot_be_made_leaves_what_was_there(
    name: str, trained: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(source: Source, path: Path) -> None:
        path.mkdir() if "." not in path.name else path.write_bytes(b"half of")
        raise ExportError("an op that is not there")

    ways = tuple(replace(conversion, write=fail) for conversion in FORMATS[name].conversions)
    monkeypatch.setitem(FORMATS, name, replace(FORMATS[name], conversions=ways))
    _, result = converted(model, (name,), str(trained / "photos"), tmp_path).results
    assert result.refused == "an op that is not there"


@pytest.mark.parametrize("when", ["written", "run"])
@pytest.mark.usefixtures("copied", "before")
def test_an_interruption_leaves_what_was_there(
    name: str, when: str, trained: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (copy,) = FORMATS[name].conversions

    def half(source: Source, path: Path) -> None:
        copy.write(source, path)
        raise KeyboardInterrupt

    def interrupt(path: Path) -> object:
        assert sum(map(len, contents(path).values())) > 1000
        raise KeyboardInterrupt

    change = {"conversions": (Conversion(half),)} if when == "written" else {"load": interrupt}
    monkeypatch.setitem(FORMATS, name, replace(FORMATS[name], **change))
    with pytest.raises(KeyboardInterrupt):
        converted(model, (name,), str(trained / "photos"), tmp_path)
