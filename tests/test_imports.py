"""What is imported when, and what the source never does."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import retrain

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted([*(ROOT / "retrain").rglob("*.py"), *(ROOT / "label_image").rglob("*.py")])
# Modules that import TensorFlow: where a network is built, trained or exported, and nowhere else.
WITH_TENSORFLOW = {
    "backbones.network", "core.keras", "core.tensorflow", "exports.classifier", "exports.features",
    "exports.frozen_graph",
    "exports.proof.mil", "exports.serving",
    "insight.report.summaries", "runs.compare_scratch", "runs.fine_tune", "training.fitting.mini_batches",
    "training.on_photos.fine_tune", "training.on_photos.keras_training", "training.on_photos.sides",
    "training.on_photos.small_cnn",
}  # fmt: skip
HEAVY = {"tensorflow", "keras", "numpy", "PIL", "pyarrow", "scipy", "rich", "ai_edge_litert", "tensorflow_hub"}


def modules_after(code: str) -> set[str]:
    """The modules that a fresh interpreter has loaded after running some code."""
    report = f"import sys\ntry:\n    {code}\nexcept SystemExit: pass\nprint('\\n' + ' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", report], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize(
    "code",
    [
        "import retrain, label_image, retrain.core.errors, retrain.cli.main",
        "from retrain.cli.main import main; main(['--help'])",
        "from retrain.cli.main import main; main(['sweep', '--help', 'all'])",
        "from retrain.cli.main import main; main(['--image_dir', 'x', '--no_such_option'])",
        "from label_image.cli import main; main(['--help'])",
    ],
)
def test_nothing_heavy_is_imported_before_there_is_work(code: str) -> None:
    loaded = modules_after(code)
    assert "retrain" in loaded or "label_image" in loaded
    assert {module.partition(".")[0] for module in loaded} & HEAVY == set()


def test_modules_without_tensorflow() -> None:
    modules = {".".join(path.relative_to(ROOT).with_suffix("").parts) for path in SOURCES if path.stem[0] != "_"}
    heavy = {f"retrain.{name}" for name in WITH_TENSORFLOW}
    assert heavy <= modules
    light = sorted(modules - heavy)
    loaded = modules_after(f"import {', '.join(light)}")
    assert {*light, "retrain.photos.sources.tfds", "numpy"} <= loaded
    assert loaded & {"tensorflow", "keras", "tensorflow_datasets", "matplotlib", "openvino", "sklearn"} == set()


def test_label_image_uses_nothing_of_retrain() -> None:
    parts = "__main__, cli, model, pictures, find_photos, heatmap, many.run, with_pictures, answers, web, one_photo"
    loaded = modules_after(f"import {', '.join(f'label_image.{part}' for part in parts.split(', '))}")
    assert {name.partition(".")[0] for name in loaded} & {"retrain", "tensorflow", "keras", "scipy", "pyarrow"} == set()


@pytest.mark.parametrize("name", retrain.__all__)
def test_public_names_resolve(name: str) -> None:
    assert getattr(retrain, name).__name__ == name if name != "ARCHITECTURES" else "fake" in retrain.ARCHITECTURES


def test_public_names_are_those_that_are_loaded_on_use() -> None:
    assert sorted(retrain._HOME_OF) == retrain.__all__
    assert set(retrain.__all__) <= set(dir(retrain))  # what a notebook offers to complete


def test_name_that_does_not_exist() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        retrain.no_such_name  # noqa: B018


# No code in data


FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__", "os.system", "os.popen"}
FORBIDDEN_MODULES = {"pickle", "marshal", "shelve", "dill", "joblib", "cloudpickle"}


def forbidden(source: str) -> list[str]:
    """What a module must not do: run text as code, unpickle, go through a shell, load pickled arrays."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [item.name for item in node.names if item.name.partition(".")[0] in FORBIDDEN_MODULES]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in FORBIDDEN_MODULES:
            found.append(str(node.module))
        elif isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            found += [name] if name in FORBIDDEN_CALLS else []
            found += [
                f"{name}({item.arg}=True)"
                for item in node.keywords
                if item.arg in ("shell", "allow_pickle") and ast.unparse(item.value) != "False"
            ]
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_source_never_runs_data(path: Path) -> None:
    assert forbidden(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "source",
    [
        "eval('1')",
        "exec('x')",
        "import pickle",
        "from pickle import load",
        "import os\nos.system('ls')",
        "import subprocess\nsubprocess.run('ls', shell=True)",
        "import numpy\nnumpy.load('x', allow_pickle=True)",
    ],
)
def test_walk_finds_what_is_forbidden(source: str) -> None:
    assert len(forbidden(source)) == 1
