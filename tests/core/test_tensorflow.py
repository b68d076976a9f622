import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from label_image.files import scratch_folder

SAVE_ONE_AND_WATCH = """
import os, sys, tempfile
from retrain.core.tensorflow import save_model, tf

seen = []
write = tempfile.NamedTemporaryFile

def watched(*arguments, **options):
    file = write(*arguments, **options)
    seen.append(os.path.relpath(file.name, before))
    return file

before = tempfile.gettempdir()
tempfile.NamedTemporaryFile = watched
module = tf.Module()
module.double = tf.function(lambda x: 2 * x, input_signature=[tf.TensorSpec([None])], autograph=False)
save_model(module, sys.argv[1], {"serving_default": module.double})
assert tempfile.gettempdir() == before
print(*seen, sep="\\n")
print("left:", *os.listdir(before), flush=True)
os._exit(0)  # nothing is cleaned up at the end, as where it is killed
"""


def test_a_saved_model_leaves_no_generated_code_though_nothing_cleans_up_at_the_end(tmp_path: Path) -> None:
    """In a process of its own: TensorFlow generates the code once, and another test may have had it."""
    (tmp_path / "tmp").mkdir()
    run = subprocess.run(
        [sys.executable, "-c", SAVE_ONE_AND_WATCH, str(tmp_path / "model")],
        env={**os.environ, "TMPDIR": str(tmp_path / "tmp")},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    *seen, left = run.stdout.splitlines()
    assert (tmp_path / "model" / "saved_model.pb").is_file()
    assert seen and all(Path(name).parent.name.startswith(".retrain") for name in seen), "it generates code no more"
    assert left == "left:"
    assert os.listdir(tmp_path / "tmp") == []


def test_scratch_folders_of_other_threads_do_not_lie_in_one_that_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with scratch_folder() as one:
        monkeypatch.setattr(tempfile, "tempdir", str(one))
        with scratch_folder() as other:
            assert other.parent == one.parent == tmp_path
