"""The studio's model taken away: formats with their proof, whose they are, and that they answer as the studio does."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest
from painting import paint
from studios import seen_in, studio_in, trained_on

from label_image.model import load_model
from label_image.web.site import why_no_runtime
from retrain.core.errors import DatasetError, ExportError, StudioError
from retrain.core.language import in_language
from retrain.core.progress import Silent
from retrain.exports import registry
from retrain.exports.folder import previous_of
from retrain.exports.registry import FORMATS
from retrain.studio import taking
from retrain.studio.config import StudioConfig
from retrain.studio.phone import phone_page
from retrain.studio.taking import WORDS, Proof, Taken, exports, take, written_report
from retrain.studio.trying import try_photo

FURTHER = "tflite_float16"


class Said(Silent):
    def __init__(self) -> None:
        self.sentences: list[str] = []

    def say(self, sentence: str) -> None:
        self.sentences.append(sentence)


@pytest.fixture(scope="module")
def taken(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """A studio with a trained head of which a further format was written; not to be written to."""
    config = studio_in(tmp_path_factory.mktemp("studio"))
    seen = seen_in(config)
    trained = trained_on(seen, config)
    take(trained, config, FURTHER)
    return SimpleNamespace(config=config, seen=seen, trained=trained)


@pytest.fixture
def copied(taken: SimpleNamespace, tmp_path: Path) -> StudioConfig:
    """The same with an export folder of its own."""
    shutil.copytree(taken.config.output_dir, tmp_path / "model")
    return replace(taken.config, output_dir=tmp_path / "model")


def by_name(found: tuple[Taken, ...]) -> dict[str, Taken]:
    return {one.name: one for one in found}


def test_every_format_has_words() -> None:
    assert set(WORDS) == {*FORMATS, "report"}
    titles = [title for title, _ in WORDS.values()]
    assert len(set(titles)) == len(titles)


def test_before_the_first_export_nothing_is_written(tmp_path: Path) -> None:
    config = studio_in(tmp_path)
    found = exports(config, None)
    assert [one.name for one in found] == list(WORDS)
    assert not any(one.is_written or one.is_current or one.bytes or one.proof for one in found)
    assert set(found[0].plain()) == {"name", "title", "for", "written", "isCurrent", "bytes", "proof", "refused"}
    assert written_report(config) is None


def test_what_was_written_is_listed_with_its_proof(taken: SimpleNamespace) -> None:
    found = by_name(exports(taken.config, taken.trained))
    written = {name for name, one in found.items() if one.is_written}
    assert written == {"saved_model", "tflite", FURTHER}
    assert all(found[name].is_current and found[name].bytes > 500 for name in written)
    proofs = {name: found[name].plain()["proof"] for name in written}
    assert proofs["tflite"] == (
        "Tried on 16 photos: all answers are the model's, probabilities differ by at most 0.0001."
    )
    assert {name: proof.split()[2] for name, proof in proofs.items()} == {
        "saved_model": "16",
        "tflite": "16",
        FURTHER: "36",
    }
    assert found[FURTHER].bytes == (taken.config.output_dir / "model_float16.tflite").stat().st_size
    assert json.loads(json.dumps([one.plain() for one in found.values()]))


def test_the_export_answers_as_the_studio_does(taken: SimpleNamespace) -> None:
    model = load_model(taken.config.output_dir)
    for photo in taken.seen.listing.photos[::5]:
        data = Path(photo.file.path).read_bytes()
        verdict, said = model.label(data), try_photo(data, taken.trained, taken.seen, heat=False)
        assert [one.label for one in verdict.answers] == [one["label"] for one in said["top"]]
        for answer, one in zip(verdict.answers, said["top"], strict=True):
            assert answer.probability == pytest.approx(one["probability"], abs=1e-5)
        assert verdict.similarity == pytest.approx(said["similarity"], abs=1e-5)
        assert (verdict.threshold, verdict.unknown) == (pytest.approx(said["threshold"]), said["unknown"])


def test_a_studio_that_is_started_again_knows_what_was_written(taken: SimpleNamespace) -> None:
    seen = seen_in(taken.config)
    for again in (exports(taken.config, None, seen), exports(taken.config, trained_on(seen, taken.config))):
        assert again == exports(taken.config, taken.trained)
    assert not any(one.is_current for one in exports(taken.config, None))


def test_with_another_photo_it_is_current_no_more(taken: SimpleNamespace, tmp_path: Path) -> None:
    shutil.copytree(taken.config.folder, tmp_path / "photos")
    other = replace(taken.config, folder=tmp_path / "photos")
    paint(tmp_path / "photos/red/new.png", "red", 999)
    seen = seen_in(other)
    for found in (exports(other, None, seen), exports(other, trained_on(seen, other), seen)):
        assert by_name(found)["tflite"].is_written and not any(one.is_current for one in found)


def test_what_is_there_is_not_written_again(copied: StudioConfig, taken: SimpleNamespace) -> None:
    before = {path: path.stat().st_mtime_ns for path in copied.output_dir.rglob("*")}
    said = Said()
    for name in (FURTHER, "saved_model", "tflite"):
        take(taken.trained, copied, name, said)
    assert {path: path.stat().st_mtime_ns for path in copied.output_dir.rglob("*")} == before
    assert said.sentences == []


def test_the_model_of_another_training_becomes_the_one_before(
    copied: StudioConfig, taken: SimpleNamespace, tmp_path: Path
) -> None:
    shutil.copytree(copied.folder, tmp_path / "photos")
    paint(tmp_path / "photos/red/new.png", "red", 999)
    other = replace(copied, folder=tmp_path / "photos")
    trained = trained_on(seen_in(other), other)
    take(trained, other, "tflite")
    found = by_name(exports(other, trained))
    assert found["tflite"].is_current and not found[FURTHER].is_written
    before = previous_of(other.output_dir)
    assert by_name(exports(replace(copied, output_dir=before), taken.trained))[FURTHER].is_current


def test_a_format_that_does_not_hold_is_refused_with_its_reason(
    copied: StudioConfig, taken: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = SimpleNamespace(results=[SimpleNamespace(refused=None), SimpleNamespace(refused="It was not kept.")])
    monkeypatch.setattr(taking, "export_model", lambda asked, progress: refused)
    with pytest.raises(ExportError, match=r"^It was not kept\.$"):
        take(taken.trained, copied, "tflite_int8")


def test_what_this_machine_lacks_is_said_and_refused_before_any_work(
    tmp_path: Path, taken: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    lacking = replace(FORMATS["onnx"], packages=("a_package_of_nobody",))
    monkeypatch.setitem(registry.FORMATS, "onnx", lacking)
    config = replace(taken.config, output_dir=tmp_path / "model")
    refused = by_name(exports(config, None))["onnx"].refused
    assert refused is not None and "a_package_of_nobody" in refused and refused.endswith(".")
    with pytest.raises(ExportError, match="a_package_of_nobody"):
        take(taken.trained, config, "onnx")
    assert not config.output_dir.exists()


def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path, taken: SimpleNamespace) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model/diary.txt").write_text("mine")
    config = replace(taken.config, output_dir=tmp_path / "model")
    assert not any(one.is_written for one in exports(config, taken.trained))
    with pytest.raises(ExportError, match=r"diary\.txt"):
        take(taken.trained, config, "tflite")
    assert [path.name for path in (tmp_path / "model").iterdir()] == ["diary.txt"]


def test_a_format_that_nobody_knows_is_refused(taken: SimpleNamespace) -> None:
    with pytest.raises(StudioError, match=r"\.\./photos is not known"):
        take(taken.trained, taken.config, "../photos")


@pytest.mark.skipif(why_no_runtime() is not None, reason="no runtime for phones: make web-runtime")
def test_the_phone_page_is_there_once_it_is_written(copied: StudioConfig, taken: SimpleNamespace) -> None:
    assert phone_page(copied.output_dir) == {}
    take(taken.trained, copied, "web")
    page = phone_page(copied.output_dir)
    config = json.loads(page["config.json"].content)
    assert config["labels"] == list(taken.trained.labels)
    assert config["model"]["file"] in page and "worker.js" in page
    web = by_name(exports(copied, taken.trained))["web"]
    assert web.is_current and web.bytes == sum(len(file.content) for file in page.values())


def test_the_report_is_written_beside_the_photos(tmp_path: Path, taken: SimpleNamespace) -> None:
    shutil.copytree(taken.config.output_dir, tmp_path / "model")
    folder = tmp_path / "photos"
    shutil.copytree(taken.config.folder, folder)
    config = replace(taken.config, folder=folder, output_dir=tmp_path / "model")
    (folder / ".studio").mkdir(exist_ok=True)
    (folder / ".studio/report-0123456789ab.html").write_text("of an older model")
    take(taken.trained, config, "report")
    path = written_report(config)
    assert path is not None and list(path.parent.glob("*.html")) == [path]
    page = path.read_text()
    assert "photos" in page and "retrain studio" in page and "100.0" in page
    report = by_name(exports(config, taken.trained))["report"]
    assert report.is_current and report.bytes == path.stat().st_size
    assert seen_in(config).listing.version  # the page is no photo, and no class
    assert len(seen_in(config).listing.photos) == len(taken.seen.listing.photos)


def test_photos_that_were_moved_and_removed_since_are_missed_by_no_export(
    tmp_path: Path, taken: SimpleNamespace
) -> None:
    config = studio_in(tmp_path)
    trained = trained_on(seen_in(config), config)
    for number in range(6):
        (config.folder / f"red/{number}.png").rename(config.folder / f"blue/red {number}.png")
        (config.folder / f"green/{number}.png").unlink()
    for name in (FURTHER, "report"):
        take(trained, config, name)
    found = by_name(exports(config, trained))
    assert found[FURTHER].is_current and found["report"].is_current
    assert found[FURTHER].proof is not None and found[FURTHER].proof.photos == 36 - 12
    assert not any(one.is_current for one in exports(config, None, seen_in(config)))


def test_a_model_of_photos_that_are_all_gone_is_written_and_further_formats_say_why_not(
    tmp_path: Path, taken: SimpleNamespace
) -> None:
    config = studio_in(tmp_path)
    trained = trained_on(seen_in(config), config)
    shutil.rmtree(config.folder)
    config.folder.mkdir()
    with pytest.raises(DatasetError, match="are gone"):
        take(trained, config, FURTHER)
    assert by_name(exports(config, trained))["tflite"].is_current


@pytest.mark.parametrize(
    "parity, sentence",
    [
        (
            {"photos": 1200, "top_1_agreement": 1.0, "greatest_difference": 1.24e-6},
            "Tried on 1,200 photos: all answers are the model's, probabilities differ by at most 0.0001.",
        ),
        (
            {"photos": 600, "top_1_agreement": 0.985, "greatest_difference": 0.21, "test": {"drop": 0.004}},
            "Tried on 600 photos: 98.5% of the answers are the model's, probabilities differ by at most 0.3. "
            "Its accuracy is 0.4 points lower.",
        ),
        (
            {"photos": 600, "top_1_agreement": 1.0, "greatest_difference": 0.03, "test": {"drop": -0.01}},
            "Tried on 600 photos: all answers are the model's, probabilities differ by at most 0.03. "
            "Its accuracy is 1.0 points higher.",
        ),
    ],
)
def test_a_proof_is_said_in_short(parity: dict, sentence: str) -> None:
    assert msgspec.convert(parity, Proof).sentence == sentence


@pytest.mark.parametrize("difference, shown", [(0, "0.0001"), (0.000101, "0.0002"), (0.96, "1"), (0.05, "0.05")])
def test_what_probabilities_differ_by_is_rounded_up(difference: float, shown: str) -> None:
    assert Proof(1, 1.0, difference).sentence.endswith(f"at most {shown}.")


def test_it_is_said_in_the_language_of_the_moment(taken: SimpleNamespace) -> None:
    found = by_name(exports(taken.config, taken.trained))
    with in_language("pt"):
        said = {name: one.plain() for name, one in found.items()}
    assert said["web"]["title"] == "Página para o celular"
    assert said["report"]["title"] == "Relatório"
    assert said["tflite"]["proof"] == (
        "Testado em 16 fotos: todas as respostas são as do modelo; as probabilidades diferem em no máximo 0,0001."
    )


@pytest.mark.parametrize("parity", [None, [], {"tflite": {}}, {"tflite": {"photos": "many"}}, {"tflite": 3}])
def test_what_has_no_proof_that_can_be_read_was_not_written(
    copied: StudioConfig, taken: SimpleNamespace, parity: object
) -> None:
    manifest = copied.output_dir / "model.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "parity": parity}))
    assert not any(one.is_written for one in exports(copied, taken.trained))


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"provenance": 3}'])
def test_a_manifest_that_cannot_be_read_is_that_of_no_export(
    copied: StudioConfig, taken: SimpleNamespace, text: str
) -> None:
    (copied.output_dir / "model.json").write_text(text)
    assert not any(one.is_written for one in exports(copied, taken.trained))
    assert not any(one.is_written for one in exports(copied, None, taken.seen))


def test_provenance_of_another_kind_is_of_no_photos(copied: StudioConfig, taken: SimpleNamespace) -> None:
    manifest = copied.output_dir / "model.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "provenance": 3}))
    assert not any(one.is_current for one in exports(copied, None, taken.seen))


def test_tensorflow_is_imported_for_an_export_and_not_before(tmp_path: Path) -> None:
    script = f"""
import sys
from pathlib import Path
from studios import seen_in, studio_in, trained_on
from retrain.studio.examining import examine
from retrain.studio.phone import phone_addresses, phone_page, qr_svg
from retrain.studio.taking import exports
from retrain.studio.trying import try_photo
from retrain.studio.zips import zip_of
config = studio_in(Path({str(tmp_path)!r}))
seen = seen_in(config)
trained = trained_on(seen, config)
examine(seen, trained, config)
assert try_photo((config.folder / "red/0.png").read_bytes(), trained, seen)["heat"]
exports(config, trained, seen)
phone_page(config.output_dir)
qr_svg(phone_addresses(config).collect)
assert not {{"tensorflow", "keras"}} & set(sys.modules)
"""
    support = Path(__file__).resolve().parents[1] / "support"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(support)!r})\n{script}"],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
