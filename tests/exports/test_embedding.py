"""Bottlenecks out of each file of an export that has them, and a sentence for those that have none."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from label_image.embedding import embeds, embeds_of
from label_image.model import ModelError, load_model
from retrain.exports.formats.base import Source
from retrain.exports.formats.tflite import write_with_texts

PIXELS = np.random.default_rng(3).integers(0, 256, (5, 8, 8, 3), np.uint8)
MEANS = PIXELS.mean(axis=(1, 2), dtype=np.float64) / 127.5 - 1  # the bottlenecks of the average-colour network
FILES = ("model.tflite", "model_embed.tflite", "model_float16.tflite", "model.onnx")
TO = "retrain export {} --to tflite_embed --image_dir PHOTOS"


@pytest.mark.parametrize("name", FILES)
def test_a_file_alone_gives_the_bottlenecks(name: str, exported: Path, tmp_path: Path) -> None:
    alone = Path(shutil.copyfile(exported / name, tmp_path / name))
    apart = 1e-3 if "float16" in name else 1e-6
    np.testing.assert_allclose(embeds_of(alone)(PIXELS), MEANS, rtol=1e-4, atol=apart)
    assert alone.read_bytes() == (exported / name).read_bytes()


@pytest.mark.parametrize("gone", [(), ("model.tflite",), ("model.tflite", "saved_model.pb"), FILES[:1] + FILES[2:]])
def test_a_folder_gives_them_by_what_is_there(gone: tuple[str, ...], exported: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(exported, folder, ignore=shutil.ignore_patterns(*gone, "web*", "coreml*", "arduino"))
    np.testing.assert_allclose(embeds(load_model(folder))(PIXELS), MEANS, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("gone", [(), ("model.tflite",)])
def test_threads_get_their_own(gone: tuple[str, ...], exported: Path, tmp_path: Path) -> None:
    shutil.copytree(exported, tmp_path / "model", ignore=shutil.ignore_patterns(*gone, "web*", "coreml*", "arduino"))
    embed = embeds_of(tmp_path / "model")
    alone = [embed(photo[None]) for photo in PIXELS]
    with ThreadPoolExecutor(4) as threads:
        for row, found in enumerate(threads.map(lambda row: embed(PIXELS[row][None]), list(range(5)) * 8)):
            np.testing.assert_array_equal(found, alone[row % 5])


@pytest.mark.parametrize("name", ["model_int8.tflite", "graph.pb"])
def test_a_file_that_has_none_is_a_sentence_with_what_helps(name: str, exported: Path, tmp_path: Path) -> None:
    alone = shutil.copyfile(exported / name, tmp_path / name)
    with pytest.raises(ModelError) as error:
        embeds_of(alone)
    assert f"{name} has nothing to embed photos with" in str(error.value)
    assert TO.format(tmp_path) in str(error.value)
    with pytest.raises(ModelError, match=r": use --model .*model_embed\.tflite, which has"):
        embeds_of(exported / name)


def test_a_folder_that_has_none_is_a_sentence_with_what_helps(exported: Path, tmp_path: Path) -> None:
    for name in ("graph.pb", "model.json"):
        shutil.copyfile(exported / name, tmp_path / name)
    with pytest.raises(ModelError) as error:
        embeds(load_model(tmp_path))
    assert TO.format(tmp_path) in str(error.value)
    shutil.copyfile(exported / "model_embed.tflite", tmp_path / "model_embed.tflite")
    np.testing.assert_allclose(embeds(load_model(tmp_path))(PIXELS), MEANS, rtol=1e-4, atol=1e-6)


def test_a_damaged_file_is_a_sentence(exported: Path, tmp_path: Path) -> None:
    for name in FILES:
        data = (exported / name).read_bytes()
        (tmp_path / name).write_bytes(data[: len(data) // 2])
        with pytest.raises(ModelError, match=name.replace(".", r"\.")):
            embeds_of(tmp_path / name)


def test_a_model_without_similarity_has_none(small_source: Source, exported: Path, tmp_path: Path) -> None:
    """As files of before the similarity are; here the name of the output is gone."""
    data = (exported / "model.tflite").read_bytes()
    start = data.index(b"PK\x03\x04")
    write_with_texts(data[:start].replace(b"similarity", b"similarit_"), small_source, tmp_path / "model.tflite")
    with pytest.raises(ModelError, match=r"model\.tflite has nothing to embed photos with"):
        embeds_of(tmp_path / "model.tflite")


def test_an_export_that_changes_meanwhile_is_a_sentence(exported: Path, tmp_path: Path) -> None:
    for name in ("model.tflite", "model.json"):
        shutil.copyfile(exported / name, tmp_path / name)
    loaded = load_model(tmp_path)
    shutil.copyfile(exported / "model_embed.tflite", tmp_path / "model.tflite")
    with pytest.raises(ModelError, match="was changed while it was loaded: run the same command again"):
        embeds(loaded)
