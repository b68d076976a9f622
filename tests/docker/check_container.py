"""Both images, built and run. `make test-docker` builds them, says how to run them, and runs this.

Not collected by `make test`: it needs root and podman.
"""

import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CALLER = 12345
DOCKER = shlex.split(os.environ["DOCKER"])
BASE, TRAINING, LABELLING = (os.environ[name] for name in ("BASE_IMAGE", "TRAINING_IMAGE", "LABELLING_IMAGE"))
CONFINED = [
    "--rm", "--network", "none", "--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL",
    "--security-opt", "no-new-privileges", "--user", f"{CALLER}:{CALLER}", *shlex.split(os.environ["DOCKER_RUN_ARGS"]),
]  # fmt: skip
DEMO = ["--image_dir", "tf_files/demo_cats"]
MEGABYTE = 1_000_000


def run(image: str, *command: str, options: Sequence[str] = (), code: int = 0) -> subprocess.CompletedProcess[str]:
    """Run a command in a container that may do nothing but write to what is mounted."""
    done = subprocess.run([*DOCKER, "run", *CONFINED, *options, image, *command], capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    return done


def inspect(image: str, template: str) -> str:
    return subprocess.run(
        [*DOCKER, "image", "inspect", "--format", template, image], capture_output=True, text=True, check=True
    ).stdout.strip()


def answers(lines: str) -> dict[str, dict[str, float]]:
    """By photo, the probability of each label, from the output of `label_image --json`."""
    found = {}
    for line in map(json.loads, lines.splitlines()):
        found[Path(line["image"]).name] = {answer["label"]: answer["probability"] for answer in line["top"]}
    return found


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of a caller who is not in the image's /etc/passwd, with a `tf_files`."""
    folder = tmp_path_factory.mktemp("home")
    for path in (*folder.parents, folder)[:3]:
        path.chmod(0o755)
    (folder / "tf_files").mkdir()
    shutil.chown(folder / "tf_files", CALLER, CALLER)
    return folder


@pytest.fixture(scope="module")
def mounted(home: Path) -> list[str]:
    return ["-v", f"{home}/tf_files:/tf_files"]


@pytest.fixture(scope="module")
def trained(home: Path, mounted: list[str]) -> Path:
    """`tf_files` after the demo photos were drawn and retrained on inside the container."""
    run(TRAINING, "retrain", "demo", "tf_files/demo_cats", "--photo", "tf_files/gato.jpg", options=mounted)
    run(TRAINING, "retrain", *DEMO, "--summaries_dir", "tf_files/training_summaries", options=mounted)
    return home / "tf_files"


def test_every_file_belongs_to_the_caller(trained: Path) -> None:
    files = list(trained.rglob("*"))
    assert len(files) > 168
    assert [path for path in files if (path.stat().st_uid, path.stat().st_gid) != (CALLER, CALLER)] == []


def test_labels_are_those_of_a_run_outside(trained: Path, tmp_path: Path) -> None:
    programs = Path(sys.executable).parent
    source = ["--image_dir", str(trained / "demo_cats")]
    output = ["--output_dir", str(tmp_path / "model"), "--bottleneck_dir", str(tmp_path / "bottlenecks")]
    subprocess.run([programs / "retrain", *source, *output], check=True, capture_output=True)
    photos = ["gato.jpg", "demo_cats/spotted"]
    ask = ["--json", "--top_k", "7"]
    outside = subprocess.run(
        [programs / "label_image", *ask, "--model", tmp_path / "model", *photos],
        check=True, capture_output=True, text=True, cwd=trained,
    )  # fmt: skip
    mounts = ["-v", f"{trained}:/tf_files:ro", "-v", f"{trained}:/photos:ro"]
    inside = run(LABELLING, *ask, *photos, options=mounts)
    expected, found = answers(outside.stdout), answers(inside.stdout)
    assert len(found) == 25 and found.keys() == expected.keys()
    for photo, probabilities in expected.items():
        assert found[photo] == pytest.approx(probabilities, abs=1e-4)
        assert next(iter(found[photo])) == next(iter(probabilities))


def test_the_second_run_takes_every_bottleneck_from_the_mounted_store(trained: Path, mounted: list[str]) -> None:
    again = json.loads(run(TRAINING, *DEMO, "--json", options=mounted).stdout)
    assert again["bottlenecks"] == {"hits": 168, "computed": 0, "set_aside": 0}


def test_the_training_image_labels_too(trained: Path, mounted: list[str]) -> None:
    assert "tabby" in run(TRAINING, "label_image", "tf_files/gato.jpg", options=mounted).stdout.splitlines()[1]


def test_a_photo_is_labelled_in_about_a_second(trained: Path) -> None:
    mounts = ["-v", f"{trained}:/tf_files:ro", "-v", f"{trained}:/photos:ro"]
    began = time.monotonic()
    run(LABELLING, "gato.jpg", options=mounts)
    print(f"\nlabel_image gato.jpg: {time.monotonic() - began:.2f} s with the container's start")


def test_a_drawing_of_the_answer_is_written_beside_the_photo(trained: Path, home: Path) -> None:
    photos = home / "photos"
    photos.mkdir()
    shutil.copy2(trained / "gato.jpg", photos)
    for path in (photos, photos / "gato.jpg"):
        shutil.chown(path, CALLER, CALLER)
    mounts = ["-v", f"{trained}:/tf_files:ro", "-v", f"{photos}:/photos"]
    run(LABELLING, "--plot", "gato.png", "gato.jpg", options=mounts)
    assert (photos / "gato.png").read_bytes().startswith(b"\x89PNG")


def test_a_model_can_be_built_in_also_from_files_that_only_their_owner_reads(trained: Path, tmp_path: Path) -> None:
    context = tmp_path / "context"
    for name in ("retrain", "label_image", "docker"):
        shutil.copytree(ROOT / name, context / name, ignore=shutil.ignore_patterns("__pycache__"))
    (context / "docs").mkdir()
    for name in (".dockerignore", "pyproject.toml", "docs/install.md", "LICENSE"):
        shutil.copy2(ROOT / name, context / name)
    shutil.copytree(trained / "model", context / "tf_files" / "cats")
    for path in context.rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)
    image = f"{LABELLING}-with-model"
    arguments = ["--build-arg", f"BASE_IMAGE={BASE}", "--build-arg", "MODEL=tf_files/cats"]
    subprocess.run(
        [*DOCKER, "build", *shlex.split(os.environ["DOCKER_BUILD_ARGS"]), *arguments,
         "-f", context / "docker/label_image.Dockerfile", "-t", image, context],
        check=True, capture_output=True,
    )  # fmt: skip
    assert "tabby" in run(image, "gato.jpg", options=["-v", f"{trained}:/photos:ro"]).stdout.splitlines()[1]


