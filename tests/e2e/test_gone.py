"""Going on without the photos, as whole commands: those of docs/gone.md among them."""

import json
import os
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from calling import Called, call
from painting import paint, paint_classes
from schemas import check

import retrain.cli.main

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared"
CATS, DAISIES = SHARED / "data/cats", SHARED / "data/flowers/daisy"
WEIGHTS = SHARED / "weights/mobilenet_0.25_128.weights.h5"
DOCUMENTED = re.findall(r"^\$ (.*)$", (ROOT / "docs/gone.md").read_text(encoding="utf-8"), re.MULTILINE)
COLOURS = {name: name for name in ("red", "green", "blue")}


def called(*arguments: object) -> Called:
    return call(retrain.cli.main.main, *arguments)


def trained(*arguments: object, architecture: tuple[object, ...] = ("--architecture", "fake")) -> dict[str, Any]:
    """Run `retrain` to its end; what `--json` prints, and what is said."""
    done = called("--json", "--formats", "saved_model", *architecture, *arguments)
    assert done.code == 0, done.err
    return {**json.loads(done.out), "said": " ".join(done.err.split())}


def manifest(model: str) -> dict[str, Any]:
    found: dict[str, Any] = check("model", Path(model, "model.json").read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def lost(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which photos were trained on, and are gone; `moved` holds them. Never written to."""
    folder = tmp_path_factory.mktemp("lost")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        paint_classes(Path("photos"), COLOURS, range(20))
        paint(Path("photos/red/copy.png"), "red", 1)
        trained("--image_dir", "photos", "--output_dir", "first", "--folds", "0")
        os.rename("photos", "moved")
    return folder


@pytest.fixture
def here(lost: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, in which the command runs."""
    shutil.copytree(lost, tmp_path / "here", symlinks=True)
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


def test_a_class_is_added_without_a_single_old_photo(here: Path) -> None:
    for number in range(15):
        paint(Path("grey") / f"{number}.png", "grey", number)
    before = pq.read_table("first/dataset.parquet").to_pylist()
    run = trained("--image_dir", "first/dataset.parquet", "--add_images", "grey", "--output_dir", "second")
    assert run["bottlenecks"] == {"hits": 61, "computed": 15, "set_aside": 0}
    assert run["classes"] == ["blue", "green", "grey", "red"]
    assert run["photos"] == {"used": 76, "skipped": 0, "gone": 61}
    assert run["test"]["accuracy"] == 1.0
    after = pq.read_table("second/dataset.parquet").to_pylist()
    assert [row for row in after if row["label"] != "grey"] == before
    assert {row["side"] for row in after if row["label"] == "grey"} == {"training", "validation", "testing"}
    said = manifest("second")
    assert said["provenance"]["photos_gone"] == 61
    assert said["provenance"]["read_as"].endswith("blue, green, red; added: photos of the class grey")
    assert "parity_on" not in said
    assert said["parity"]["saved_model"]["photos"] == 15  # all that are there: two test photos would prove little
    # And once more, from what this run left, into its own folder.
    again = trained("--image_dir", "second/dataset.parquet", "--add_images", "grey", "--output_dir", "second")
    assert (again["photos"]["used"], again["bottlenecks"]["computed"]) == (76, 0)
    assert pq.read_table("second/dataset.parquet").to_pylist() == after


def test_without_any_photo_the_figures_are_those_of_before_and_the_proof_says_what_it_is(here: Path) -> None:
    run = trained("--image_dir", "first/dataset.parquet", "--output_dir", "second", "--report", "report.html")
    first, second = manifest("first"), manifest("second")
    assert second["metrics"] == first["metrics"]
    assert second["provenance"]["dataset_digest"] == first["provenance"]["dataset_digest"]
    assert second["parity_on"] == "built-in pictures, as all photos are gone"
    assert second["parity"]["saved_model"]["photos"] == 12
    assert "gone: 61 of the photos; their bottlenecks were used, and so the files are proven on" in run["said"]
    assert "try it:" in run["said"] and run["said"].endswith("photo.jpg")
    page = Path("report.html").read_text(encoding="utf-8")
    assert "61 of the photos are gone" in page and "run on built-in pictures, as all photos are gone" in page
    assert 'class="gone"' in page and "<img" not in page


def test_another_photo_at_an_old_path_is_never_shown(here: Path) -> None:
    for row in pq.read_table("first/dataset.parquet").to_pylist():
        paint(Path(row["path"]), "grey", 99)
    run = trained("--image_dir", "first/dataset.parquet", "--output_dir", "second", "--report", "report.html",
                  "--summaries_dir", "summaries")  # fmt: skip
    assert run["photos"]["gone"] == 61
    assert "at 61 of the paths there is another photo now" in run["said"]
    assert "<img" not in Path("report.html").read_text(encoding="utf-8")


def test_photos_that_are_there_again_are_used(here: Path) -> None:
    os.rename("moved", "photos")
    run = trained("--image_dir", "first/dataset.parquet", "--output_dir", "second")
    assert (run["photos"]["gone"], run["bottlenecks"]["computed"]) == (0, 0)
    assert "photos_gone" not in manifest("second")["provenance"]
    os.rename("photos", "elsewhere")
    run = trained("--image_dir", "first/dataset.parquet", "--add_images", "elsewhere", "--output_dir", "third",
                  "--flip_left_right")  # fmt: skip
    assert run["photos"] == {"used": 61, "skipped": 0, "gone": 0}
    assert manifest("third")["metrics"]["test"]["n"] == manifest("first")["metrics"]["test"]["n"]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--architecture", "fake", "--image_size", "9"], r"61 .*gone, and .* by --architecture fake, --image_size 8"),
        (["--architecture", "fake", "--flip_left_right"], "Or leave --flip_left_right out"),
        (["--architecture", "fake", "--fine_tune_layers", "1"], "--fine_tune_layers needs the pixels of all photos"),
        (["--architecture", "fake", "--compare", "scratch"], "--compare scratch needs the pixels of all photos"),
    ],
)
def test_what_needs_pixels_is_refused_by_its_option(options: list[str], reason: str, here: Path) -> None:
    done = called("--image_dir", "first/dataset.parquet", "--output_dir", "second", *options)
    assert done.code != 0 and re.search(reason, " ".join(done.err.split()))
    assert not Path("second").exists()


