from dataclasses import replace
from pathlib import Path

import numpy as np
from google.protobuf import text_format
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from stand_ins import with_bottlenecks
from tensorboard.plugins.projector import ProjectorConfig
from tensorboard.plugins.projector.projector_plugin import _read_tensor_tsv_file
from tensorboard.util import img_mime_type_detector

from retrain.insight.report.projector import evenly, write_projector
from retrain.photos.dataset import Photo


@given(st.lists(st.integers(0, 30), min_size=1, max_size=8), st.integers(1, 60))
def test_photos_are_taken_evenly_over_classes(counts: list[int], most: int) -> None:
    labels = [str(label) for label, count in enumerate(counts) for _ in range(count)]
    rows = evenly(labels, most)
    assert len(rows) == min(most, len(labels))
    assert len(set(rows.tolist())) == len(rows)
    taken = [sum(labels[row] == str(label) for row in rows) for label in range(len(counts))]
    # Nobody is short of photos while another class has two more.
    assert all(taken[i] >= min(counts[i], max(taken) - 1) for i in range(len(counts)))


def test_the_projector_reads_what_was_written(make_run, tmp_path: Path) -> None:
    run = make_run(["a", "b\tc"], each=12, painted=True)
    write_projector(tmp_path, run, most=10)
    config = text_format.Parse((tmp_path / "projector_config.pbtxt").read_text(), ProjectorConfig())
    (embedding,) = config.embeddings
    vectors = _read_tensor_tsv_file(str(tmp_path / embedding.tensor_path))
    assert vectors.shape == tuple(embedding.tensor_shape) == (10, 16)
    rows = evenly([photo.label for photo in run.extraction.photos], 10)
    assert np.abs(vectors - run.extraction.matrix[rows]).max() <= 1e-3 * run.extraction.matrix.max()
    header, *lines = (tmp_path / embedding.metadata_path).read_text().splitlines()
    assert header == "class\tside\tanswer\tphoto"
    cells = [line.split("\t") for line in lines]
    assert [line[0] for line in cells] == ["a"] * 5 + ["b c"] * 5
    assert [line[1] for line in cells] == [f"fold {run.division.folds[row] + 1}" for row in rows]
    assert {line[2] for line in cells} <= {"a", "b c"}  # each was tested
    with Image.open(tmp_path / embedding.sprite.image_path) as sprite:
        across = sprite.width // embedding.sprite.single_image_dim[0]
        assert sprite.width == sprite.height == across * embedding.sprite.single_image_dim[1]
        assert across**2 >= 10
    data = (tmp_path / embedding.sprite.image_path).read_bytes()
    assert img_mime_type_detector.from_bytes(data) == "image/jpeg"


def test_small_and_odd_numbers_keep_their_digits(make_run, tmp_path: Path) -> None:
    run = make_run("ab", each=5)
    for scale in (1e-6, 1e6, 0.0):
        matrix = (run.extraction.matrix * scale).astype(np.float32)
        write_projector(
            tmp_path, replace(run, trained=with_bottlenecks(run.trained, replace(run.extraction, matrix=matrix)))
        )
        vectors = _read_tensor_tsv_file(str(tmp_path / "bottlenecks.tsv"))
        assert np.abs(vectors - matrix).max() <= 1e-3 * matrix.max()


def test_file_names_that_are_no_text(make_run, tmp_path: Path) -> None:
    run = make_run("ab", each=3)
    photos = tuple(
        Photo(f"x\udcff\n{number}.jpg", one.label, one.sha256) for number, one in enumerate(run.extraction.photos)
    )
    write_projector(
        tmp_path, replace(run, trained=with_bottlenecks(run.trained, replace(run.extraction, photos=photos)))
    )
    lines = (tmp_path / "photos.tsv").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 7
    assert lines[1].endswith(r"x\xff 0.jpg")
