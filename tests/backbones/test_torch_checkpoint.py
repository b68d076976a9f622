"""Checkpoints in PyTorch's formats, good ones and bad ones; `tests/support/torch_files.py` writes them."""

import encodings.cp437  # noqa: F401  zipfile imports it at the first name that is not ASCII: not while we watch
import io
import os
import pickle
import random
import struct
import subprocess
import sys
import tracemalloc
import zipfile
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from threading import get_ident

import numpy as np
import pytest
import torch_files as files
from zips import zip_of

from retrain.backbones.torch_checkpoint import Checkpoint, read_checkpoint
from retrain.backbones.torch_pickle import (
    INSTRUCTIONS,
    Allowance,
    CheckpointFormatError,
    Name,
    StorageKind,
    read_pickle,
)
from retrain.core.errors import BackboneError

FORMATS = {"legacy": files.legacy, "zip": files.zipped}
RNG = np.random.default_rng(0)
ARRAYS: dict[str, np.ndarray] = {
    "conv.weight": RNG.normal(size=(4, 3, 2, 5)).astype(np.float32),
    "conv.transposed": RNG.normal(size=(2, 5, 3, 4)).astype(np.float32).transpose(3, 2, 0, 1),
    "bn.num_batches_tracked": np.array(7, np.int64),
    "half": RNG.normal(size=9).astype(np.float16),
    "none": np.zeros((0, 3), np.float32),
    **{f"as.{dtype}": np.arange(5).astype(dtype) for dtype in ("f8", "i8", "i4", "i2", "i1", "u1", "b1")},
}


@pytest.fixture
def read(tmp_path: Path) -> Callable[[bytes], Checkpoint]:
    def read(data: bytes) -> Checkpoint:
        path = tmp_path / "net.pth"
        path.write_bytes(data)
        return read_checkpoint(path)

    return read


@pytest.fixture
def refusal(tmp_path: Path, read: Callable[[bytes], Checkpoint]) -> Callable[[bytes], str]:
    def refusal(data: bytes) -> str:
        with pytest.raises(BackboneError) as error:
            read(data)
        sentence = str(error.value)
        assert sentence.startswith(f"{tmp_path / 'net.pth'} is not a PyTorch checkpoint that can be used, because ")
        assert "\n" not in sentence and len(sentence) < 500
        return sentence

    return refusal


def same(ours: Mapping[str, np.ndarray], theirs: Mapping[str, np.ndarray]) -> bool:
    return list(ours) == list(theirs) and all(
        ours[name].dtype == theirs[name].dtype and np.array_equal(ours[name], theirs[name]) for name in theirs
    )


# Good ones


@pytest.mark.parametrize("write", FORMATS.values(), ids=FORMATS)
def test_names_and_arrays_come_back_in_every_type_and_order(write, read) -> None:
    checkpoint = read(write(ARRAYS))
    assert same(checkpoint, ARRAYS)
    assert checkpoint.shape("conv.transposed") == (4, 3, 2, 5)


@pytest.mark.parametrize("view", [b"N", b""])
def test_tensors_may_share_a_storage_and_begin_within_it(view: bytes, read) -> None:
    numbers = np.arange(12, dtype=np.float32)
    pickled = files.state_dict(
        {
            "rows": files.tensor("FloatStorage", "s", 12, (2, 3), (3, 1), offset=6, view=view),
            "columns": files.tensor("FloatStorage", "s", 12, (3, 2), (1, 6), offset=0, view=view),
        }
    )
    for data in (files.legacy_file(pickled, {"s": numbers}), files.zip_file(pickled, {"s": numbers})):
        assert same(read(data), {"rows": numbers[6:].reshape(2, 3), "columns": numbers.reshape(2, 6).T[:3]})


def test_parameters_are_their_tensors(read) -> None:
    made = files.tensor("FloatStorage", "0", 2, (2,), (1,))
    parameter = b"ctorch._utils\n_rebuild_parameter\n(" + made + b"\x88ccollections\nOrderedDict\n)RtR"
    pickled = files.state_dict({"bias": parameter})
    assert same(read(files.zip_file(pickled, {"0": np.ones(2, np.float32)})), {"bias": np.ones(2, np.float32)})


