import os
import tempfile
from pathlib import Path

import pytest

from label_image.files import scratch_folder


def test_a_saved_model_leaves_no_generated_code_though_the_process_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is killed does not clean up at its end: what it leaves must be a folder that the next one removes."""
    from retrain.core.tensorflow import save_model, tf

    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    seen: list[str] = []
    write = tempfile.NamedTemporaryFile

    def watched(*arguments: object, **options: object) -> object:
        file = write(*arguments, **options)  # type: ignore[call-overload]
        seen.append(os.path.relpath(file.name, tmp_path / "tmp"))
        return file

    monkeypatch.setattr(tempfile, "NamedTemporaryFile", watched)
    module = tf.Module()
    module.double = tf.function(lambda x: 2 * x, input_signature=[tf.TensorSpec([None])], autograph=False)
    save_model(module, str(tmp_path / "model"), {"serving_default": module.double})
    assert (tmp_path / "model" / "saved_model.pb").is_file()
    assert seen and all(Path(name).parent.name.startswith(".retrain") for name in seen), "it generates code no more"
    assert os.listdir(tmp_path / "tmp") == []
    assert tempfile.tempdir == str(tmp_path / "tmp")


def test_scratch_folders_of_other_threads_do_not_lie_in_one_that_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with scratch_folder() as one:
        monkeypatch.setattr(tempfile, "tempdir", str(one))
        with scratch_folder() as other:
            assert other.parent == one.parent == tmp_path
