"""No command looks up a name, opens a socket, writes a file outside the given folders, or changes C's environment late.

Each runs under an audit hook, and under strace where there is one; with an empty home and an empty temporary folder,
which are both empty again afterwards. The network that a user names (--weights URL) is no matter of these tests.
"""

import shlex
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from watched import Run, run_watched
from web_site import Site, running

from retrain.core.machine import has_bfloat16, has_int8

CLASSES = {"red": (220, 40, 40), "green": (40, 200, 60), "blue": (50, 60, 220)}
PHOTO = "photos/red/0.jpg"
STORE = "--bottleneck_dir given/bottlenecks --model_dir given/models"
TRAIN = f"retrain --image_dir photos {STORE}"
ELSEWHERE = "retrain --image_dir photos --model_dir given/models"
# Those of a stage need what the stages before have written. What is only large is small here: it takes minutes.
STAGES = (
    {
        "train": f"{TRAIN} --architecture efficientnet_lite0 --engine tensorflow --output_dir given/model "
        "--report given/report.html --summaries_dir given/summaries --output_graph given/graph.pb "
        "--output_labels given/labels.txt",
        "openvino in float32": f"{ELSEWHERE} --architecture efficientnet_lite0 --engine openvino --precision float32 "
        "--bottleneck_dir given/float32 --output_dir given/of_openvino --formats saved_model",
        "openvino in bfloat16": f"{TRAIN} --architecture fake --engine openvino --precision bfloat16 "
        "--output_dir given/of_bfloat16",
        "openvino in int8": f"{ELSEWHERE} --architecture efficientnet_lite0 --precision int8 "
        "--bottleneck_dir given/int8 --output_dir given/of_int8 --formats saved_model",
        "fine-tuning and comparison": f"retrain --image_dir few {STORE} --architecture mobilenet_0.25_128 "
        "--image_size 32 --weights random --fine_tune_layers 2 --compare scratch --epochs 1 --output_dir given/tuned",
        "a network of Keras": f"{TRAIN} --architecture mobilenet_v2_0.35_96 --weights random "
        "--hidden_units 8 --epochs 2 --formats saved_model --output_dir given/of_keras",
        "the average colour": f"{TRAIN} --architecture fake --output_dir given/of_fake",
        "sweep": f"retrain sweep --image_dir photos {STORE} --architecture fake --report given/sweep.html "
        "--output_csv given/sweep.csv",
        "an archive": "retrain look photos.zip --bottleneck_dir given/store --source_dir given/sources",
        "data sets that could be fetched": "retrain fetch",
        "doctor": f"retrain doctor photos {STORE} --architecture fake --output_dir given/doctor",
        "a failed run": "retrain --image_dir nowhere --output_dir given/nothing",
    },
    {
        "export": "retrain export given/of_fake --to all --image_dir photos --serving_dir given/serving --force",
        "evaluate": "retrain evaluate given/model photos --all_photos",
        "label_image": f"label_image --model given/model {PHOTO} --plot given/plot.png --heatmap given/heatmap.png",
        "label_image, tables and folders": f"label_image --model given/model {PHOTO} --csv given/answers.csv "
        "--parquet given/answers.parquet --copy_to given/sorted",
        "label_image, frozen graph": f"label_image --model given/graph.pb {PHOTO}",
        "label_image, SavedModel": f"label_image --model given/of_keras {PHOTO}",
    },
    {
        "label_image, ONNX": f"label_image --model given/of_fake/model.onnx {PHOTO}",
        "push": "retrain push given/of_fake given/published",
    },
)
PACKAGES = {
    "openvino in float32": ("openvino",),
    "openvino in bfloat16": ("openvino", "bfloat16"),
    "openvino in int8": ("openvino", "nncf", "int8"),
    "fine-tuning and comparison": ("matplotlib",),
    "export": ("tf2onnx", "onnx", "onnxruntime", "coremltools"),
    "label_image, ONNX": ("onnxruntime",),
}


def lacks(name: str) -> list[str]:
    """What this machine lacks for a command; one without coremltools exports no Core ML."""
    needed = PACKAGES.get(name, ())
    able = {"bfloat16": has_bfloat16, "int8": has_int8}
    return [one for one in needed if not (able[one]() if one in able else find_spec(one))]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """What the witnesses of every command saw, two commands at a time."""
    place = tmp_path_factory.mktemp("strangers")
    draw_photos(place / "photos", 14)
    draw_photos(place / "few", 8)
    shutil.make_archive(str(place / "photos"), "zip", root_dir=place / "photos")
    (place / "given").mkdir()  # else it is tried, before the work, whether a folder can be made beside the photos
    seen: dict[str, Run] = {}

    def watch(number: int, command: str) -> Run:
        program, *arguments = shlex.split(command)
        words = [str(Path(sys.executable).with_name(program)), *arguments]
        return run_watched(words, place, place / "rooms" / str(number), [place / "given"])

    with ThreadPoolExecutor(2) as pool:
        for stage in STAGES:
            commands = {name: command for name, command in stage.items() if not lacks(name)}
            jobs = {name: pool.submit(watch, len(seen) + at, line) for at, (name, line) in enumerate(commands.items())}
            seen |= {name: job.result() for name, job in jobs.items()}
    return seen


