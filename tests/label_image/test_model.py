"""What `Model.label` is asked for wrongly gets a sentence."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from painting import paint

from label_image.errors import PhotoError, RetrainError
from label_image.model import load_model


@pytest.mark.parametrize("photo", ["a.png", Path("a.png"), np.zeros((4, 4, 3), np.uint8), memoryview(b"png"), None])
def test_label_takes_the_bytes_of_a_file_alone(photo: Any, three_colours: Path) -> None:
    model = load_model(three_colours / "model")
    why = f"^is {type(photo).__name__}, not the bytes of a file: pass open.*, or call `predict`, which takes paths"
    with pytest.raises(PhotoError, match=why):
        model.label(photo)


@pytest.mark.parametrize("top_k", [0, -1, "3", 1.5, True, None])
def test_label_gives_one_answer_at_least(top_k: Any, three_colours: Path, tmp_path: Path) -> None:
    model, photo = load_model(three_colours / "model"), paint(tmp_path / "a.png", "red", 3).read_bytes()
    with pytest.raises(RetrainError, match=f"^`top_k` {top_k!r} must be a whole number, at least 1.$"):
        model.label(photo, top_k)
    assert [len(model.label(bytearray(photo), many).answers) for many in (1, np.int64(2), 9)] == [1, 2, 3]
