"""What the commands stand on fails: full disks, closed pipes, poor terminals, little memory, a folder that is gone."""

import codecs
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from label_image.terminal import BROKEN_PIPE, ERRORS, explained, json_line, lacks_memory, shown

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/dev/full, ulimit and setpriv are Linux's")
Call = tuple[str, list[str], int | None]  # a program, its arguments, and a limit for the size of files
COLOURS = {"rot": (220, 30, 30), "grün": (30, 200, 30), "猫": (30, 30, 220)}
FULL = "standard output cannot be written: No space left on device."
# Root may enter everything, unless it gives that up.
WITHOUT_PRIVILEGE = ["setpriv", "--inh-caps", "-all", "--bounding-set", "-dac_override,-dac_read_search"]
# Runs commands one after the other in one process, which imports TensorFlow but once. Of each it prints the exit code,
# and a traceback where it did not end as commands do.
MANY = """
import json, resource, sys, traceback
from retrain.cli.main import main as retrain
from label_image.cli import main as label_image
for number, (program, arguments, limit) in enumerate(json.loads(sys.argv[1])):
    no = resource.RLIM_INFINITY
    resource.setrlimit(resource.RLIMIT_FSIZE, (no if limit is None else limit, no))
    try:
        {"retrain": retrain, "label_image": label_image}[program](arguments)
        code = 0
    except SystemExit as leave:
        code = leave.code
    except BaseException:
        traceback.print_exc()
        code = None
    resource.setrlimit(resource.RLIMIT_FSIZE, (no, no))
    print(f"\\nended: {code}", file=sys.stderr, flush=True)
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with photos of three colours and an export of them, as the commands name them by default."""
    from retrain.cli.main import main

    folder = tmp_path_factory.mktemp("place")
    for label, colour in COLOURS.items():
        (folder / "photos" / label).mkdir(parents=True)
        for n in range(6):
            pixels = np.full((16, 16, 3), colour, np.uint8) + np.uint8(n)
            Image.fromarray(pixels).save(folder / "photos" / label / f"{n}.png")
    main(
        f"--image_dir {folder}/photos --architecture fake --output_dir {folder}/tf_files/model "
        f"--bottleneck_dir {folder}/tf_files/bottlenecks".split()
    )
    yield folder


def shell(place: Path, line: str, **environment: str) -> tuple[int, str, str]:
    """What a line does in a shell: its exit code, output and errors. `label_image` and `retrain` are this project's."""
    for program in ("label_image", "retrain"):
        line = line.replace(f"{program}:", f"{sys.executable} -m {program}")
    ran = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {line}"], cwd=place, capture_output=True, timeout=120,
        env={**os.environ, "COLUMNS": "200", **environment}, check=False,
    )  # fmt: skip
    out, err = ran.stdout.decode("utf-8", "replace"), ran.stderr.decode("utf-8", "replace")
    assert "Traceback" not in out + err, err
    assert "Exception ignored" not in err, err
    return ran.returncode, out, err


def many(place: Path, calls: list[Call], prefix: Sequence[str] = ()) -> list[tuple[int, str]]:
    """The exit code of each call and what it said."""
    command = [*prefix, sys.executable, "-c", MANY, json.dumps(calls)]
    ran = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=300, check=True)
    assert "Traceback" not in ran.stderr, ran.stderr
    ended = re.findall(r"(.*?)\nended: (\d+)\n", ran.stderr, re.DOTALL)
    assert len(ended) == len(calls), ran.stderr
    return [(int(code), said.strip()) for said, code in ended]


LABEL = "label_image: photos/rot"


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        (f"{LABEL} >/dev/full", 1, FULL),
        (f"{LABEL} --json >/dev/full", 1, FULL),
        ("retrain: --help >/dev/full", 1, FULL),
        ("retrain: --version >/dev/full", 1, FULL),
        (f"{LABEL} | true", BROKEN_PIPE, ""),
        ("retrain: --help | true", BROKEN_PIPE, ""),
        (f"{LABEL} absent.jpg 2>/dev/full", 1, ""),
        (f"{LABEL} 2>/dev/full", 0, ""),
        (f"{LABEL} <&- >&- 2>&-", 0, ""),
        ("retrain: --image_dir absent <&- >&- 2>&-", 1, ""),
        ("retrain: --image_dir photos 2>&1 >&- --no_such_option | cat", 2, ""),
    ],
)
def test_output_that_cannot_be_written(line: str, code: int, said: str, place: Path) -> None:
    found, _, err = shell(place, line)
    assert found == code
    assert err.strip() == (f"Error: {said}" if said else "")


