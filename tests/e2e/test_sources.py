"""Every form of --image_dir and the options beside it, as whole commands; those of docs/sources.md among them."""

import json
import re
import shlex
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from calling import instead
from painting import paint
from PIL import Image

import retrain.cli.main
from retrain.photos.opening import list_photos
from retrain.photos.subset import limit_per_class

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared"
CATS = SHARED / "data/cats"
WEIGHTS = SHARED / "weights/mobilenet_0.25_128.weights.h5"
COLOURS = {"red": (220, 30, 30), "green": (30, 200, 30), "blue": (30, 30, 220)}
EACH = 12


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def photos(folder: str, each: int = EACH) -> list[tuple[Path, str]]:
    """Class folders: photos with their classes."""
    return [(paint(Path(folder, name, f"{n}.png"), name, n), name) for name in COLOURS for n in range(each)]


def shard(path: str, rows: list[tuple[Path, str]]) -> None:
    names = sorted(COLOURS)
    features = {"image": {"_type": "Image"}, "label": {"names": names, "_type": "ClassLabel"}}
    table = pa.table(
        {
            "image": [{"bytes": p.read_bytes(), "path": p.name} for p, _ in rows],
            "label": [names.index(c) for _, c in rows],
        }
    )
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})}), path)


def train(capsys: pytest.CaptureFixture[str], *arguments: str, model: str = "model") -> dict[str, Any]:
    """Run `retrain` to the end: what --json prints, what is said, and the manifest."""
    call = instead(("--architecture", "fake", "--output_dir", model), *arguments, "--json")
    retrain.cli.main.main([str(word) for word in call])
    captured = capsys.readouterr()
    manifest = json.loads(Path(model, "model.json").read_text(encoding="utf-8"))
    return {**json.loads(captured.out), "said": " ".join(captured.err.split()), "manifest": manifest}


def test_parquet_and_folders_of_the_same_photos_give_the_same_model(capsys: pytest.CaptureFixture[str]) -> None:
    rows = photos("photos")
    shard("cats.parquet", rows)
    lines = [json.dumps({"file_name": f"{colour}/{path.name}", "label": colour}) for path, colour in rows]
    Path("photos/metadata.jsonl").write_text("\n".join(lines))
    metadata = train(capsys, "--image_dir", "photos")
    Path("photos/metadata.jsonl").unlink()
    folders = train(capsys, "--image_dir", "photos")
    parquet = train(capsys, "--image_dir", "cats.parquet")
    assert folders["bottlenecks"]["computed"] == parquet["bottlenecks"]["computed"] == 0  # known by their content
    assert metadata["bottlenecks"]["computed"] == 3 * EACH
    # The template, which is new at first, is tried on more photos.
    assert {**metadata["manifest"], "parity": None} == {**folders["manifest"], "parity": None}
    assert parquet["manifest"]["provenance"]["dataset_digest"] == folders["manifest"]["provenance"]["dataset_digest"]
    # The rows of the matrix come in another order, which moves the last digits.
    ours, theirs = (run["manifest"]["metrics"]["test"] for run in (parquet, folders))
    assert ours["accuracy"] == theirs["accuracy"]
    assert ours["cross_entropy"] == pytest.approx(theirs["cross_entropy"], rel=1e-3, abs=3e-4)


def test_as_what_a_folder_was_read_is_said_and_kept(capsys: pytest.CaptureFixture[str]) -> None:
    photos("download/colours/train_set")
    for colour in COLOURS:
        for number in range(4):
            paint(Path("download/colours/test_set", colour, f"{number}.png"), colour, 100 + number)
    Path("download/__MACOSX").mkdir()
    Path("download/notes.txt").touch()
    line = "colours/train_set, colours/test_set with the classes blue, green, red; left out: __MACOSX"
    found = train(capsys, "--image_dir", "download", "--report", "report.html")
    assert found["said"].startswith(f"Read as: {line}. ")
    assert found["manifest"]["provenance"]["read_as"] == line
    assert f"<dt>read as</dt><dd>{line}</dd>" in Path("report.html").read_text(encoding="utf-8")
    assert (found["classes"], found["test"]["n"]) == (["blue", "green", "red"], 12)
    folders = train(capsys, "--image_dir", "download/colours/train_set")
    assert folders["said"].startswith("Read as: class folders blue, green, red. ")
    assert "read_as" not in folders["manifest"]["provenance"]


