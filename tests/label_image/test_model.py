"""What `Model.label` is asked for wrongly gets a sentence."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from label_image.errors import PhotoError
from label_image.model import load_model


@pytest.mark.parametrize("photo", ["a.png", Path("a.png"), np.zeros((4, 4, 3), np.uint8), memoryview(b"png"), None])
def test_label_takes_the_bytes_of_a_file_alone(photo: Any, three_colours: Path) -> None:
    model = load_model(three_colours / "model")
    why = f"^is {type(photo).__name__}, not the bytes of a file: pass open.*, or call `predict`, which takes paths"
    with pytest.raises(PhotoError, match=why):
        model.label(photo)
