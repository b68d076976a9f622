"""What can be said about the containers without building them: `make test-docker` builds them."""

import http.server
import importlib.util
import json
import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
DOCKER = ROOT / "docker"
DOCKERFILES = sorted(DOCKER.glob("*.Dockerfile"))

spec = importlib.util.spec_from_file_location("left_to_install", DOCKER / "left_to_install.py")
assert spec is not None and spec.loader is not None
script = importlib.util.module_from_spec(spec)
spec.loader.exec_module(script)

LOCK = """\
absl-py==2.5.1 \\
    --hash=sha256:aa
    # via tensorflow
tensorflow==2.21.0 ; sys_platform == 'linux' \\
    --hash=sha256:bb \\
    --hash=sha256:cc
    # via retrain
tensorflow-hub==0.16.1 \\
    --hash=sha256:dd
"""


def pins(lock: Path) -> set[tuple[str, str]]:
    return set(script.PINNED.findall(line)[0] for line in lock.read_text().splitlines() if script.PINNED.match(line))


def versions_in(lock: Path, python: str) -> dict[str, str]:
    """Of each package that this Python gets, on this machine."""
    environment = {**default_environment(), "python_version": python, "python_full_version": f"{python}.1"}
    required = [Requirement(line.rstrip(" \\")) for line in lock.read_text().splitlines() if script.PINNED.match(line)]
    return {
        found.name: str(found.specifier) for found in required if not found.marker or found.marker.evaluate(environment)
    }


@pytest.mark.parametrize("lock", sorted(DOCKER.glob("*.lock")), ids=lambda lock: lock.name)
def test_containers_hold_the_versions_that_are_tested(lock: Path) -> None:
    tested = "requirements-cluster.lock" if lock.name == "cluster.lock" else "requirements.lock"
    assert pins(lock) and pins(lock) <= pins(ROOT / tested)


@pytest.mark.parametrize("python", ["3.10", "3.11", "3.12", "3.13"])
def test_what_a_cluster_needs_fits_what_one_machine_has(python: str) -> None:
    alone, cluster = (versions_in(ROOT / f"requirements{of}.lock", python) for of in ("", "-cluster"))
    assert {"ray", "boto3", "moto"} <= cluster.keys() and not {"ray", "boto3"} & alone.keys()
    assert {name: alone[name] for name in alone.keys() & cluster.keys()} == {
        name: cluster[name] for name in alone.keys() & cluster.keys()
    }


def test_images_carry_no_tools_of_development() -> None:
    names = {name for name, _ in pins(DOCKER / "retrain.lock")}
    assert {"tensorflow", "openvino", "tensorflow-datasets", "matplotlib"} <= names
    assert not names & {"pytest", "mypy", "ruff", "hypothesis", "scikit-learn"}


@pytest.mark.parametrize("file", ["retrain.Dockerfile", "compose.yaml"])
def test_the_base_has_the_tensorflow_of_the_lock(file: str) -> None:
    locked = dict(pins(DOCKER / "retrain.lock"))["tensorflow"]
    named = re.findall(r"tensorflow/tensorflow:([0-9.]+[0-9])", (DOCKER / file).read_text())
    assert named and set(named) == {locked}


@pytest.mark.parametrize(
    "file", [*DOCKERFILES, DOCKER / "compose.yaml", DOCKER / "docker.mk"], ids=lambda path: path.name
)
def test_bases_have_full_names_because_podman_may_know_no_other(file: Path) -> None:
    named = re.findall(r"[\w./]*(?:tensorflow/tensorflow|python):", file.read_text())
    assert named and all(name.startswith("docker.io/") for name in named), named


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.name)
def test_what_an_image_copies_is_there_and_let_into_the_context(dockerfile: Path) -> None:
    text = dockerfile.read_text().replace("\\\n", " ")
    sources = [word for line in re.findall(r"^COPY (.*)", text, re.M) for word in line.split()[:-1]]
    allowed = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    assert sources
    for source in sources:
        assert (ROOT / source).exists()
        parents = [Path(source), *Path(source).parents]
        assert any(parent.match(pattern) for parent in parents for pattern in allowed), source


