"""What the processes that tests start do without (tests/support/start), and what those of users do without."""

import os
import subprocess
import sys
from pathlib import Path

from calling import python_path

ROOT = Path(__file__).parents[1]


def test_keras_goes_without_what_others_get(tmp_path: Path) -> None:
    """Seen with packages of the same names: the real ones take seconds."""
    for path, text in {
        "keras/__init__.py": "from keras import plots",
        "keras/plots.py": "try: import matplotlib.pyplot as plt\nexcept ImportError: plt = None",
        "matplotlib/__init__.py": "",
        "matplotlib/pyplot.py": "",
    }.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
    code = "import keras.plots, matplotlib.pyplot; assert keras.plots.plt is None and matplotlib.pyplot"
    environment = {**os.environ, "PYTHONPATH": python_path(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_command_finds_no_pandas_and_no_scikit_learn_until_it_needs_them(tmp_path: Path) -> None:
    for name in ("pandas", "sklearn"):
        (tmp_path / f"{name}.py").touch()
    code = """
import importlib
import sys
from label_image.strangers import hide_pandas_and_sklearn, show_pandas_and_sklearn
hide_pandas_and_sklearn()
for name in ("pandas", "sklearn"):
    try:
        importlib.import_module(name)
    except ImportError:
        print("hidden")
import pyarrow
pyarrow.array([1])
assert "pandas" not in sys.modules
show_pandas_and_sklearn()
import pandas, sklearn
print("shown")
"""
    environment = {**os.environ, "PYTHONPATH": python_path(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.stdout.split() == ["hidden", "hidden", "shown"], done.stderr


def test_the_keras_of_a_command_comes_without_scikit_learn() -> None:
    """It would take a second more. The process starts as a user's does, without what tests do without."""
    code = """
import sys
from label_image.strangers import hide_pandas_and_sklearn
hide_pandas_and_sklearn()
import retrain.core.keras
print(*(name for name in ("keras.src.layers", "sklearn", "scipy.stats") if name in sys.modules))
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.stdout.split() == ["keras.src.layers"], done.stderr


def test_what_is_imported_uncollected_is_never_looked_through() -> None:
    code = """
import gc, weakref
from label_image.strangers import uncollected
class Circle: pass
one = Circle(); one.itself = one; lost = weakref.ref(one); del one
with uncollected():
    assert lost() is None and not gc.isenabled()
    kept = Circle()
assert gc.isenabled()
assert not any(one is kept for one in gc.get_objects())
gc.disable()
with uncollected():
    pass
assert not gc.isenabled()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_tensorflow_and_keras_are_imported_uncollected() -> None:
    code = """
import gc
import retrain.core.keras
import tensorflow
found = {id(one) for one in gc.get_objects()}
print(id(tensorflow.__dict__) in found, id(retrain.core.keras.keras.__dict__) in found, gc.isenabled())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.split() == ["False", "False", "True"], done.stderr
