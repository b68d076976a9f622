"""The sketch for microcontrollers: what is in it, which boards it is for, and what is refused."""

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from calling import call
from stand_ins import converted

from label_image.errors import ModelError
from label_image.model import load_model
from retrain.cli.main import main
from retrain.core.errors import UnfitError
from retrain.exports.clients import cpp_literal
from retrain.exports.formats import arduino
from retrain.exports.formats.arduino import BOARDS, PROGRAM, boards_for, no_interpreter, run_sketch
from retrain.exports.on_chip import STEP, OnChip, arena_of, operators_of
from retrain.exports.registry import FORMATS

if no_interpreter() is not None:
    pytest.skip(str(no_interpreter()), allow_module_level=True)

PIXELS = np.stack([np.full((8, 8, 3), colour, np.uint8) for colour in ((220, 30, 30), (30, 200, 30), (30, 30, 220))])


@pytest.fixture(scope="module")
def model(exported: Path) -> bytes:
    """The bytes of the array."""
    array = arduino.ARRAY.search((exported / "arduino" / "model.cpp").read_text())
    assert array is not None
    return bytes(int(byte, 16) for byte in array[1].replace("\n", "").strip(",").split(","))


def test_the_sketch_knows_labels_operators_and_threshold(exported: Path, model: bytes) -> None:
    loaded, sketch = load_model(exported), (exported / "arduino" / "arduino.ino").read_text()
    assert re.findall(r'^    (".+"),$', sketch, re.MULTILINE) == [cpp_literal(label) for label in loaded.labels]
    assert f"kThreshold = {loaded.threshold}f;" in sketch
    assert re.findall(r"operators\.Add(\w+)\(\);", sketch) == operators_of(model)
    assert f"MicroMutableOpResolver<{len(operators_of(model))}>" in sketch
    assert "Softmax" in operators_of(model)


def test_the_arena_is_the_smallest_that_is_enough(exported: Path, model: bytes) -> None:
    arena = arena_of(model)
    assert arena is not None and f"kArenaBytes = {arena};" in (exported / "arduino" / "model.h").read_text()
    OnChip(model, arena, 3).run(PIXELS)
    with pytest.raises(RuntimeError):
        OnChip(model, arena - STEP, 3).run(PIXELS)


def test_it_answers_as_litert_does(exported: Path) -> None:
    """To the last bit but one: the two round in their own ways."""
    chip = run_sketch(exported / "arduino")(PIXELS)
    phone = load_model(exported / "model_int8.tflite").run(PIXELS)
    assert np.abs(chip.probabilities - phone.probabilities).max() <= 2 / 256
    assert chip.probabilities.argmax(1).tolist() == [*phone.probabilities.argmax(1)]


def test_the_page_beside_it_says_what_it_takes(exported: Path, model: bytes) -> None:
    page = (exported / "arduino" / "README.md").read_text()
    assert f"| flash, for the model | {len(model):,} |" in page
    assert all(board in page for board in boards_for(len(model), arena_of(model) or 0))
    assert all(f"{size:,} bytes of" in page or f"{size:,} of memory" in page for size in PROGRAM)


@pytest.mark.skipif(shutil.which("g++") is None, reason="g++ is absent")
def test_the_array_compiles_to_the_model(exported: Path, model: bytes, tmp_path: Path) -> None:
    printing = '#include <cstdio>\n#include "model.h"\nint main() {{ std::fwrite(kModel, 1, {}, stdout); }}\n'
    (tmp_path / "main.cpp").write_text(printing.format(len(model)))
    sources = [tmp_path / "main.cpp", exported / "arduino" / "model.cpp"]
    options = ["-std=c++17", "-Wall", "-Werror", f"-I{exported / 'arduino'}"]
    subprocess.run(["g++", *options, *sources, "-o", tmp_path / "printing"], check=True)
    assert subprocess.run([tmp_path / "printing"], capture_output=True, check=True).stdout == model


def test_boards_are_those_that_have_room_for_both() -> None:
    assert boards_for(100_000, 100_000) == list(BOARDS)
    assert boards_for(700_000, 190_000) == ["Arduino Nano 33 BLE", "Arduino Nano RP2040 Connect"]
    assert boards_for(500_000, 300_000) == ["Arduino Portenta H7"]


@pytest.mark.parametrize(("flash", "memory"), [(20_000_000, 1_000), (1_000, 600_000), (1_000_000, 400_000)])
def test_what_fits_no_board_is_refused_with_its_numbers(flash: int, memory: int) -> None:
    with pytest.raises(UnfitError, match=f"{flash:,} bytes of flash and {memory:,} of memory, and no board") as error:
        boards_for(flash, memory)
    assert "16,577,216 and 458,088" in str(error.value)


def test_a_model_that_fits_no_board_leaves_nothing(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = Path(shutil.copytree(trained / "model", tmp_path / "model"))
    monkeypatch.setattr(arduino, "BOARDS", {"a small one": (201_000, 66_000)})
    _, result = converted(model, ("arduino",), str(trained / "photos"), tmp_path).results
    assert result.refused is not None and "no board has room for both" in result.refused
    assert not (model / "arduino").exists()


def test_all_formats_are_those_that_the_network_can_have(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = Path(shutil.copytree(trained / "model", tmp_path / "model"))
    monkeypatch.setattr(arduino, "BOARDS", {"a small one": (201_000, 66_000)})
    few = {name: FORMATS[name] for name in ("graph_def", "arduino")}
    monkeypatch.setattr("retrain.cli.export.FORMATS", few)
    done = call(main, "export", model, "--to", "all", "--image_dir", trained / "photos")
    assert done.code == 0 and re.search(r"arduino is refused: .*no\s+board\s+has\s+room", done.out, re.S), done.err
    assert (model / "graph.pb").is_file() and not (model / "arduino").exists()
    for named in ("arduino", "all,arduino"):
        done = call(main, "export", model, "--to", named, "--image_dir", trained / "photos")
        assert done.code == 1 and "Not kept: arduino" in done.err


def test_another_array_is_refused(exported: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(exported / "arduino", tmp_path / "arduino"))
    text = (folder / "model.cpp").read_text()
    (folder / "model.cpp").write_text(text.replace("0x00", "0x01", 1))
    with pytest.raises(ModelError, match=r"the array in model\.cpp is not the one that was written"):
        run_sketch(folder)


def test_without_the_interpreter_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arduino, "find_spec", lambda name: None)
    assert "needs tflite_micro" in str(no_interpreter())