@pytest.mark.real
@pytest.mark.skipif(not WEIGHTS.exists() or not CATS.exists(), reason=f"{SHARED} is absent")
def test_real_cats_in_parquet(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    some = limit_per_class(list_photos(CATS), 30)
    rows = {"image": [{"bytes": Path(f.path).read_bytes()} for f in some.files], "label": [f.label for f in some.files]}
    pq.write_table(pa.table(rows), "cats.parquet", row_group_size=100)
    network = ["--architecture", "mobilenet_0.25_128", "--weights", str(WEIGHTS)]
    folders = train(capsys, "--image_dir", str(CATS), "--max_images_per_class", "30", *network)
    parquet = train(capsys, "--image_dir", "cats.parquet", *network)
    few = train(capsys, "--image_dir", "cats.parquet", "--max_images_per_class", "6", *network)
    assert folders["photos"]["used"] == folders["bottlenecks"]["computed"] == 360
    assert parquet["bottlenecks"]["computed"] == few["bottlenecks"]["computed"] == 0
    digests = [run["manifest"]["provenance"]["dataset_digest"] for run in (folders, parquet, few)]
    assert digests[0] == digests[1] != digests[2]
    assert parquet["test"]["accuracy"] == folders["test"]["accuracy"] > 0.4
    assert few["photos"]["used"] == 72 and few["test"]["n"] < parquet["test"]["n"]


@pytest.mark.real
@pytest.mark.skipif(not WEIGHTS.exists() or not CATS.exists(), reason=f"{SHARED} is absent")
def test_real_cats_by_any_source_are_the_same_cats(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tfds = pytest.importorskip("tensorflow_datasets", reason="the extra tfds is not installed")
    monkeypatch.setenv("TFDS_DATA_DIR", str(here / "tfds"))
    some = limit_per_class(list_photos(CATS), 6).files
    breeds = sorted({file.label for file in some})

    class Builder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
        VERSION = tfds.core.Version("1.0.0")

        def _info(self) -> Any:
            features = {"image": tfds.features.Image(), "label": tfds.features.ClassLabel(names=breeds)}
            return tfds.core.DatasetInfo(
                builder=self, features=tfds.features.FeaturesDict(features), supervised_keys=("image", "label")
            )

        def _split_generators(self, manager: Any) -> Any:
            return {"train": self._generate_examples()}

        def _generate_examples(self) -> Any:
            for number, file in enumerate(some):
                yield number, {"image": file.path, "label": file.label}

    Builder.name = "few_cats"
    Builder(data_dir=here / "tfds").download_and_prepare()
    Path("hugging").mkdir()
    for number, file in enumerate(some):
        shutil.copy(file.path, f"hugging/{number}.jpg")
    lines = [json.dumps({"file_name": f"{n}.jpg", "label": file.label}) for n, file in enumerate(some)]
    Path("hugging/metadata.jsonl").write_text("\n".join(lines))
    names = {breed: f"gato {number}" for number, breed in enumerate(breeds)}
    Path("names.json").write_text(json.dumps(names))
    capsys.readouterr()  # tensorflow-datasets says on standard output that it prepares a set
    network = ["--architecture", "mobilenet_0.25_128", "--weights", str(WEIGHTS), "--formats", "saved_model"]
    folders, hugging, few_cats, named = (
        train(capsys, "--image_dir", source, *asked, *network)
        for source, *asked in (
            (str(CATS), "--max_images_per_class", "6"),
            ("hugging",),
            ("tfds:few_cats",),
            ("hugging", "--category_names", "names.json"),
        )
    )
    assert folders["bottlenecks"]["computed"] == len(some) == 72
    for run in (hugging, few_cats, named):
        assert run["bottlenecks"]["computed"] == 0
        assert run["test"] == folders["test"]
    assert hugging["classes"] == few_cats["classes"] == folders["classes"] == breeds
    assert named["classes"] == named["manifest"]["labels"] == list(names.values())
    digests = {run["manifest"]["provenance"]["dataset_digest"] for run in (folders, hugging, few_cats)}
    assert len(digests) == 1


def test_shards_keep_their_split(capsys: pytest.CaptureFixture[str]) -> None:
    rows = photos("photos")
    shard("shards/train-0.parquet", [row for n, row in enumerate(rows) if n % 3])
    shard("shards/test-0.parquet", [row for n, row in enumerate(rows) if n % 3 == 0])
    run = train(capsys, "--image_dir", "shards")
    assert run["test"]["n"] == EACH
    assert "The source gives no validation photos" in run["said"]


def test_fewer_photos_per_class(capsys: pytest.CaptureFixture[str]) -> None:
    photos("photos")
    run = train(capsys, "--image_dir", "photos", "--max_images_per_class", "7")
    assert run["photos"]["used"] == run["bottlenecks"]["computed"] == 21
    assert "15 photos of 3 classes are left out" in run["said"]
    assert train(capsys, "--image_dir", "photos")["bottlenecks"] == {"hits": 21, "computed": 15, "set_aside": 0}


def test_category_names_change_names_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    photos("photos")
    names = {"red": "Vermelho", "green": "Árvore", "blue": "Mar"}  # in another order than the folders'
    Path("names.json").write_text(json.dumps(names), encoding="utf-8")
    plain = train(capsys, "--image_dir", "photos")
    named = train(
        capsys, "--image_dir", "photos", "--category_names", "names.json", "--output_labels", "l.txt", model="named"
    )
    order = [names[label] for label in plain["classes"]]
    assert plain["classes"] == sorted(COLOURS) and named["classes"] == order
    assert Path("named/labels.txt").read_text(encoding="utf-8").splitlines() == order
    assert Path("l.txt").read_text(encoding="utf-8").splitlines() == order
    assert named["manifest"]["labels"] == order
    metrics, plain_metrics = (json.loads(Path(m, "metrics.json").read_text("utf-8")) for m in ("named", "model"))
    assert [entry["label"] for entry in metrics["test"]["classes"]] == order
    assert metrics["test"]["confusion"] == plain_metrics["test"]["confusion"]
    assert named["bottlenecks"]["computed"] == 0
    assert named["manifest"]["head"] == plain["manifest"]["head"]
    ours, theirs = (run["manifest"]["metrics"]["test"] for run in (named, plain))
    # The classes are added up in another order, which moves the last digits.
    assert {**ours, "cross_entropy": pytest.approx(ours["cross_entropy"], rel=1e-3, abs=3e-4)} == theirs


def test_category_names_by_index_and_with_gaps(capsys: pytest.CaptureFixture[str]) -> None:
    photos("photos")
    Path("names.json").write_text('{"0": "Mar", "2": "Vermelho", "7": "Rosa"}')
    run = train(capsys, "--image_dir", "photos", "--category_names", "names.json", "--print_misclassified_test_images")
    assert run["classes"] == ["Mar", "green", "Vermelho"]
    assert "no name for these classes, which keep their own: 'green'" in run["said"]
    assert "names classes that have no photos: '7'" in run["said"]


@pytest.mark.parametrize("content", ["[]", '{"red": "x", "blue": "x"}', '{"yellow": "x"}'])
def test_bad_category_names_end_the_run(content: str, capsys: pytest.CaptureFixture[str]) -> None:
    photos("photos", 4)
    Path("names.json").write_text(content)
    with pytest.raises(SystemExit) as leave:
        retrain.cli.main.main(["--architecture", "fake", "--image_dir", "photos", "--category_names", "names.json"])
    assert leave.value.code == 1
    assert "Error: names.json" in capsys.readouterr().err
    assert not Path("tf_files/model").exists()


def test_wrong_tfds_name_is_a_wrong_call(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as leave:
        retrain.cli.main.main(["--architecture", "fake", "--image_dir", "tfds:"])
    assert leave.value.code == 2
    assert "tfds:NAME" in capsys.readouterr().err


# The commands of docs/sources.md

DOCUMENTED = re.findall(r"^retrain .*$", (ROOT / "docs/sources.md").read_text(encoding="utf-8"), re.MULTILINE)


def prepare_tfds(name: str, folder: Path) -> None:
    """Photos of ours under the name and version of a public set, where tensorflow-datasets looks for them."""
    tfds = pytest.importorskip("tensorflow_datasets", reason="the extra tfds is not installed")
    public = tfds.builder(name, data_dir=folder)
    image = public.info.features["image"]

    class Builder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
        VERSION = public.version

        def _info(self) -> Any:
            features = {"image": image, "label": public.info.features["label"]}
            return tfds.core.DatasetInfo(
                builder=self, features=tfds.features.FeaturesDict(features), supervised_keys=("image", "label")
            )

        def _split_generators(self, manager: Any) -> Any:
            return {"train": self._generate_examples()}

        def _generate_examples(self) -> Any:
            size = [side or 40 for side in image.shape[:2]]
            for number in range(60):
                colour = list(COLOURS)[number % 3]
                path = paint(Path("painted", f"{number}.png"), colour, number)
                yield number, {"image": np.asarray(Image.open(path).resize(size[::-1])), "label": number % 3}

    Builder.name = name
    Builder(data_dir=folder).download_and_prepare()


@pytest.fixture
def documented_sources(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = photos("photos")
    Path("photos.csv").write_text("".join(f"{path},{label}\n" for path, label in rows))
    hf = [(paint(Path("hf_folder", f"{label}{n}.png"), label, n), label) for label in COLOURS for n in range(EACH)]
    Path("hf_folder/metadata.csv").write_text(
        "file_name,label\n" + "".join(f"{path.name},{label}\n" for path, label in hf)
    )
    with zipfile.ZipFile("cats.zip", "w") as archive:
        for path, _ in rows:
            archive.write(path)
    shard("cats.parquet", rows)
    shard("shards/train-00000-of-00002.parquet", rows[::3])
    shard("shards/train-00001-of-00002.parquet", rows[1::3])
    shard("shards/test-00000-of-00001.parquet", rows[2::3])
    for key, colour in (("21", "red"), ("3", "blue")):
        for number in range(EACH):
            paint(Path("flowers", key, f"{number}.png"), colour, number)
    Path("cat_to_name.json").write_text('{"21": "fire lily", "3": "canterbury bells"}')
    monkeypatch.setenv("TFDS_DATA_DIR", str(here / "tfds"))


@pytest.mark.parametrize("command", DOCUMENTED)
@pytest.mark.usefixtures("documented_sources")
def test_documented_command(command: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if "://" in command:
        pytest.skip("it needs a network; tests/photos/sources has servers of its own")
    if name := re.search(r"tfds:(\w+)", command):
        prepare_tfds(name[1], here / "tfds")
        capsys.readouterr()  # tensorflow-datasets says on standard output that it prepares a set
    run = train(capsys, *shlex.split(command)[1:])
    assert run["test"]["accuracy"] > 0.9
    assert run["photos"]["skipped"] == 0


def test_the_page_shows_every_form() -> None:
    assert len(DOCUMENTED) == 12