def test_a_plain_dict_is_a_state_dict_too(read) -> None:
    pickled = b"\x80\x02}" + files.text("x") + files.tensor("FloatStorage", "0", 1, (1,), (1,)) + b"s."
    assert same(read(files.zip_file(pickled, {"0": np.ones(1, np.float32)})), {"x": np.ones(1, np.float32)})


@pytest.mark.skipif(find_spec("torch") is None, reason="compares with PyTorch where it is installed")
@pytest.mark.parametrize("old", [True, False])
def test_pytorchs_own_files_are_read(old: bool, tmp_path: Path, read) -> None:
    code = """
import sys, numpy, torch
arrays = numpy.load(sys.argv[1])
tensors = {name: torch.tensor(arrays[name]) for name in arrays}
torch.save(tensors, sys.argv[2], _use_new_zipfile_serialization=sys.argv[3] == "False")
"""
    np.savez(tmp_path / "given.npz", **ARRAYS)
    subprocess.run([sys.executable, "-c", code, tmp_path / "given.npz", tmp_path / "net.pth", str(old)], check=True)
    assert same(read_checkpoint(tmp_path / "net.pth"), ARRAYS)


# Nothing is run


class Malicious:
    """What `pickle.load` of this would do."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_code_is_not_run(protocol: int, tmp_path: Path, refusal) -> None:
    pickled = pickle.dumps({"weight": Malicious(tmp_path / "run")}, protocol=protocol)
    for data in (pickled, files.legacy_file(pickled, {}), files.zip_file(pickled, {})):
        refusal(data)
    assert not (tmp_path / "run").exists()
    pickle.loads(pickled)
    assert (tmp_path / "run").exists()  # it would have been


def test_a_name_that_is_not_known_is_named_and_not_imported(refusal) -> None:
    sentence = refusal(files.zip_file(b"\x80\x02cantigravity\nfly\n)R.", {}))
    assert "it asks for 'antigravity.fly', which no list of weights needs" in sentence
    assert "antigravity" not in sys.modules


def test_every_instruction_in_every_place_gives_plain_values_or_a_refusal() -> None:
    befores = (b"", b"(", b"ccollections\nOrderedDict\n)", b"}", b"})", b"]", b")}", b"ctorch\nFloatStorage\n(")
    for code in map(lambda number: bytes([number]), range(256)):
        for before in befores:
            for after in (b".", b"\xff" * 8 + b".", b"\0" * 8 + b".", b"os\nsystem\n."):
                try:
                    value = read_pickle(io.BytesIO(b"\x80\x02" + before + code + after), Allowance())
                except CheckpointFormatError:
                    continue
                assert isinstance(value, (type(None), bool, int, str, tuple, list, dict, Name, StorageKind))


# Other files


def test_what_is_no_checkpoint_is_refused(refusal) -> None:
    for data in (b"", b"P", b"\x80", b"<html>not found</html>", b"\x89HDF\r\n\x1a\n", b"PK\3\4", b"PK\3\4" + bytes(90)):
        refusal(data)
    assert "does not begin as one" in refusal(b"<html>not found</html>")
    assert "of something else" in refusal(zip_of({"a/b.txt": b"x"}))
    assert "of something else" in refusal(zip_of({"a/data.pkl": b"x", "b/data.pkl": b"x"}))


def test_more_than_a_state_dict_is_refused_by_name(refusal) -> None:
    inner = b"}" + files.text("x") + files.tensor("FloatStorage", "0", 1, (1,), (1,)) + b"s"
    pickled = b"\x80\x02}(" + files.text("epoch") + b"K\x05" + files.text("state_dict") + inner + b"u."
    sentence = refusal(files.zip_file(pickled, {"0": np.ones(1, np.float32)}))
    assert "it holds more than tensors with names: 'epoch'" in sentence and "save its state_dict() alone" in sentence
    assert "no tensors with names" in refusal(files.zip_file(b"\x80\x02}.", {}))
    assert "no tensors with names" in refusal(files.zip_file(b"\x80\x02].", {}))


@pytest.mark.parametrize("write", FORMATS.values(), ids=FORMATS)
def test_a_file_that_breaks_off_is_refused_wherever(write, read) -> None:
    data = write({"a": np.arange(6, dtype=np.float32), "b": np.arange(3)})
    assert len(read(data)) == 2
    for length in range(len(data)):
        with pytest.raises(BackboneError):
            read(data[:length])


def test_big_endian_numbers_are_refused(refusal) -> None:
    pickled, storages = files.described({"a": np.ones(3, np.float32)})
    assert "order of bytes" in refusal(files.legacy_file(pickled, storages, little_endian=False))
    assert "order of bytes" in refusal(files.zip_file(pickled, storages, byteorder=b"big"))


def test_compressed_members_are_refused(refusal) -> None:
    pickled, storages = files.described({"a": np.zeros(10**6, np.float32)})
    assert "compressed" in refusal(files.zip_file(pickled, storages, compression=zipfile.ZIP_DEFLATED))


# Sizes


def with_tensor(length: int, shape: tuple[int, ...], strides: tuple[int, ...], offset: int = 0) -> list[bytes]:
    """Files of one tensor that says this of itself, and has 12 numbers."""
    pickled = files.state_dict({"huge": files.tensor("FloatStorage", "0", length, shape, strides, offset)})
    numbers = np.arange(12, dtype=np.float32)
    honest = files.legacy_file(pickled, {"0": numbers})
    lying = honest.replace(struct.pack("<q", 12) + numbers.tobytes(), struct.pack("<q", length) + numbers.tobytes())
    return [files.zip_file(pickled, {"0": numbers}), honest, lying]


@pytest.mark.parametrize(
    ("length", "shape", "strides", "offset"),
    [
        (12, (13,), (1,), 0),
        (12, (12,), (1,), 1),
        (12, (4, 3), (4, 1), 0),
        (12, (2,), (12,), 0),
        (12, (10**6, 10**6), (0, 0), 0),  # 4 TB that point at one number
        (12, (13,), (0,), 0),
        (12, (2**40,), (2**40,), 0),
        (10**12, (10**12,), (1,), 0),
        (2**47, (2**47,), (1,), 0),
    ],
)
def test_a_tensor_larger_than_its_storage_or_the_file_is_refused(
    length: int, shape: tuple[int, ...], strides: tuple[int, ...], offset: int, refusal
) -> None:
    for data in with_tensor(length, shape, strides, offset):
        assert "storage" in (sentence := refusal(data)) or "breaks off" in sentence


@pytest.mark.parametrize(
    ("shape", "strides", "offset"),
    [((-1,), (1,), 0), ((2,), (-1,), 1), ((2,), (1,), -1), ((2, 2), (1,), 0), ((1,) * 9, (1,) * 9, 0)],
)
def test_a_tensor_that_makes_no_sense_is_refused(shape, strides, offset, refusal) -> None:
    for data in with_tensor(12, shape, strides, offset):
        assert "one of its tensors is not described as PyTorch does" in refusal(data)


def test_two_lengths_of_one_storage_are_refused(refusal) -> None:
    tensors = {f"t{length}": files.tensor("FloatStorage", "0", length, (1,), (1,)) for length in (12, 2)}
    assert "two things" in refusal(files.zip_file(files.state_dict(tensors), {"0": np.ones(12, np.float32)}))


MEMORY = 24 * 2**20  # beside twice the size of the file; the greatest of these takes 17 MB


def refused_sparingly(data: bytes, path: Path) -> None:
    """Refuse a file, and take little memory for it."""
    path.write_bytes(data)
    tracemalloc.start()
    try:
        with pytest.raises(BackboneError):
            read_checkpoint(path)
        assert tracemalloc.get_traced_memory()[1] < 2 * len(data) + MEMORY
    finally:
        tracemalloc.stop()


BOMBS = {
    "tuples in tuples": b"\x80\x02)" + b"\x85" * 10**6 + b".",
    "dicts": b"\x80\x02" + b"}" * 10**6 + b".",
    "lists": b"\x80\x02" + b"]" * 10**6 + b".",
    "marks": b"\x80\x02" + b"(" * 10**6 + b".",
    "doubling": b"\x80\x02)" + b"q\0h\0\x86" * 10**5 + b".",
    "remembered dicts": b"\x80\x02" + b"".join(b"}r" + struct.pack("<I", i) for i in range(2 * 10**5)) + b".",
    "a name of 4 GB": b"\x80\x02X\xff\xff\xff\xff.",
    "names": b"\x80\x02" + (files.text("\U0001f63a" + "x" * 900)) * 10**4 + b".",
    "a list in itself": b"\x80\x02]q\0" + b"h\0a" * 10**5 + b".",
    "a dict as a key": b"\x80\x02}}}s.",
    "nested tuples as a key": b"\x80\x02})" + b"q\0h\0\x86" * 60 + b"Ns.",
    "a global without an end": b"\x80\x02c" + b"x" * 10**6,
}


@pytest.mark.parametrize("pickled", BOMBS.values(), ids=BOMBS)
def test_a_pickle_made_to_take_memory_or_time_is_refused(pickled: bytes, tmp_path: Path) -> None:
    refused_sparingly(files.MAGIC + files.VERSION + pickled, tmp_path / "net.pth")
    refused_sparingly(files.zip_file(pickled, {}), tmp_path / "net.pth")


def test_a_table_of_contents_made_to_take_memory_is_refused(refusal, tmp_path: Path) -> None:
    entry = b"PK\1\2" + bytes(42)
    count = 10**5
    data = b"PK\3\4" + entry * count + b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, 0, 0, len(entry) * count, 4, 0)
    assert "table of contents is larger" in refusal(data)
    refused_sparingly(data, tmp_path / "net.pth")


def test_only_the_numbers_that_are_asked_for_are_read(tmp_path: Path) -> None:
    path = tmp_path / "net.pth"
    path.write_bytes(files.legacy({"small": np.ones(3, np.float32), "large": np.zeros(5 * 2**20, np.float32)}))
    tracemalloc.start()
    assert read_checkpoint(path)["small"].tolist() == [1, 1, 1]
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()


# Mutations

SEEDS = int(os.environ.get("RETRAIN_FUZZ", "400"))


def mutated(data: bytes, chance: random.Random) -> bytes:
    """The bytes with one to eight changes, most of them in the part that is parsed."""
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 8))):
        place = chance.randrange(len(changed)) if chance.random() < 0.5 else chance.randrange(min(len(changed), 700))
        kind = chance.randrange(6)
        if kind == 0:
            changed[place] = chance.randrange(256)
        elif kind == 1:
            changed[place] ^= 1 << chance.randrange(8)
        elif kind == 2:
            del changed[place : place + chance.randrange(1, 20)]
        elif kind == 3:
            changed[place:place] = bytes(chance.randrange(256) for _ in range(chance.randrange(1, 9)))
        elif kind == 4:
            other = chance.randrange(len(changed))
            changed[place:place] = changed[other : other + chance.randrange(1, 200)]
        else:
            code = chance.choice(sorted(INSTRUCTIONS))
            changed[place : place + chance.randrange(2)] = code
        if not changed:
            return b""
    return bytes(changed)


@pytest.mark.parametrize("write", FORMATS.values(), ids=FORMATS)
def test_mutated_checkpoints_give_arrays_or_a_sentence(write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """RETRAIN_FUZZ=5000 for 10,000 in all. An audit hook would see code that is run, and what is imported."""
    events: list[str] = []
    watched = [get_ident()]  # other threads of the process have nothing to do with it

    def note(event: str, _: object, this_thread: Callable[[], int] = get_ident) -> None:
        """Bound to its names, for a hook is never taken out: it is called when the module is gone."""
        if this_thread() in watched:
            events.append(event)

    sys.addaudithook(note)
    data, path = write(ARRAYS), tmp_path / "net.pth"
    read = 0
    tracemalloc.start()
    for seed in range(SEEDS):
        changed = mutated(data, random.Random(seed))
        path.write_bytes(changed)
        del events[:]
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        try:
            checkpoint = read_checkpoint(path)
            for name in checkpoint:
                assert checkpoint[name].shape == checkpoint.shape(name)
            read += 1
        except BackboneError as error:
            assert str(error).startswith(str(path)), seed
        peak = tracemalloc.get_traced_memory()[1] - before
        assert peak < 2 * len(changed) + 2**19, seed
        assert set(events) <= {"open"}, (seed, set(events))
    watched.clear()
    tracemalloc.stop()
    assert 0 < read < SEEDS  # changes of numbers go unnoticed here: the SHA-256 tells those