def test_a_training_goes_on_without_its_progress_and_is_kept_without_readers(place: Path) -> None:
    train = "retrain: --image_dir photos --architecture fake --formats saved_model --output_dir deaf"
    assert shell(place, f"{train} >/dev/full 2>/dev/full") == (1, "", "")
    assert (place / "deaf/model.json").exists()


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "ascii", "cp437", "utf-8:strict"])
def test_terminals_that_lack_letters(encoding: str, place: Path) -> None:
    code, out, err = shell(place, "label_image: photos 猫.png", PYTHONIOENCODING=encoding)
    letters = "猫" if encoding.startswith("utf-8") else r"\u732b"
    assert code == 1  # there is no 猫.png
    assert f"Error: {letters}.png cannot be read: No such file or directory." in err
    assert f"%  {letters}" in out
    code, out, err = shell(place, f"{LABEL} --json 猫.png", PYTHONIOENCODING=encoding)
    lines = [json.loads(line) for line in out.splitlines()]  # in ASCII where need be, so never misread
    assert {answer["label"] for answer in lines[0]["top"]} == set(COLOURS)
    assert lines[-1]["image"] == "猫.png"


def test_tables_on_terminals_that_lack_letters(place: Path) -> None:
    code, out, err = shell(place, "retrain: evaluate tf_files/model photos --all_photos", PYTHONIOENCODING="ascii")
    assert code == 0, err
    assert (out + err).isascii()
    assert r"\u732b" in out and "gr\\xfcn" in out
    code, out, err = shell(place, "retrain: doctor photos --architecture fake", PYTHONIOENCODING="latin-1")
    assert code == 0, err
    assert "..." in err + out


@pytest.mark.parametrize("command", ["label_image: 1.jpg", "retrain: --image_dir photos", "retrain: evaluate a b"])
def test_working_folder_that_is_gone(command: str, place: Path) -> None:
    code, out, err = shell(place, f"mkdir gone && cd gone && rmdir ../gone && {command}")
    assert (code, out) == (1, "")
    assert err == "Error: The folder that this command runs in is gone: cd to one that exists, and run it again.\n"


@pytest.mark.parametrize(
    ("kilobytes", "command"), [(400_000, "retrain: --image_dir photos"), (2_500_000, "retrain: evaluate a b")]
)
def test_little_address_space(kilobytes: int, command: str, place: Path) -> None:
    """TensorFlow would abort, and OpenBLAS wait for ever."""
    code, _, err = shell(place, f"ulimit -v {kilobytes}; {command}")
    assert code == 1
    assert err == f"Error: ulimit -v allows {kilobytes * 1024 / 1e9:.1f} GB: raise it to at least 4 GB.\n"


def test_little_address_space_for_label_image(place: Path) -> None:
    code, _, err = shell(place, f"ulimit -v 150000; {LABEL}")
    assert code in (0, 1)
    assert code == 0 or err.startswith(("Error: There is not enough memory", "Error: No further thread can be started"))


def test_files_that_may_not_grow(place: Path) -> None:
    """`ulimit -f`: Python gets an error for it, TensorFlow one of its own, at each size somewhere else."""
    outputs = [
        "--report",
        "fs/r.html",
        "--summaries_dir",
        "fs/s",
        "--output_graph",
        "fs/g.pb",
        "--saved_model_dir",
        "fs/d",
    ]
    train = ["--image_dir", "photos", "--architecture", "fake", "--output_dir", "fs/m"]
    calls: list[Call] = []
    for limit in (0, 2000, 20_000):
        calls += [
            ("retrain", [*train, "--bottleneck_dir", f"fs/b{limit}"], limit),
            ("retrain", [*train, *outputs], limit),
        ]
    calls += [
        ("retrain", ["export", "tf_files/model", "--to", "graph_def,tflite_float16", "--image_dir", "photos"], 20_000),
        ("retrain", ["evaluate", "tf_files/model", "photos", "--all_photos", "--predictions", "fs/p.csv"], 0),
        ("retrain", ["doctor", "photos", "--architecture", "fake", "--output_dir", "fs/doc"], 0),
        ("retrain", ["sweep", "--image_dir", "photos", "--architecture", "fake", "--output_csv", "fs/sw.csv"], 0),
        ("label_image", ["photos/rot/1.png", "--plot", "fs/p.png"], 100),
        ("retrain", [*train, *outputs], None),
    ]
    *limited, last = many(place, calls)
    for (_, arguments, limit), (code, said) in zip(calls, limited, strict=False):
        assert code == 1, (limit, arguments, said)
        assert "Error: " in said, (limit, arguments, said)
    assert last[0] == 0, last
    assert [path for path in (place / "fs").rglob("*") if ".tmp" in path.name] == []