def test_no_photo_and_no_bottleneck_is_let_into_the_context() -> None:
    allowed = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    for path in ("tf_files/demo_cats/tabby/1.jpg", "tf_files/bottlenecks/ab/1.parquet", ".git/config", "cats/a/1.jpg"):
        assert not any(parent.match(pattern) for parent in (Path(path), *Path(path).parents) for pattern in allowed), (
            path
        )


def test_a_base_without_tensorflow_gets_all() -> None:
    assert script.left_to_install(LOCK, None) == LOCK


def test_the_tensorflow_of_the_base_is_not_installed_again() -> None:
    left = script.left_to_install(LOCK, "2.21.0")
    assert [name for name, _ in map(lambda line: script.PINNED.match(line).groups(), lines(left))] == [
        "absl-py",
        "tensorflow-hub",
    ]
    assert "sha256:bb" not in left and "sha256:cc" not in left and "sha256:dd" in left


def lines(lock: str) -> list[str]:
    """Those that name a package."""
    return [line for line in lock.splitlines() if script.PINNED.match(line)]


def test_another_tensorflow_in_the_base_is_refused_in_a_sentence() -> None:
    with pytest.raises(ValueError, match=r"TensorFlow 2\.20\.0, and 2\.21\.0 is needed: .*tensorflow:2\.21\.0"):
        script.left_to_install(LOCK, "2.20.0")


def test_the_lock_file_is_read_as_it_is() -> None:
    lock = (DOCKER / "retrain.lock").read_text()
    left = script.left_to_install(lock, dict(pins(DOCKER / "retrain.lock"))["tensorflow"])
    assert len(lines(lock)) - len(lines(left)) == 1


@pytest.fixture
def stubs(tmp_path: Path) -> Path:
    """Commands that say how they were called."""
    for name in ("retrain", "label_image", "python"):
        stub = tmp_path / name
        stub.write_text(f'#!/bin/sh\necho {name} "$@"\n')
        stub.chmod(0o755)
    return tmp_path


def enter(stubs: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PATH": f"{stubs}:{os.environ['PATH']}"}
    return subprocess.run(["sh", DOCKER / "entrypoint.sh", *arguments], env=environment, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("arguments", "called"),
    [
        (["retrain", "sweep", "--image_dir", "a b"], "retrain sweep --image_dir a b"),
        (["--image_dir", "/cats"], "retrain --image_dir /cats"),
        (["label_image", "gato.jpg"], "label_image gato.jpg"),
        (["bash", "-c", "echo hello"], "hello"),
        (
            ["tensorboard", "--port", "7007"],
            "python -m tensorboard.main --bind_all --logdir tf_files/training_summaries --port 7007",
        ),
    ],
)
def test_the_entry_point_knows_its_commands(stubs: Path, arguments: list[str], called: str) -> None:
    done = enter(stubs, *arguments)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, called, "")


@pytest.mark.parametrize("arguments", [[], ["ls"], [""]])
def test_the_entry_point_refuses_others(stubs: Path, arguments: list[str]) -> None:
    done = enter(stubs, *arguments)
    assert done.returncode == 2 and "retrain, label_image, tensorboard and bash" in done.stderr


def test_only_tensorboard_is_asked_for_its_health(tmp_path: Path) -> None:
    for name, code in (("python\0-m\0tensorboard.main\0", 7), ("python\0/opt/retrain/bin/retrain\0", 0)):
        command_line = tmp_path / "cmdline"
        command_line.write_text(name)
        stub = tmp_path / "python"
        stub.write_text("#!/bin/sh\nexit 7\n")
        stub.chmod(0o755)
        environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "COMMAND_LINE": str(command_line)}
        assert subprocess.run(["sh", DOCKER / "healthcheck.sh"], env=environment).returncode == code


