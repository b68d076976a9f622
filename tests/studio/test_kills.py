"""A studio that is killed at any moment, again and again: each photo is there once, and all can still be taken back."""

import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from collections import Counter
from pathlib import Path

import pytest
from studio_folders import png, put, seen

from retrain.studio.changes import Changes
from retrain.studio.listing import list_folder

KILLS = 12
PHOTOS = 60
WORKER = """
    import random, sys
    from pathlib import Path

    sys.path.insert(0, sys.argv[3])
    from studio_folders import png
    from zips import zip_of
    from retrain.core.errors import StudioError
    from retrain.studio.changes import Changes
    from retrain.studio.incoming import add_archive
    from retrain.studio.listing import list_folder

    chance, number = random.Random(int(sys.argv[2])), int(sys.argv[2]) * 100_000  # no two turns make the same photo
    folder = Path(sys.argv[1])
    classes = ["cat", "dog", "bird", "fish"]
    with Changes(folder) as changes:
        print("open", flush=True)
        while True:
            number += 10
            names = [photo.name for photo in list_folder(folder).photos]
            some = chance.sample(names, min(len(names), 12))
            one, other = chance.sample(classes, 2)
            try:
                what = chance.randrange(9)
                if what == 0:
                    changes.add(one, "same.png", png(number))
                    print(number, flush=True)
                elif what == 1:
                    packed = {f"{name}/{turn}.png": png(number + 1 + turn) for turn in range(4) for name in classes[:2]}
                    (folder.parent / "a.zip").write_bytes(zip_of(packed))
                    if len(add_archive(changes, folder.parent / "a.zip", None).added) == 8:
                        print(*(2 * [number + 1 + turn for turn in range(4)]), flush=True)
                elif what < 4:
                    changes.move(some, one)
                elif what == 4:
                    changes.remove(some[:4])
                elif what == 5:
                    changes.rename_class(one, other)
                elif what == 6:
                    changes.remove_class(one)
                else:
                    changes.undo()
            except StudioError:
                pass
"""


def there(folder: Path) -> Counter[bytes]:
    """All photos, in the trash too."""
    own = folder / ".studio"
    return Counter(path.read_bytes() for path in folder.rglob("*.png") if own not in path.parents)


@pytest.mark.kills
def test_kills_lose_and_double_nothing(tmp_path: Path) -> None:
    chance = random.Random(20261128)
    folder = put(tmp_path / "pets", *(f"{('cat', 'dog')[number % 2]}/{number // 2}.png" for number in range(PHOTOS)))
    before = seen(folder)
    support = Path(__file__).parents[1] / "support"
    wanted = there(folder)
    for turn in range(1, KILLS + 1):
        command = [sys.executable, "-c", textwrap.dedent(WORKER), str(folder), str(turn), str(support)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            assert process.stdout is not None and process.stdout.readline() == "open\n", process.communicate()
            time.sleep(chance.uniform(0, 0.4))  # at any moment
            process.send_signal(signal.SIGKILL)
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
        assert process.returncode == -signal.SIGKILL and err == ""
        wanted += Counter(png(int(number)) for number in out.split())
        with Changes(folder):
            found = there(folder)
            assert wanted <= found, "a photo is nowhere"
            assert (found - wanted).total() <= 8, "more than was on its way"
            in_sight = [photo.file.path for photo in list_folder(folder).photos]
            in_trash = [str(path) for path in (folder / ".trash").rglob("*.png")]
            assert len(in_sight) + len(in_trash) == found.total() and all(path.endswith(".png") for path in in_sight)
            assert not (folder / ".studio" / "new").exists() and not list(folder.rglob("*.tmp"))
        wanted = found
    with Changes(folder) as changes:
        while changes.last:
            assert changes.undo().remark == ""  # type: ignore[union-attr]
    assert seen(folder) == before
    assert os.listdir(folder / ".studio") == ["changes.jsonl"]


def test_another_process_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    program = f"from retrain.studio.changes import Changes; from pathlib import Path; Changes(Path({str(tmp_path)!r}))"
    with Changes(tmp_path):
        result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert result.returncode == 1 and "Another studio is open" in result.stderr
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)
