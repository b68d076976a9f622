from pathlib import Path

import numpy as np
import pytest

from retrain.core.errors import CheckpointError
from retrain.training.fitting.checkpoint import FORMAT
from retrain.training.on_photos.checkpoint import TrainingCheckpoint, TrainingState

IDENTITY = {"training": "fine-tuning", "layers": 20, "seed": 0}
STATE = TrainingState(
    variables=tuple(np.full((2, 3), value, np.float32) for value in range(12)),
    best=(np.zeros(3, np.float32),),
    optimizer=(np.array(7, np.int64),),
    record={"curve": [{"number": 0}]},
)


def test_a_state_comes_back_as_it_was(tmp_path: Path) -> None:
    checkpoint = TrainingCheckpoint(tmp_path / "new" / "training.npz", IDENTITY)
    assert checkpoint.load() is None
    checkpoint.save(STATE)
    state = checkpoint.load()
    assert state is not None and state.record == STATE.record
    for kind in ("variables", "best", "optimizer"):
        for one, other in zip(getattr(state, kind), getattr(STATE, kind), strict=True):
            assert np.array_equal(one, other) and one.dtype == other.dtype
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["training.npz"]


def test_another_training_is_refused_with_the_difference_named(tmp_path: Path) -> None:
    TrainingCheckpoint(tmp_path / "training.npz", IDENTITY).save(STATE)
    other = TrainingCheckpoint(tmp_path / "training.npz", {**IDENTITY, "layers": 5, "seed": 1})
    with pytest.raises(CheckpointError) as error:
        other.load()
    sentence = str(error.value)
    assert "its layers was 20, here it is 5" in sentence and "fine-tuning" not in sentence
    assert "training.npz" in sentence and "or delete it to start again" in sentence and "--resume" not in sentence


@pytest.mark.parametrize("kept", [0, 10, 200])
def test_a_damaged_file_is_refused(kept: int, tmp_path: Path) -> None:
    checkpoint = TrainingCheckpoint(tmp_path / "training.npz", IDENTITY)
    checkpoint.save(STATE)
    checkpoint.path.write_bytes(checkpoint.path.read_bytes()[:kept])
    with pytest.raises(CheckpointError, match="damaged"):
        checkpoint.load()


def test_a_pickle_is_never_read(tmp_path: Path) -> None:
    path = tmp_path / "training.npz"
    np.savez(path, **{FORMAT: np.array([{"format_version": 1}], dtype=object)})
    with pytest.raises(CheckpointError, match="damaged"):
        TrainingCheckpoint(path, IDENTITY).load()


def test_a_folder_that_is_a_file_gives_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(CheckpointError, match="cannot be written"):
        TrainingCheckpoint(tmp_path / "file" / "training.npz", IDENTITY).save(STATE)