def test_tensorboard_s_health_does_not_depend_on_a_proxy(tmp_path: Path) -> None:
    command_line = tmp_path / "cmdline"
    command_line.write_text("python\0-m\0tensorboard.main\0")
    with http.server.HTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        environment = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "COMMAND_LINE": str(command_line),
            "TENSORBOARD": f"http://127.0.0.1:{server.server_port}/",
            "HTTP_PROXY": "http://127.0.0.1:9",
            "http_proxy": "http://127.0.0.1:9",
        }
        server.timeout = 10
        done = subprocess.run(["sh", DOCKER / "healthcheck.sh"], env=environment, capture_output=True, text=True)
        thread.join()
    assert done.returncode == 0, done.stderr


def test_the_bill_of_materials_lists_packages_once_with_their_licences() -> None:
    done = subprocess.run(
        [sys.executable, DOCKER / "sbom.py", "image", "1.0"], capture_output=True, text=True, check=True
    )
    document = json.loads(done.stdout)
    assert (document["bomFormat"], document["metadata"]["component"]["name"]) == ("CycloneDX", "image")
    names = [part["bom-ref"] for part in document["components"]]
    assert len(names) == len(set(names))
    (click,) = [part for part in document["components"] if part["purl"].startswith("pkg:pypi/click@")]
    assert click["licenses"] == [{"license": {"name": "BSD-3-Clause"}}]


@pytest.fixture
def recorded(tmp_path: Path) -> "Recorded":
    return Recorded(tmp_path)


class Recorded:
    """`make` with a Docker that only writes down how it was called."""

    def __init__(self, folder: Path) -> None:
        self.docker, self.folder = folder / "docker", folder
        self.docker.write_text('#!/bin/sh\nprintf "%s\\n" "$*"\n')
        self.docker.chmod(0o755)

    def make(self, *arguments: str, gpu: bool = False) -> str:
        done = self.try_make(*arguments, gpu=gpu)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def try_make(self, *arguments: str, gpu: bool = False) -> subprocess.CompletedProcess[str]:
        smi = self.folder / "nvidia-smi"
        smi.write_text(f"#!/bin/sh\nexit {0 if gpu else 9}\n")
        smi.chmod(0o755)
        environment = {**os.environ, "PATH": f"{self.folder}:{os.environ['PATH']}"}
        for name in (
            "MAKEFLAGS",
            "MAKELEVEL",
            "BASE_IMAGE",
            "TRAINING_IMAGE",
            "LABELLING_IMAGE",
            "DOCKER_RUN_ARGS",
            "IMAGE_DIR",
            "OUTPUT_DIR",
            "WEIGHTS",
            "ARCHITECTURE",
            "DOCKER_BUILD_ARGS",
        ):
            environment.pop(name, None)
        call = ["make", "--no-print-directory", "-s", f"DOCKER={self.docker}", f"TF_FILES={self.folder}/tf", *arguments]
        return subprocess.run(call, cwd=ROOT, env=environment, capture_output=True, text=True)


def test_make_builds_for_the_gpu_where_there_is_one(recorded: Recorded) -> None:
    tensorflow = dict(pins(DOCKER / "retrain.lock"))["tensorflow"]
    assert f"BASE_IMAGE=docker.io/tensorflow/tensorflow:{tensorflow} " in recorded.make("docker-build")
    assert f"BASE_IMAGE=docker.io/tensorflow/tensorflow:{tensorflow}-gpu " in recorded.make("docker-build", gpu=True)
    assert "-gpu" not in recorded.make("docker-build", "HAS_GPU=", gpu=True)
    assert "--gpus" not in recorded.make("docker-retrain", "HAS_GPU=", gpu=True)
    assert recorded.make("docker-build", "BASE_IMAGE=my:base").count("BASE_IMAGE=my:base") == 2


def test_make_builds_an_image_with_the_weights_of_an_architecture(recorded: Recorded) -> None:
    assert "ARCHITECTURE" not in recorded.make("docker-build")
    assert (
        recorded.make("docker-build", "ARCHITECTURE=inception_v3").count("--build-arg ARCHITECTURE=inception_v3") == 1
    )


