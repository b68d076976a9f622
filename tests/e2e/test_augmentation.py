"""`retrain` with augmented views of the photos, as a user calls it."""

import json
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from stand_ins import no_export

import retrain.exports.writer
from retrain.cli.main import main
from retrain.training import whole_training
from retrain.training.train_head import train_head
from retrain.training.trained import TrainedHead

SHARED = Path(__file__).resolve().parents[2].parent / "shared"
PHOTOS = 36
COLOURS = {"blue": (30, 40, 160), "green": (40, 140, 50), "red": (170, 40, 30)}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    for index in range(PHOTOS):
        label = sorted(COLOURS)[index % 3]
        path = Path("photos") / label / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = random.integers(-30, 30, (20, 24, 3))
        Image.fromarray(np.clip(np.array(COLOURS[label]) + noise, 0, 255).astype(np.uint8)).save(path)
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *options: str, image_dir: str = "photos") -> dict[str, dict[str, float]]:
    main(["--image_dir", image_dir, "--architecture", "fake", "--json", *options])
    told: dict[str, dict[str, float]] = json.loads(capsys.readouterr().out.splitlines()[-1])
    return told


def test_views_are_computed_once_and_more_of_them_only_add_their_own(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    distort = ("--random_brightness", "20", "--flip_left_right")
    assert run(capsys, *distort, "--views", "3")["bottlenecks"]["computed"] == 3 * PHOTOS
    assert run(capsys, *distort, "--views", "5")["bottlenecks"]["computed"] == 2 * PHOTOS
    assert run(capsys, *distort, "--views", "4", "--tta")["bottlenecks"]["computed"] == 0
    told = run(capsys)
    assert told["bottlenecks"]["computed"] == 0
    assert told["test"]["accuracy"] == 1.0


DISTORTIONS = {
    "flip": ("--flip_left_right",),
    "crop": ("--random_crop", "40"),
    "scale": ("--random_scale", "100"),
    "brightness": ("--random_brightness", "50"),
    "rotation": ("--random_rotation", "60"),
}


@pytest.fixture
def train(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[np.ndarray, TrainedHead]]:
    """Runs the command without its export; gives the bottlenecks of all views, and what was trained on them."""
    runs: list[tuple[np.ndarray, TrainedHead]] = []

    def watched(*arguments: Any) -> TrainedHead:
        trained = train_head(*arguments)
        runs.append((trained.bottlenecks.views, trained))
        return trained

    monkeypatch.setattr(whole_training, "train_head", watched)
    monkeypatch.setattr(retrain.exports.writer, "write_outputs", no_export)

    def call(*options: str) -> tuple[np.ndarray, TrainedHead]:
        main(list(options))
        return runs.pop()

    return call


def second_views(train: Callable, *options: str) -> dict[str, np.ndarray]:
    """The bottlenecks of the photos, and those of another view of each by what was distorted."""
    views = {}
    for kind, asked in DISTORTIONS.items():
        views["photo"], views[kind] = np.split(train(*options, *asked, "--views", "2")[0], 2)
    return views


def test_each_distortion_makes_views_of_its_own(here: Path, train: Callable) -> None:
    for number in range(12):
        path = Path("corners", "ab"[number % 2], f"{number}.png")
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.full((24, 24, 3), 60 + 5 * number, np.uint8)
        pixels[:8, :8] = 255  # in a corner, which a turn or a crop may leave out
        Image.fromarray(pixels).save(path)
    views = second_views(train, "--image_dir", "corners", "--architecture", "fake")
    mirrored = views.pop("flip")
    np.testing.assert_allclose(mirrored, views["photo"], atol=1e-4)  # a mirrored photo has the same average colour
    for (one, matrix), (two, other) in combinations(views.items(), 2):
        assert np.abs(matrix - other).mean() > 0.02, (one, two)


def test_views_teach_what_does_not_matter(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Warm photos that happen to be bright, cold ones that happen to be dark; test photos are the other way round."""
    monkeypatch.setattr(retrain.exports.writer, "write_outputs", no_export)
    random = np.random.default_rng(0)
    colours = {"warm": np.array([125, 110, 95]), "cold": np.array([95, 110, 125])}
    for side, count in (("train", 30), ("valid", 10), ("test", 10)):
        for label, colour in colours.items():
            folder = Path("shades", side, label)
            folder.mkdir(parents=True)
            for number in range(count):
                light = random.uniform(1.2, 1.6) if (label == "warm") == (side != "test") else random.uniform(0.6, 0.9)
                pixels = np.clip(light * colour + random.normal(0, 6, 3), 0, 255).astype(np.uint8)
                Image.new("RGB", (8, 8), tuple(int(value) for value in pixels)).save(folder / f"{number}.png")
    plain, augmented = (
        run(capsys, "--l2", "0.01", *asked, image_dir="shades")["test"]["accuracy"]
        for asked in ((), ("--random_brightness", "80", "--views", "16"))
    )
    assert plain < 0.4
    assert augmented > 0.7


def check_test_time_views(train: Callable, *command: str) -> None:
    (_, alone), (_, together) = train(*command), train(*command, "--tta")
    assert np.array_equal(alone.fit.head.kernel, together.fit.head.kernel)
    assert np.abs(alone.test_probabilities - together.test_probabilities).max() > 1e-4


def test_test_time_views_change_the_judgement_and_not_the_head(here: Path, train: Callable) -> None:
    command = ("--image_dir", "photos", "--architecture", "fake", "--random_brightness", "50", "--views", "4")
    check_test_time_views(train, *command)


def test_without_a_number_there_are_four_views_or_two_where_no_more_differ(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(capsys, "--flip_left_right")["bottlenecks"]["computed"] == 2 * PHOTOS
    assert run(capsys, "--random_crop", "10")["bottlenecks"]["computed"] == 3 * PHOTOS


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ("--views 3", "add --flip_left_right"),
        ("--tta", "--tta needs to know how views may differ"),
        ("--flip_left_right --views 3", "only 2 different views"),
        ("--random_crop 10 --views 1", "--views 1 leaves no view"),
        ("--random_rotation 200", "random_rotation"),
    ],
)
def test_what_does_not_go_together_is_refused_before_any_work(
    options: str, sentence: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as leave:
        main(["--image_dir", "photos", "--architecture", "fake", *options.split()])
    assert leave.value.code == 2
    assert sentence in " ".join(capsys.readouterr().err.split())
    assert not Path("tf_files").exists()


@pytest.mark.real
@pytest.mark.skipif(not SHARED.is_dir(), reason=f"{SHARED} is absent")
def test_views_of_real_photos_change_the_head_and_not_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    flowers = ["--image_dir", str(SHARED / "data/flowers"), "--model_dir", str(SHARED / "weights"), "--json"]
    flowers += ["--architecture", "mobilenet_0.25_128", "--max_images_per_class", "20"]

    def loss(*options: str) -> tuple[float, float]:
        main([*flowers, *options])
        told = json.loads(capsys.readouterr().out.splitlines()[-1])
        manifest = json.loads(Path("tf_files/model/model.json").read_text())
        return manifest["metrics"]["test"]["cross_entropy"], told["bottlenecks"]["computed"]

    plain, computed = loss()
    distort = ("--flip_left_right", "--random_crop", "10", "--random_brightness", "10", "--views", "4")
    augmented, more = loss(*distort)
    assert more == 3 * computed
    assert augmented != plain
    assert loss(*distort)[1] == 0
    assert loss()[0] == plain


@pytest.mark.real
@pytest.mark.skipif(not SHARED.is_dir(), reason=f"{SHARED} is absent")
def test_each_distortion_of_real_photos_makes_bottlenecks_of_its_own(here: Path, train: Callable) -> None:
    """Other ones than the photos', and yet theirs: nearer to those of their own photo than of any other."""
    flowers = ["--image_dir", str(SHARED / "data/flowers"), "--model_dir", str(SHARED / "weights")]
    flowers += ["--architecture", "mobilenet_0.25_128", "--max_images_per_class", "8"]
    views = second_views(train, *flowers)
    for (one, matrix), (two, other) in combinations(views.items(), 2):
        assert np.abs(matrix - other).mean() > 0.1 * views["photo"].std(), (one, two)
    for kind in DISTORTIONS:
        distances = np.linalg.norm(views[kind][:, None] - views["photo"][None], axis=2)
        assert (distances.argmin(axis=1) == np.arange(len(distances))).mean() > 0.6, kind
    check_test_time_views(train, *flowers, "--flip_left_right")
