import json
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from clock import Clock

from retrain.core.errors import CheckpointError, OptionError
from retrain.training.fitting import checkpoint
from retrain.training.fitting.checkpoint import (
    Checkpoint,
    State,
    check_checkpoint_path,
    is_checkpoint,
    read_checkpoint,
    write_checkpoint,
)

ORIGIN = {"backbone": "fake", "classes": ["a", "b"], "data set": "0" * 64, "hidden_units": "8", "seed": 0}
STATE = State(
    {"kernel": np.arange(6, dtype=np.float32).reshape(2, 3), "iteration": np.array(7)},
    {"step": 7, "loss": 0.1 + 0.2, "best": None, "curve": [[0, 0.5, float("inf")]]},
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.checkpoint.npz"


def assert_same(one: State, other: State) -> None:
    assert one.values == other.values
    assert list(one.arrays) == list(other.arrays)
    for name, array in one.arrays.items():
        assert array.dtype == other.arrays[name].dtype
        assert np.array_equal(array, other.arrays[name])


# The file


def test_what_is_written_is_read(path: Path) -> None:
    write_checkpoint(path, ORIGIN, {"fold 0": STATE, "猫": State({}, {})})
    saved = read_checkpoint(path)
    assert saved.origin == ORIGIN
    assert list(saved.states) == ["fold 0", "猫"]
    assert_same(saved.states["fold 0"], STATE)
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_no_file_is_no_checkpoint(path: Path) -> None:
    assert read_checkpoint(path) is None


def test_any_npz_reader_can_open_it_without_pickle(path: Path) -> None:
    write_checkpoint(path, ORIGIN, {"fit": STATE})
    with np.load(path, allow_pickle=False) as entries:
        header = json.loads(str(entries["retrain-checkpoint"]))
        assert header["origin"]["classes"] == ["a", "b"]
        assert np.array_equal(entries["0/kernel"], STATE.arrays["kernel"])


def test_truncated_anywhere_is_a_sentence(path: Path) -> None:
    write_checkpoint(path, ORIGIN, {"fit": STATE})
    whole = path.read_bytes()
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        # Too short to be known as ours, it may be anybody's.
        assert is_checkpoint(path) or length < 60
        with pytest.raises(CheckpointError, match=path.name):
            read_checkpoint(path)


def test_a_flipped_bit_anywhere_is_a_sentence_or_harmless(path: Path) -> None:
    write_checkpoint(path, ORIGIN, {"fit": STATE})
    whole = path.read_bytes()
    refused = 0
    for position in range(0, len(whole), 5):
        damaged = bytearray(whole)
        damaged[position] ^= 1 << position % 8
        path.write_bytes(damaged)
        try:
            saved = read_checkpoint(path)
        except CheckpointError:
            refused += 1
        else:  # a date, a comment, a flag that nobody reads
            assert saved.origin == ORIGIN
            assert_same(saved.states["fit"], STATE)
    assert refused > len(whole) / 5 / 2


def test_another_version_is_a_sentence(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "FORMAT_VERSION", 2)
    write_checkpoint(path, ORIGIN, {"fit": STATE})
    monkeypatch.undo()
    with pytest.raises(CheckpointError, match="another version"):
        read_checkpoint(path)


def test_pickled_arrays_are_not_read(path: Path) -> None:
    write_checkpoint(path, ORIGIN, {"fit": STATE})
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    import io

    pickled = io.BytesIO()
    np.save(pickled, np.array([object], dtype=object), allow_pickle=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in entries.items():
            archive.writestr(name, pickled.getvalue() if name == "0/kernel.npy" else data)
    with pytest.raises(CheckpointError, match="damaged"):
        read_checkpoint(path)


# What is never overwritten


@pytest.mark.parametrize("content", [b"", b"my thesis", b"PK\x03\x04" + bytes(100)])
def test_a_file_of_somebody_else_is_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(OptionError, match="`checkpoint_path`"):
        check_checkpoint_path(path)
    assert path.read_bytes() == content


def test_an_npz_of_somebody_else_is_refused(path: Path) -> None:
    np.savez(path, weights=np.zeros(3))
    with pytest.raises(OptionError):
        check_checkpoint_path(path)


def test_a_folder_and_a_link_to_nothing_are_refused(path: Path) -> None:
    path.mkdir()
    with pytest.raises(OptionError):
        check_checkpoint_path(path)
    path.rmdir()
    path.symlink_to("nowhere")
    with pytest.raises(OptionError):
        check_checkpoint_path(path)


def test_our_own_file_may_be_replaced_damaged_or_not(path: Path) -> None:
    write_checkpoint(path, ORIGIN, {"fit": STATE})
    check_checkpoint_path(path)
    path.write_bytes(path.read_bytes()[:-20])
    check_checkpoint_path(path)


def test_a_link_stays_a_link(path: Path, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    write_checkpoint(tmp_path / "disk/c.npz", ORIGIN, {})
    path.symlink_to("disk/c.npz")
    write_checkpoint(path, ORIGIN, {"fit": STATE})
    assert path.is_symlink()
    assert_same(read_checkpoint(tmp_path / "disk/c.npz").states["fit"], STATE)


# Where it comes from


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"backbone": "vgg16"}, "its backbone was fake, here it is vgg16"),
        ({"classes": ["a", "c"]}, "its classes had b and lacked c"),
        ({"classes": ["a", "b", "c"]}, "its classes lacked c"),
        ({"classes": ["b", "a"]}, "its classes were in another order"),
        ({"data set": "1" * 64}, "its data set was 000000000000…, here it is 111111111111…"),
        ({"hidden_units": "none"}, "its hidden_units was 8, here it is none"),
        ({"seed": 3}, "its seed was 0, here it is 3"),
        ({"views": 8}, "its views was none, here it is 8"),
    ],
)
def test_another_origin_is_refused_with_the_difference_named(path: Path, changed: dict, says: str) -> None:
    write_checkpoint(path, ORIGIN, {"fit": STATE})
    saved = read_checkpoint(path)
    saved.require(ORIGIN)
    with pytest.raises(CheckpointError) as caught:
        saved.require({**ORIGIN, **changed})
    assert says in str(caught.value)
    assert path.name in str(caught.value)