def test_a_gpu_that_is_asked_for_and_absent_is_said_in_one_line(trained: Path, mounted: list[str]) -> None:
    asked = [*mounted, "-e", "NVIDIA_VISIBLE_DEVICES=all", "-e", "COLUMNS=500"]
    said = [line for line in run(TRAINING, *DEMO, options=asked).stderr.splitlines() if "GPU" in line]
    assert len(said) == 1 and "computing on the CPU" in said[0]
    required = run(TRAINING, *DEMO, "--require_gpu", options=asked, code=1).stderr
    assert required.startswith("Error: --require_gpu: ") and required.count("\n") == 1


def test_tensorboard_serves_is_healthy_and_stops_when_asked(trained: Path, mounted: list[str]) -> None:
    name = f"retrain-test-{os.getpid()}"
    run(TRAINING, "tensorboard", options=["--detach", "--name", name, *mounted])
    try:
        health = [*DOCKER, "exec", name, "sh", "/opt/src/docker/healthcheck.sh"]
        for _ in range(60):
            healthy = subprocess.run(health, capture_output=True).returncode == 0
            if healthy:
                break
            time.sleep(1)
        assert healthy
        runs = "import urllib.request as u; print(u.urlopen('http://localhost:6006/data/runs').read().decode())"
        served = subprocess.run([*DOCKER, "exec", name, "python", "-c", runs], capture_output=True, text=True)
        assert json.loads(served.stdout) != []
        stopped = subprocess.run([*DOCKER, "stop", "--time", "30", name], capture_output=True, text=True)
        assert "SIGKILL" not in stopped.stderr
    finally:
        subprocess.run([*DOCKER, "rm", "--force", name], capture_output=True)


def test_the_small_image_serves_without_a_network_and_stops_when_asked(trained: Path) -> None:
    name = f"retrain-serve-{os.getpid()}"
    mounts = ["-v", f"{trained}:/tf_files:ro", "-v", f"{trained}:/photos:ro", "--entrypoint", "label_image"]
    run(LABELLING, "serve", "/tf_files/model", options=["--detach", "--name", name, *mounts])
    ask = (
        "import urllib.request as u; print(u.urlopen('http://127.0.0.1:8501/label', "
        "open('/photos/gato.jpg', 'rb').read(), timeout=60).read().decode())"
    )
    try:
        for _ in range(60):
            served = subprocess.run([*DOCKER, "exec", name, "python", "-c", ask], capture_output=True, text=True)
            if served.returncode == 0:
                break
            time.sleep(1)
        assert json.loads(served.stdout)["label"] == "tabby", served.stderr
        stopped = subprocess.run([*DOCKER, "stop", "--time", "30", name], capture_output=True, text=True)
        assert "SIGKILL" not in stopped.stderr
    finally:
        subprocess.run([*DOCKER, "rm", "--force", name], capture_output=True)