def test_podman_is_told_to_keep_the_health_check(recorded: Recorded) -> None:
    assert "--format" not in recorded.make("docker-build")
    podman = recorded.docker.rename(recorded.folder / "podman")
    assert recorded.make("docker-build", f"DOCKER={podman} --log-level error").count("--format docker") == 2


def test_make_mounts_the_photos_and_runs_as_the_caller(recorded: Recorded) -> None:
    photos = recorded.folder / "my cats"
    photos.mkdir()
    call = recorded.make("docker-retrain", f"IMAGE_DIR={photos}", "ARGS=--seed 7", gpu=True)
    assert f"--user {os.getuid()}:{os.getgid()} " in call and "--cap-drop ALL" in call and "--gpus all" in call
    assert f"-v {photos}:/photos:ro retrain retrain --image_dir /photos --output_dir tf_files/model --seed 7" in call
    assert "--gpus" not in recorded.make("docker-retrain")


def test_make_mounts_an_archive_and_passes_an_address(recorded: Recorded) -> None:
    archive = recorded.folder / "my cats.tar.gz"
    assert "There is no archive" in recorded.try_make("docker-retrain", f"IMAGE_DIR={archive}").stderr
    archive.write_bytes(b"")
    call = recorded.make("docker-retrain", f"IMAGE_DIR={archive}")
    assert f"-v {archive}:/photos/{archive.name}:ro retrain retrain --image_dir /photos/{archive.name} --output" in call
    call = recorded.make("docker-retrain", "IMAGE_DIR=https://example.com/cats.zip?download=1")
    assert "retrain retrain --image_dir https://example.com/cats.zip?download=1 --output" in call
    assert "/photos" not in call
    assert "is not a folder" in recorded.try_make("docker-retrain", f"IMAGE_DIR={recorded.folder / 'none'}").stderr


@pytest.mark.parametrize("name", ["CATS.ZIP", "cats.Tar.GZ", "cats.tbz", "cats.tbz2", "cats.txz"])
def test_make_mounts_whatever_is_named_like_an_archive(name: str, recorded: Recorded) -> None:
    archive = recorded.folder / name
    archive.touch()
    call = recorded.make("docker-retrain", f"IMAGE_DIR={archive}")
    assert f"-v {archive}:/photos/{name}:ro retrain retrain --image_dir /photos/{name} --output" in call


def test_make_passes_a_data_set_by_its_name(recorded: Recorded) -> None:
    call = recorded.make("docker-retrain", "IMAGE_DIR=tfds:beans")
    assert "retrain retrain --image_dir tfds:beans --output" in call and "/photos" not in call


def test_make_says_what_to_do_with_a_table(recorded: Recorded) -> None:
    table = recorded.folder / "my cats.csv"
    table.touch()
    said = recorded.try_make("docker-retrain", f"IMAGE_DIR={table}").stderr
    assert f"IMAGE_DIR={table} is a file, and neither a folder nor an archive, which alone are mounted" in said
    assert "put it and its photos below tf_files/, and name it as tf_files/…" in said
    (recorded.folder / "tf/cats.csv").touch()
    call = recorded.make("docker-retrain", "IMAGE_DIR=tf_files/cats.csv")
    assert "retrain retrain --image_dir tf_files/cats.csv --output" in call and "/photos" not in call


def test_make_labels_without_a_network(recorded: Recorded) -> None:
    photo = recorded.folder / "my gato.jpg"
    photo.touch()
    assert "There is no folder" in recorded.try_make("docker-label", f"IMAGE={photo}").stderr
    (recorded.folder / "tf").mkdir()
    call = recorded.make("docker-label", f"IMAGE={photo}")
    assert (
        "--network none" in call
        and f"-v {recorded.folder}:/photos:ro label_image --model /tf_files/model my gato.jpg" in call
    )


