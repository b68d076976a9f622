"""`retrain similar`: the photos that are most like one."""

import json
from pathlib import Path

import pytest
from calling import call
from extracting import photo_bytes, write
from painting import paint

from retrain.backbones.backbone_config import BackboneConfig
from retrain.bottlenecks.bottlenecks import extract
from retrain.bottlenecks.extraction_config import ExtractionConfig
from retrain.cli.main import main
from retrain.core.errors import DatasetError, OptionError
from retrain.photos.opening import Dataset
from retrain.photos.record import NAME as RECORD
from retrain.runs.embedding import EmbeddingConfig
from retrain.runs.similar import SimilarConfig, run_similar, trained_on
from retrain.training.on_photos.choice import FINE_TUNED

COLOURS = {"red": (250, 10, 10), "crimson": (220, 30, 30), "green": (10, 250, 10), "blue": (10, 10, 250)}


@pytest.fixture
def colours(tmp_path: Path) -> Path:
    for number, (name, colour) in enumerate(COLOURS.items()):
        paint(tmp_path / "photos" / ("warm" if number < 2 else "cold") / f"{name}.png", colour)
    return tmp_path / "photos"


def config(photo: Path, *sources: Path, count: int = 10) -> SimilarConfig:
    store = ExtractionConfig(sources[0].with_name("store"))
    return SimilarConfig(photo, EmbeddingConfig(sources, BackboneConfig("fake"), store), count)


def test_the_photos_that_look_most_like_it_come_first(colours: Path, tmp_path: Path) -> None:
    paint(tmp_path / "asked.png", (240, 20, 20))
    found = run_similar(config(tmp_path / "asked.png", colours, count=3))
    assert [Path(one.path).stem for one in found.photos][:2] in (["red", "crimson"], ["crimson", "red"])
    assert (found.compared, len(found.photos), found.photos[0].label) == (4, 3, "warm")
    assert found.photos[0].cosine > 0.99 > found.photos[2].cosine
    bottlenecks = extract(Dataset.open(colours), BackboneConfig("fake").find(), ExtractionConfig(tmp_path / "store"))
    assert bottlenecks.nearest(bottlenecks.matrix, 1).rows.ravel().tolist() == [0, 1, 2, 3]


def test_the_photo_itself_is_left_out_and_a_copy_is_called_one(colours: Path) -> None:
    asked = colours / "warm" / "red.png"
    write(colours / "cold" / "copy.png", asked.read_bytes())
    found = run_similar(config(asked, colours))
    assert [Path(one.path).name for one in found.photos if one.same_content] == ["copy.png"]
    assert found.photos[0].same_content and len(found.photos) == 4 == found.compared


def test_what_cannot_be_asked_is_a_sentence(colours: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"none\.png cannot be read: .*; check PHOTO"):
        run_similar(config(tmp_path / "none.png", colours))
    write(tmp_path / "text.png", b"no photo")
    with pytest.raises(DatasetError, match=r"text\.png is not a photo: its first bytes .* or TGA; check PHOTO\.$"):
        run_similar(config(tmp_path / "text.png", colours))
    assert not (tmp_path / "store").exists()
    write(tmp_path / "half.jpg", photo_bytes(1)[:-99])
    with pytest.raises(DatasetError, match=rf"^{tmp_path}/half\.jpg is cut off: its \d+ bytes end before .*\.$"):
        run_similar(config(tmp_path / "half.jpg", colours))
    with pytest.raises(OptionError, match="`count` 0"):
        config(tmp_path / "text.png", colours, count=0)


def test_a_photo_alone_is_like_no_other(tmp_path: Path) -> None:
    alone = paint(tmp_path / "photos" / "red.png", "red")
    with pytest.raises(DatasetError, match=r"no photo but .*red\.png to compare it with"):
        run_similar(config(alone, tmp_path / "photos"))


def test_a_wrong_name_is_told_before_anything_is_computed(colours: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"none\.png cannot be read"):
        run_similar(config(tmp_path / "none.png", colours))
    assert not (tmp_path / "store").exists()


def test_a_source_that_is_not_there_is_called_as_the_command_calls_it(colours: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="nowhere; check DATA"):
        run_similar(config(colours / "warm" / "red.png", tmp_path / "nowhere"))


def test_a_fine_tuned_model_has_a_network_that_no_store_knows(tmp_path: Path) -> None:
    (tmp_path / RECORD).touch()
    content = {"format": "retrain-export", "format_version": 1, "labels": ["a"], "provenance": {"options": {}},
               "preprocessing": "decode(2)|orient|resize(8,bilinear)|value_range(-1,1)",
               "fine_tuning": {"kept": FINE_TUNED}}  # fmt: skip
    (tmp_path / "model.json").write_text(json.dumps(content))
    with pytest.raises(OptionError, match=r"was fine-tuned, .* --embed FILE"):
        trained_on(tmp_path)


def test_the_command(colours: Path, tmp_path: Path) -> None:
    write(tmp_path / "heap" / "1.jpg", photo_bytes(1))
    write(tmp_path / "heap" / "2.jpg", photo_bytes(2))
    options = ("--architecture=fake", f"--bottleneck_dir={tmp_path / 'b'}")
    said = call(main, "similar", colours / "warm/red.png", colours, tmp_path / "heap", *options, "--json", "--count=3")
    assert said.code == 0, said.err
    found = json.loads(said.out)
    assert found["compared"] == 5 and len(found["photos"]) == 3 and found["photos"][0]["label"] == "warm"
    said = call(main, "similar", tmp_path / "heap/1.jpg", tmp_path / "heap", *options)
    assert said.code == 0 and "2.jpg" in said.out and "Compared with 1 photo." in said.out
    said = call(main, "similar", colours / "warm/red.png", colours, "--model", tmp_path)
    assert said.code == 2 and "--model is for the photos that it was trained on: leave it out, or DATA." in said.err
    said = call(main, "similar", colours / "warm/red.png", "--model", tmp_path)
    assert said.code == 2 and f"--model {tmp_path} does not say which photos it was trained on" in said.err


def test_an_address_is_no_photo_in_a_file(colours: Path) -> None:
    said = call(main, "similar", "https://localhost:1/x.jpg", colours)
    assert said.code == 2
    assert "https://localhost:1/x.jpg is an address; this has to be a photo in a file of this machine" in said.err
    said = call(main, "similar", "s3://bucket/x.jpg", colours)
    assert said.code == 2 and "s3://bucket/x.jpg is an address" in said.err


def test_a_model_that_is_not_there_is_called_that(
    colours: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said = call(main, "similar", colours / "warm/red.png")
    expected = (
        "There is no --model tf_files/model: name the photos to compare with as DATA, or pass the --output_dir of"
    )
    assert said.code == 2 and expected in said.err


def test_without_data_the_photos_of_a_model_are_meant(trained: Path, tmp_path: Path) -> None:
    """By its network, though that is not the default one."""
    photo = next((trained / "photos/red").iterdir())
    options = (f"--bottleneck_dir={trained / 'b'}", f"--model_dir={trained / 'm'}")
    said = call(main, "similar", photo, "--model", trained / "model", *options, "--json")
    assert said.code == 0, said.err
    found = json.loads(said.out)
    assert found["compared"] == 59 and {one["label"] for one in found["photos"]} == {"red"}
    assert str(photo) not in {one["path"] for one in found["photos"]}