def test_the_studio_is_open_to_this_machine_and_stops_when_asked(mounted: list[str]) -> None:
    name = f"retrain-studio-{os.getpid()}"
    studio = [
        "retrain",
        "studio",
        "/tf_files/studio",
        "--host",
        "0.0.0.0",
        "--architecture",
        "fake",
        "--token",
        "secret",
    ]
    run(TRAINING, *studio, options=["--detach", "--name", name, *mounted])
    ask = (
        "import urllib.request as u; print(u.urlopen(u.Request('http://127.0.0.1:8600/api/state', "
        "headers={'Authorization': 'Bearer secret'}), timeout=60).read().decode())"
    )
    try:
        for _ in range(60):
            answered = subprocess.run([*DOCKER, "exec", name, "python", "-c", ask], capture_output=True, text=True)
            if answered.returncode == 0:
                break
            time.sleep(1)
        assert json.loads(answered.stdout)["folder"]["path"] == "/tf_files/studio", answered.stderr
        stopped = subprocess.run([*DOCKER, "stop", "--time", "30", name], capture_output=True, text=True)
        assert "SIGKILL" not in stopped.stderr
    finally:
        subprocess.run([*DOCKER, "rm", "--force", name], capture_output=True)


def test_other_commands_are_refused_in_a_sentence() -> None:
    assert run(TRAINING, "ls", code=2).stderr.startswith("Error: 'ls' is not a command of this container")


def test_there_is_one_tensorflow_and_no_compiler() -> None:
    look = "find / -xdev -path '*-packages/tensorflow/__init__.py' 2>/dev/null | wc -l; command -v cc gcc c++; true"
    assert run(TRAINING, "bash", "-c", look).stdout.split() == ["1"]


def test_the_labelling_image_is_small_and_has_no_tensorflow() -> None:
    more = (int(inspect(LABELLING, "{{.Size}}")) - int(inspect(BASE, "{{.Size}}"))) / MEGABYTE
    print(f"\nlabel_image: {more:.0f} MB beyond its base")
    assert more < 260
    code = "import importlib.util as u, sys; sys.exit(u.find_spec('tensorflow') is not None)"
    run(LABELLING, "-c", code, options=["--entrypoint", "python"])


@pytest.mark.parametrize("image", [TRAINING, LABELLING])
def test_images_say_what_they_are_and_do_not_run_as_root(image: str) -> None:
    assert inspect(image, "{{.Config.User}}") == "1000:1000"
    labels = json.loads(inspect(image, "{{json .Config.Labels}}"))
    for label in ("title", "description", "licenses", "version", "revision", "base.name"):
        assert labels[f"org.opencontainers.image.{label}"]
    assert labels["org.opencontainers.image.version"] == version("retrain-photos")


def test_nothing_of_the_machine_that_built_it_is_left_in_an_image() -> None:
    look = "cat /etc/pip.conf ~root/.config/pip/pip.conf 2>/dev/null; env | grep -i -e PIP_ -e proxy; true"
    for image in (TRAINING, LABELLING):
        assert run(image, "-c", look, options=["--entrypoint", "sh"]).stdout == ""


def test_the_bill_of_materials_names_what_is_there(tmp_path: Path) -> None:
    subprocess.run(["make", "docker-sbom", f"TF_FILES={tmp_path}"], cwd=ROOT, check=True, capture_output=True)
    listed = {}
    for image in (TRAINING, LABELLING):
        document = json.loads((tmp_path / "sbom" / f"{Path(image).name}.cdx.json").read_text(encoding="utf-8"))
        listed[image] = {component["purl"].split("@")[0] for component in document["components"]}
    assert {"pkg:pypi/tensorflow", "pkg:pypi/retrain-photos", "pkg:deb/debian/libc6"} <= listed[TRAINING]
    assert {"pkg:pypi/ai-edge-litert", "pkg:pypi/retrain-photos"} <= listed[LABELLING]
    assert "pkg:pypi/tensorflow" not in listed[LABELLING]