def test_make_serves_on_this_machine_alone(recorded: Recorded) -> None:
    assert "There is no folder" in recorded.try_make("docker-serve").stderr
    (recorded.folder / "tf").mkdir()
    call = recorded.make("docker-serve", "OUTPUT_DIR=tf_files/cats", "ARGS=--name cats")
    assert "--read-only" in call and "--cap-drop ALL" in call and f"-v {recorded.folder}/tf:/tf_files:ro " in call
    assert "-p 127.0.0.1:8501:8501 " in call
    end = "--entrypoint label_image label_image serve /tf_files/cats --host 0.0.0.0 --name cats\n"
    assert call.endswith(end)


def test_make_opens_the_studio_on_this_machine_alone(recorded: Recorded) -> None:
    call = recorded.make("docker-studio")
    assert "--read-only" in call and "-p 127.0.0.1:8600:8600 " in call
    assert call.endswith("retrain retrain studio tf_files/studio --host 0.0.0.0\n")
    photos = recorded.folder / "my cats"
    assert "is not a folder" in recorded.try_make("docker-studio", f"IMAGE_DIR={photos}").stderr
    photos.mkdir()
    call = recorded.make("docker-studio", f"IMAGE_DIR={photos}", "ARGS=--lang pt")
    assert f"-v {photos}:/photos retrain retrain studio /photos --output_dir tf_files/model --host 0.0.0.0" in call
    assert call.endswith("--lang pt\n")


def test_a_relative_working_folder_is_no_name_of_a_volume(recorded: Recorded) -> None:
    photo = recorded.folder / "gato.jpg"
    photo.touch()
    relative = os.path.relpath(recorded.folder / "work", ROOT)
    for target in ("docker-retrain", "docker-label", "docker-tensorboard"):
        call = recorded.make(target, f"TF_FILES={relative}", f"IMAGE={photo}")
        assert f" -v {recorded.folder}/work:/tf_files" in call


@pytest.mark.parametrize("photos", [[], ["IMAGE_DIR=docker"]])
def test_make_hands_the_weights_and_the_output_folder_over(recorded: Recorded, photos: list[str]) -> None:
    weights = recorded.folder / "my weights.h5"
    weights.touch()
    call = recorded.make("docker-retrain", *photos, f"WEIGHTS={weights}", "OUTPUT_DIR=tf_files/cats").splitlines()[-1]
    assert f" -v {weights}:/weights/my weights.h5:ro " in call
    assert call.endswith("--weights /weights/my weights.h5") and "--output_dir tf_files/cats " in call
    assert recorded.make("docker-retrain", *photos, "WEIGHTS=random").endswith(" --weights random\n")


def test_make_labels_with_the_model_of_the_output_folder(recorded: Recorded) -> None:
    (recorded.folder / "tf").mkdir()
    call = recorded.make("docker-label", "IMAGE=README.md", "OUTPUT_DIR=tf_files/cats")
    assert call.endswith("label_image --model /tf_files/cats README.md\n")


@pytest.mark.parametrize("target", ["docker-retrain", "docker-label", "docker-serve"])
@pytest.mark.parametrize("folder", ["model", "/tmp/model", "tf_files/", "tf_files"])
def test_an_output_folder_that_is_not_mounted_is_refused(recorded: Recorded, target: str, folder: str) -> None:
    done = recorded.try_make(target, f"OUTPUT_DIR={folder}", "IMAGE=README.md")
    assert done.returncode != 0 and done.stdout == ""
    assert done.stderr.startswith(f"OUTPUT_DIR={folder}: name a folder below tf_files")


def test_a_bill_of_materials_that_fails_leaves_the_earlier_one(recorded: Recorded) -> None:
    recorded.make("docker-sbom")
    written = recorded.folder / "tf" / "sbom" / "retrain.cdx.json"
    earlier = written.read_text()
    assert earlier
    recorded.docker.write_text("#!/bin/sh\necho half; exit 3\n")
    assert recorded.try_make("docker-sbom").returncode != 0
    assert written.read_text() == earlier and len(list(written.parent.iterdir())) == 2