def test_every_other_command_works_or_says_a_sentence(here: Path) -> None:
    record = "first/dataset.parquet"
    paint_classes(Path("more"), {"grey": "grey"}, range(6))
    looked = called("look", record, "--add_images", "more", "--json")
    assert json.loads(looked.out)["classes"]["grey"] == {"to be split": 6}
    swept = called("sweep", "--image_dir", record, "--add_images", "more", "--architecture", "fake", "--l2", "0.01,0.1")
    assert swept.code == 0 and "--add_images more" in " ".join(swept.out.split())
    examined = called("doctor", record, "--add_images", "more", "--architecture", "fake", "--output_dir", "doctor")
    assert examined.code == 0 and "61 photos are gone: their labels and bottlenecks are examined" in examined.out
    assert "the same bytes" in Path("doctor/findings.csv").read_text(encoding="utf-8").lower()
    evaluated = called("evaluate", "first", record)
    assert evaluated.code == 1
    assert "None of the 61 photos of first/dataset.parquet can be read, and a model is evaluated on" in evaluated.err
    exported = called("export", "first", "--to", "tflite", "--image_dir", record)
    assert exported.code == 1
    assert "All photos of first/dataset.parquet are gone, and formats are judged on pixels" in exported.err
    kept = called("store", "prune", "--keep_photos", record)
    assert kept.code == 0 and "nothing" in kept.out.lower()


def test_fixes_of_photos_that_are_gone(here: Path) -> None:
    Path("fixes.csv").write_text("file,action\nphotos/red/0.png,remove\nphotos/red/1.png,relabel:blue\n")
    run = trained("--image_dir", "first/dataset.parquet", "--output_dir", "second", "--fixes", "fixes.csv")
    assert run["photos"]["used"] == 60
    rows = {row["path"]: row["label"] for row in pq.read_table("second/dataset.parquet").to_pylist()}
    assert "photos/red/0.png" not in rows and rows["photos/red/1.png"] == "blue"