def test_something_that_is_missing_here_is_a_difference(path: Path) -> None:
    write_checkpoint(path, {**ORIGIN, "views": 8}, {"fit": STATE})
    with pytest.raises(CheckpointError, match="its views was 8, here it is none"):
        read_checkpoint(path).require(ORIGIN)


# When it is written


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(checkpoint, "time", clock)
    return clock


def offers(slot: checkpoint.Slot, clock: Clock, seconds: float, count: int) -> int:
    """How often a state is made when it is offered so often, at this distance."""
    made = []
    for _ in range(count):
        clock.now += seconds
        slot.offer(lambda: made.append(1) or STATE)
    return len(made)


def test_a_state_is_taken_every_few_seconds_and_not_before(path: Path, clock: Clock) -> None:
    slot = Checkpoint(path, ORIGIN).slot("fit")
    assert offers(slot, clock, 0.1, 45) == 0
    assert not path.exists()
    assert offers(slot, clock, 0.1, 1000) in (19, 20)
    assert_same(read_checkpoint(path).states["fit"], STATE)


def test_a_finished_fit_is_taken_at_once(path: Path, clock: Clock) -> None:
    Checkpoint(path, ORIGIN).slot("fit").offer(lambda: STATE, finished=True)
    assert path.exists()


def test_slow_writing_takes_little_of_the_time(path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    writes = []

    def slow(*arguments: object) -> None:
        writes.append(clock.now)
        clock.now += 10

    monkeypatch.setattr(checkpoint, "write_checkpoint", slow)
    began = clock.now
    offers(Checkpoint(path, ORIGIN).slot("fit"), clock, 1, 5000)
    assert len(writes) > 5
    assert len(writes) * 10 < 0.06 * (clock.now - began)


def test_slots_do_not_disturb_each_other(path: Path) -> None:
    first = Checkpoint(path, ORIGIN)
    first.slot("fold 0").offer(lambda: STATE, finished=True)
    other = State({"kernel": np.ones(3)}, {"step": 1})
    first.slot("fold 1").offer(lambda: other, finished=True)
    saved = read_checkpoint(path)
    again = Checkpoint(path, ORIGIN, saved.states)
    assert_same(again.slot("fold 0").state, STATE)
    assert_same(again.slot("fold 1").state, other)
    assert again.slot("fold 2").state is None


def test_a_disk_that_takes_nothing_does_not_stop_the_training(
    path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*arguments: object, **entries: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    slot = Checkpoint(path, ORIGIN).slot("fit")
    assert offers(slot, clock, 10, 3) == 3
    assert len(caplog.records) == 1
    assert "No space left on device" in caplog.text
    assert os.listdir(path.parent) == []


def test_remove_takes_what_this_run_kept_and_nothing_else(path: Path) -> None:
    kept = Checkpoint(path, ORIGIN)
    kept.slot("fit").offer(lambda: STATE, finished=True)
    Checkpoint(path, ORIGIN).remove()  # another run, which kept nothing
    assert path.exists()
    kept.remove()
    assert not path.exists()
    kept.remove()
    path.write_text("mine")
    kept.remove()
    assert path.read_text() == "mine"
