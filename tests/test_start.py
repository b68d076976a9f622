"""What the processes that tests start do without (tests/support/start)."""

import os
import subprocess
import sys
from pathlib import Path

from calling import python_path


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


def test_a_command_finds_no_pandas_and_ray_does(tmp_path: Path) -> None:
    (tmp_path / "pandas.py").touch()
    code = """
import sys
from label_image.strangers import hide_pandas, show_pandas
hide_pandas()
try:
    import pandas
except ImportError:
    print("hidden")
import pyarrow
pyarrow.array([1])
assert "pandas" not in sys.modules
show_pandas()
import pandas
print("shown")
"""
    environment = {**os.environ, "PYTHONPATH": python_path(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.stdout.split() == ["hidden", "shown"], done.stderr