def test_the_same_run_leaves_the_same_bytes(here: Path) -> None:
    os.rename("moved", "photos")
    trained("--image_dir", "photos", "--output_dir", "second", "--folds", "0")
    assert Path("second/dataset.parquet").read_bytes() == Path("first/dataset.parquet").read_bytes()
    assert manifest("second")["provenance"]["dataset"] == "dataset.parquet"


def test_added_photos_may_not_lie_where_results_go(here: Path) -> None:
    done = called("--image_dir", "moved", "--add_images", "first", "--output_dir", "first", "--architecture", "fake")
    assert done.code == 2 and "--add_images first lies in --output_dir first" in done.err
    paint_classes(Path("more"), {"grey": "grey"}, range(3))
    done = called(
        "--image_dir", "moved", "--add_images", "more", "--output_dir", "more/model", "--architecture", "fake"
    )
    assert done.code == 2 and "--output_dir more/model lies among the photos of more" in done.err
    done = called("doctor", "moved", "--add_images", "more", "--output_dir", "more/doctor", "--architecture", "fake")
    assert done.code == 2 and "--output_dir more/doctor lies among the photos of more" in done.err
    done = called("sweep", "--image_dir", "moved", "--add_images", "more", "--output_csv", "more/grey/sweep.csv",
                  "--architecture", "fake")  # fmt: skip
    assert done.code == 2 and "--output_csv more/grey/sweep.csv lies among the photos of more" in done.err


def test_a_photo_of_another_class_is_said(here: Path) -> None:
    Path("grey").mkdir()
    shutil.copy("moved/red/3.png", "grey/3.png")
    for number in range(5):
        paint(Path("grey") / f"{number + 10}.png", "grey", number)
    run = trained("--image_dir", "first/dataset.parquet", "--add_images", "grey", "--output_dir", "second")
    assert "1 of the added photos is in another class, too (the first: grey/3.png is 'grey' and, as" in run["said"]


def test_commands_of_the_page_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    paint_classes(Path("cats"), COLOURS, range(20))
    for number in range(10):
        paint(Path("Sphynx") / f"{number}.png", "grey", number)
    assert len(DOCUMENTED) >= 4
    for line in DOCUMENTED:
        words = shlex.split(line)
        if words[0] == "rm":
            shutil.rmtree(words[-1])
            continue
        assert words[0] == "retrain"
        fake = [] if words[1] in ("look", "store") else ["--architecture", "fake", "--formats", "saved_model"]
        done = called(*words[1:], *fake)
        assert done.code == 0, done.err


@pytest.mark.real
@pytest.mark.skipif(not (WEIGHTS.exists() and CATS.exists()), reason=f"{SHARED} is absent")
def test_a_class_of_50_photos_beside_2400_cats_that_are_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(CATS, "cats")
    network = ("--architecture", "mobilenet_0.25_128", "--weights", WEIGHTS)
    first = trained("--image_dir", "cats", "--output_dir", "first", architecture=network)
    shutil.rmtree("cats")
    Path("daisy").mkdir()
    for path in sorted(DAISIES.iterdir())[:50]:
        shutil.copy(path, "daisy")
    second = trained("--image_dir", "first/dataset.parquet", "--add_images", "daisy", "--output_dir", "second",
                     architecture=network)  # fmt: skip
    assert second["bottlenecks"]["computed"] == 50
    assert second["bottlenecks"]["hits"] == second["photos"]["gone"] == first["photos"]["used"] == 2400
    assert len(second["classes"]) == 13
    old, new = (json.loads(Path(model, "metrics.json").read_text())["test"] for model in ("first", "second"))
    on_cats = [entry for entry in new["classes"] if entry["label"] != "daisy"]
    right = sum(entry["recall"] * entry["support"] for entry in on_cats)
    tested = sum(entry["support"] for entry in on_cats)
    assert tested == old["n"]  # the very same test photos
    assert abs(right / tested - old["accuracy"]) < 0.02  # a photo in fifty; the interval is 4 points to either side
