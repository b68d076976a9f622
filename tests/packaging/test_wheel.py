"""The wheel: what it holds and says of itself, and what can be done where it is installed with few or no extras."""

import json
import re
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
import release
from click.testing import CliRunner
from environments import Environment, metadata_of
from painting import paint_classes
from pythons import OtherEnvironment, other_pythons, reaches_an_index
from serving import served

from retrain.core.machine import has_int8

ROOT = Path(__file__).resolve().parents[2]
MOST_BYTES = 200_000_000  # of the base, without TensorFlow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built and checked as a release is."""
    folder = tmp_path_factory.mktemp("dist")
    done = CliRunner().invoke(release.main, ["--draft", "--output_dir", str(folder)])
    assert done.exit_code == 0, done.output
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Environment]:
    """Makes an environment with the wheel and the named extras, once for each of them."""
    made: dict[frozenset[str], Environment] = {}

    def of(*extras: str) -> Environment:
        key = frozenset(extras)
        if key not in made:
            made[key] = Environment(tmp_path_factory.mktemp("environment"), wheel, key)
        return made[key]

    return of


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `photos`, and with `m`, an export with TFLite alone."""
    folder = tmp_path_factory.mktemp("work")
    paint_classes(folder / "photos", {name: name for name in ("red", "blue")}, range(3))
    zipfile.ZipFile(ROOT / "tests/data/export_of_builtin.zip").extractall(folder)
    shutil.copytree(folder / "m", folder / "saved")
    for name in ("saved/saved_model.pb", "model.onnx"):  # enough to be taken for what it is not
        (folder / name).touch()
    shutil.copy(folder / "photos/red/0.png", folder / "red.png")
    return folder


# What it is


def test_it_holds_all_that_the_program_reads(wheel: Path) -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "retrain", "label_image"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    tracked = {name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()}
    runtime = {path.relative_to(ROOT).as_posix() for path in (ROOT / release.RUNTIME).glob("*")}
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert tracked - held == set() and runtime - held == set()
    assert {"retrain/py.typed", "label_image/py.typed"} <= held
    assert [
        name for name in held if "__pycache__" in name or name.split("/")[0] not in ("retrain", "label_image")
    ] == []


def test_what_it_says_of_itself(wheel: Path) -> None:
    said = metadata_of(wheel)
    assert (said["Name"], said["Version"]) == (["retrain-photos"], [release.version_of(ROOT)])
    pythons = re.findall(r"Python :: (3\.\d+)", " ".join(said["Classifier"]))
    lowest, below = re.findall(r"3\.(\d+)", ",".join(sorted(said["Requires-Python"][0].split(","), reverse=True)))
    assert pythons == [f"3.{minor}" for minor in range(int(lowest), int(below))]


def test_its_description_links_to_nothing_that_an_index_lacks(wheel: Path) -> None:
    (text,) = metadata_of(wheel)["text"]
    assert "retrain-photos" in text
    assert re.findall(r"\]\((?!https://|#)[^)]*\)", text) == []


# The base alone


def test_the_base_is_small_and_has_no_tensorflow(environment: Callable[..., Environment]) -> None:
    base = environment()
    assert base.bytes < MOST_BYTES
    assert base.distributions >= {"ai-edge-litert", "numpy", "pillow"}
    assert not base.distributions & {"tensorflow", "keras", "pyarrow", "scipy", "starlette"}


@pytest.mark.parametrize(
    "command", [("label_image",), ("python", "-m", "label_image")], ids=["label_image", "python -m"]
)
def test_the_base_labels_a_photo(command: tuple[str, ...], environment: Callable[..., Environment], work: Path) -> None:
    said = environment().answers(*command, "--model", "m", "--json", "red.png", folder=work)
    assert said["label"] and "error" not in said


@pytest.mark.parametrize("command", [("retrain",), ("label_image",), ("python", "-m", "retrain")], ids=" ".join)
def test_every_way_to_start_it_knows_the_version(
    command: tuple[str, ...], environment: Callable[..., Environment], work: Path
) -> None:
    done = environment().run(*command, "--version", folder=work)
    assert done.stdout.split()[-1] == release.version_of(ROOT), done.stderr


BASE = ()
TRAIN = ("train",)
WORDS_BY_EXTRA = [
    (BASE, "train", "retrain --image_dir photos"),
    (BASE, "train", "retrain extract photos --architecture fake"),
    (BASE, "train", "retrain sweep --image_dir photos --architecture fake"),
    (BASE, "train", "retrain look photos"),
    (BASE, "train", "retrain doctor photos"),
    (BASE, "train", "retrain evaluate m photos"),
    (BASE, "train", "retrain export m --to tflite_int8 --image_dir photos"),
    (BASE, "train", "retrain fetch cats-vs-dogs"),
    (BASE, "train", "retrain studio photos"),
    (BASE, "train", "retrain store info"),
    (BASE, "train", "label_image --model m --parquet x.parquet red.png"),
    (BASE, "serve", "label_image serve m"),
    (BASE, "ray", "label_image --model m --executor ray red.png"),
    (BASE, "storage", "label_image --model m s3://bucket/photos"),
    (BASE, "export", "label_image --model model.onnx red.png"),
    (TRAIN, "export", "retrain export saved --to onnx --image_dir photos"),
    (TRAIN, "serve", "retrain studio photos"),
    (TRAIN, "ray", "retrain --image_dir photos --architecture fake --executor ray"),
    (TRAIN, "openvino", "retrain --image_dir photos --architecture fake --engine openvino"),
    (TRAIN, "storage", "retrain --image_dir s3://bucket/photos --architecture fake"),
    (TRAIN, "remote", "retrain --image_dir hf://datasets/cats --architecture fake"),
    (TRAIN, "tfds", "retrain --image_dir tfds:cats --architecture fake"),
    (TRAIN, "report", "retrain --image_dir photos --architecture fake --compare scratch --report report.html"),
]
if has_int8():  # another CPU is refused first
    WORDS_BY_EXTRA.append((TRAIN, "int8", "retrain --image_dir photos --architecture fake --precision int8"))


@pytest.mark.parametrize(
    ("extras", "missing", "words"), WORDS_BY_EXTRA, ids=[f"{what[1]}: {what[2]}" for what in WORDS_BY_EXTRA]
)
def test_what_needs_an_extra_says_which_and_how(
    extras: tuple[str, ...], missing: str, words: str, environment: Callable[..., Environment], work: Path
) -> None:
    done = environment(*extras).run(*words.split(), folder=work)
    assert done.returncode in (1, 2), done.stdout
    (sentence,) = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert re.search(rf"-m pip \w+ 'retrain-photos\[{missing}\] @ file://.+\.whl'`", sentence), done.stderr
    assert "Traceback" not in done.stderr


def test_drawings_are_made_without_an_extra(environment: Callable[..., Environment], tmp_path: Path) -> None:
    done = environment().run("retrain", "demo", "cats", "--per_coat", "1", folder=tmp_path)
    assert done.returncode == 0, done.stderr


# In other Pythons. `make wheel-check PYTHON=…` trains there, too: 2.6 GB for each are too much for every change.

OTHERS = other_pythons()


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> None:
    if not reaches_an_index(tmp_path_factory.mktemp("index")):
        pytest.skip("no package index can be reached: nothing can be installed for other Pythons")


@pytest.mark.usefixtures("index")
@pytest.mark.parametrize("version", OTHERS)
def test_another_python_labels_and_serves(version: str, wheel: Path, work: Path, tmp_path: Path) -> None:
    other = OtherEnvironment(tmp_path / "environment", OTHERS[version])
    other.install(str(wheel))
    assert other.bytes < MOST_BYTES
    said = other.answers("label_image", "--model", "m", "--json", "red.png", folder=work)
    assert said["label"] and "error" not in said
    for command in ("retrain", "label_image"):
        assert other.run(command, "--version", folder=work).stdout.split()[-1] == release.version_of(ROOT)
    other.install(f"{wheel}[serve]")
    with served(work / "m", program=other.bin / "python", environment={"PYTHONPATH": ""}) as server:
        asked = Request(server.url + "label", (work / "red.png").read_bytes(), {"Content-Type": "image/png"})
        assert json.loads(urlopen(asked).read())["label"] == said["label"]
        assert b"<html" in urlopen(server.url).read()
