"""What to run where an optional package is missing. It depends on where this program was installed from.

Only names of our own are given: a name that is free on the package index may be anybody's tomorrow.
"""

import json
import os
import shlex
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

DISTRIBUTION = "retrain-photos"  # in pyproject.toml; the import packages are retrain and label_image
LOCKED = frozenset(
    {"train", "openvino", "export", "arduino", "tfds", "report", "serve", "dev"}
)  # that requirements.lock holds
CLUSTER = frozenset({"ray", "storage", "int8", "hub", "mlflow", "dev-cluster"})  # that requirements-cluster.lock holds
TRAIN_MODULES = frozenset({
    "babel", "flatbuffers", "h5py", "jinja2", "keras", "pyarrow", "scipy", "tensorboard", "tensorflow",
    "tensorflow_hub", "tf_keras", "threadpoolctl", "tomli",
})  # fmt: skip
SERVE_MODULES = frozenset({
    "anyio", "cryptography", "httptools", "prometheus_client", "python_multipart", "segno", "starlette", "uvicorn",
})  # fmt: skip
IMAGE = "RETRAIN_IMAGE"  # the environment variable that says which of our images this container is of
IN_TRAINING_IMAGE = LOCKED - {"arduino", "dev"}


def how_to_install(extra: str) -> str:
    """How to get the packages of an extra of ours, as a part of a sentence: "run `make setup` in /home/me/retrain"."""
    image = os.environ.get(IMAGE)
    if image is not None:
        return _in_container(image, extra)
    clone = Path(__file__).resolve().parents[1]
    if (clone / "Makefile").is_file() and (clone / "pyproject.toml").is_file():
        return _in_clone(clone, extra)
    return _with_pip(f"'{DISTRIBUTION}[{extra}]{_origin()}'")


def what_is_missing(error: ModuleNotFoundError) -> str | None:
    """A sentence where a module of the extra `train` or `serve` is not installed; None for another one."""
    module = (error.name or "").partition(".")[0]
    if module in TRAIN_MODULES:
        return f"This needs {module}, which is not installed: {how_to_install('train')}."
    if module in SERVE_MODULES:
        return f"Serving needs {module}, which is not installed: {how_to_install('serve')}."
    return None


def versions(packages: Iterable[str]) -> dict[str, str]:
    """The installed version of each package; this program goes by the name of its command, `retrain`."""
    from importlib.metadata import version

    return {name: _own_version() if name == "retrain" else version(name) for name in packages}


def _own_version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(DISTRIBUTION)
    except PackageNotFoundError:  # run from its folder, or installed there when it had another name
        return "unknown"


def _in_container(image: str, extra: str) -> str:
    if image != "retrain" and extra in IN_TRAINING_IMAGE:
        return "use the image retrain, which has it (`make docker-build`)"
    if extra in CLUSTER - {"int8", "hub", "mlflow", "dev-cluster"}:
        return "use the image retrain that was built with it (`make docker-build CLUSTER=yes`)"
    return f"it is not in the image {image}: install this program without a container, and there the extra `{extra}`"


def _in_clone(clone: Path, extra: str) -> str:
    if Path(sys.prefix).resolve() == clone / ".venv" and extra in LOCKED | CLUSTER:
        return f"run `make {'cluster' if extra in CLUSTER else 'setup'}` in {clone}"
    return f"run `{Path(sys.prefix) / 'bin' / 'pip'} install --editable '{clone}[{extra}]'`"


def _with_pip(requirement: str) -> str:
    """By the pip of this environment, which may not be the one that a terminal finds."""
    environment = Path(sys.prefix)
    if (environment / "pipx_metadata.json").is_file():
        if environment.parent.name != "venvs":  # of `pipx run`, and soon gone
            return f"run `pipx run --spec {requirement} {Path(sys.argv[0]).name} …`"
        return f"run `pipx runpip {environment.name} install {requirement}`"
    found = shutil.which("pip")
    if found is not None and Path(found).parent == environment / Path(sys.executable).parent.name:
        return f"run `pip install {requirement}`"
    return f"run `{shlex.quote(sys.executable)} -m pip install {requirement}`"


def _origin() -> str:
    """The address of the file or repository that was installed, as pip takes it; nothing if it was the index."""
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        text = distribution(DISTRIBUTION).read_text("direct_url.json")
        origin = json.loads(text) if text else {}
        url = origin.get("url", "")
        repository = origin.get("vcs_info")
        if repository:
            return f" @ {repository['vcs']}+{url}@{repository['commit_id']}"
        return f" @ {url}" if url else ""
    except (PackageNotFoundError, OSError, ValueError, AttributeError, KeyError, TypeError):
        return ""