def draw_photos(folder: Path, each: int) -> None:
    lot = np.random.default_rng(0)
    for name, colour in CLASSES.items():
        (folder / name).mkdir(parents=True)
        for number in range(each):
            pixels = np.clip(np.array(colour) + lot.normal(0, 25, (96, 96, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.jpg")


@pytest.mark.parametrize("name", [name for stage in STAGES for name in stage])
def test_command_talks_to_nobody_and_writes_only_where_it_was_told(name: str, runs: dict[str, Run]) -> None:
    if name not in runs:
        pytest.skip(f"this machine lacks {', '.join(lacks(name))}")
    run = runs[name]
    assert run.returncode == (name == "a failed run"), run.output
    assert run.network == ()
    assert run.elsewhere == ()
    assert run.left == ()
    assert run.variables == ()


def test_an_address_is_all_that_is_spoken_to_and_once(tmp_path: Path) -> None:
    draw_photos(tmp_path / "photos", 2)
    (tmp_path / "given").mkdir()
    shutil.make_archive(str(tmp_path / "photos"), "zip", root_dir=tmp_path / "photos")
    with running(Site()) as site:
        url = site.serve("/photos.zip", (tmp_path / "photos.zip").read_bytes())
        words = [str(Path(sys.executable).with_name("retrain")), "look", url]
        words += ["--bottleneck_dir", "given/store", "--source_dir", "given/sources"]
        first, second = (run_watched(words, tmp_path, tmp_path / name, [tmp_path / "given"]) for name in ("one", "two"))
    assert (first.returncode, second.returncode) == (0, 0), first.output + second.output
    assert (first.elsewhere, first.left, second.elsewhere, second.left) == ((), (), (), ())
    assert first.network and second.network == () and len(site.asked) == 1
    assert [seen for seen in first.network if "connect" in seen and "127.0.0.1" not in seen] == []


# The witnesses


def watched(code: str, place: Path) -> Run:
    (place / "given").mkdir()
    run = run_watched([sys.executable, "-c", code], place, place / "room", [place / "given"])
    assert run.returncode == 0, run.output
    return run


CHILD = "import subprocess; subprocess.run(['sh', '-c', {!r}], check=True)"


@pytest.mark.parametrize(
    "code",
    [
        "import socket\ntry: socket.getaddrinfo('example.invalid', 443)\nexcept OSError: pass",
        "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM)",
        "import socket; socket.socket(socket.AF_INET6).close()",
        "from http.client import HTTPConnection\ntry: HTTPConnection('127.0.0.1', 9).connect()\nexcept OSError: pass",
    ],
)
def test_witnesses_see_network(code: str, tmp_path: Path) -> None:
    run = watched(code, tmp_path)
    assert run.network and run.elsewhere == () and run.left == ()


@pytest.mark.parametrize(
    ("code", "left"),
    [
        ("import pathlib; (pathlib.Path.home() / 'note').write_text('')", ("home/note",)),
        ("import pathlib; p = pathlib.Path.home() / 'note'; p.touch(); p.unlink()", ()),
        ("import pathlib; (pathlib.Path.home() / '.cache').mkdir()", ("home/.cache",)),
        ("open('beside', 'w')", ()),
        ("import os; os.rename('given', 'elsewhere')", ()),
        ("import os; os.symlink('given', 'link')", ()),
        ("import os; os.chdir('..'); open('above', 'a')", ()),
    ],
)
def test_witnesses_see_files_outside_the_given_folders(code: str, left: tuple[str, ...], tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    run = watched(code, place)
    assert len(run.elsewhere) == 1 and run.network == () and run.left == left


def test_witnesses_see_what_is_left_in_the_temporary_folder(tmp_path: Path) -> None:
    run = watched("import tempfile; tempfile.mkdtemp()", tmp_path)
    assert len(run.left) == 1 and run.elsewhere == ()


@pytest.mark.parametrize(
    ("code", "variables"),
    [
        ("os.environ['SOME'] = '1'", ()),
        ("thread.start(); os.environ['SOME'] = '1'", ("SOME",)),
        ("thread.start(); os.environ['HOME'] = '1'", ()),  # only takes another's place
        ("os.environ['SOME'] = '1'; thread.start(); os.environ['SOME'] = '2'", ()),
    ],
)
def test_witness_sees_a_new_variable_beside_threads(code: str, variables: tuple[str, ...], tmp_path: Path) -> None:
    begin = "import os, threading; end = threading.Event(); thread = threading.Thread(target=end.wait); "
    assert watched(begin + code + "; end.set()", tmp_path).variables == variables


def test_witnesses_let_a_command_write_where_it_may(tmp_path: Path) -> None:
    code = "open('given/a', 'w'); import tempfile; tempfile.TemporaryFile(); open('/dev/null', 'w')"
    run = watched(code, tmp_path)
    assert (run.network, run.elsewhere, run.left) == ((), (), ())


@pytest.mark.parametrize(
    ("program", "attribute"), [("echo > ~/note", "elsewhere"), ("getent hosts x.invalid", "network")]
)
def test_strace_sees_what_is_not_python(program: str, attribute: str, tmp_path: Path) -> None:
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed: Python's audit hook alone has watched the commands")
    run = watched(CHILD.format(f"{program} || true"), tmp_path)
    assert getattr(run, attribute)