def test_folders_that_may_not_be_entered(place: Path) -> None:
    if os.geteuid() == 0 and shutil.which("setpriv") is None:
        pytest.skip("root may enter every folder, and there is no setpriv")
    options = [
        "image_dir", "output_dir", "bottleneck_dir", "model_dir", "summaries_dir", "weights", "report",
        "saved_model_dir", "output_graph", "output_labels", "fixes", "category_names", "checkpoint_path",
        "tfhub_module",
    ]  # fmt: skip
    (place / "shut/in").mkdir(parents=True)
    (place / "shut").chmod(0o600)
    calls: list[Call] = [
        ("retrain", ["--image_dir", "photos", "--architecture", "fake", f"--{option}", "shut/in/x.html"], None)
        for option in options
    ]
    calls += [
        ("retrain", ["evaluate", "shut/in/model", "photos"], None),
        ("retrain", ["evaluate", "tf_files/model", "shut/in/photos"], None),
        ("label_image", ["--model", "shut/in/model", "photos/rot/0.png"], None),
        ("label_image", ["shut/in/0.png"], None),
        ("label_image", ["shut/in"], None),
        ("label_image", ["photos/rot/0.png", "--plot", "shut/in/p.png"], None),
        ("label_image", ["photos/rot/0.png", "--labels", "shut/in/l.txt"], None),
    ]
    prefix = WITHOUT_PRIVILEGE if os.geteuid() == 0 else []
    try:
        ended = many(place, calls, prefix)
    finally:
        (place / "shut").chmod(0o755)
    assert {code for code, _ in ended} == {1}
    said = [sentence for _, sentence in ended]
    for option, sentence in zip(options, said, strict=False):
        reached = f"--{option} shut/in/x.html cannot be reached: Permission denied."
        assert sentence == f"Error: {reached} Choose another place, or ask for permission to use this one."
    for sentence in said[len(options) :]:
        assert sentence.startswith("Error: ") and "shut/in" in sentence and "Permission" in sentence, sentence


# Its parts


def test_letters_are_spelled_out() -> None:
    assert "a… – 猫 é \udcff \ud800".encode("ascii", ERRORS) == rb"a... - \u732b \xe9 \xff \ud800"
    assert "…é\udcff".encode("cp1252", ERRORS) == b"\x85\xe9\\xff"
    with pytest.raises(UnicodeDecodeError):
        b"\xff".decode("ascii", ERRORS)
    assert codecs.lookup_error(ERRORS)


def test_json_that_can_be_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert json_line({"image": "猫"}) == '{"image": "猫"}'
    assert json_line({"image": "\udcff"}) == r'{"image": "\udcff"}'


def test_paths_are_shown_in_one_line() -> None:
    assert shown(os.fsdecode(b"a\nb\xff")) == r"a\nb\xff"
    assert shown(Path("猫")) == "猫"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError(), "There is not enough memory"),
        (ImportError("libx.so: failed to map segment from shared object"), "There is not enough memory"),
        (RuntimeError("can't start new thread"), "No further thread"),
        (PermissionError(13, "Permission denied", "a/b"), "a/b: Permission denied."),
        (OSError(28, "No space left on device"), "No space left on device."),
    ],
)
def test_what_the_machine_refuses_is_explained(error: Exception, said: str) -> None:
    assert str(explained(error)).startswith(said)


@pytest.mark.parametrize(
    "error", [ValueError("x"), RuntimeError("x"), ImportError("No module named 'x'"), OSError("x")]
)
def test_mistakes_of_ours_are_not_explained_away(error: Exception) -> None:
    assert explained(error) is None
    assert not lacks_memory(error)
