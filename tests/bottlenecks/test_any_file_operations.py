"""Any sequence of file operations on the photos."""

import itertools
import shutil
import tempfile
from pathlib import Path

from extracting import assert_true, class_folders, photo_bytes, run, write
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

# Any sequence of file operations


class FileOperations(RuleBasedStateMachine):
    """Whatever is done to the files: computed are exactly the contents that were never seen before."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="retrain-test-"))
        self.root, self.store = self.folder / "photos", self.folder / "bottlenecks"
        self.seen: set[bytes] = set()
        class_folders(self.root, 2)  # two photos that stay, one in each class
        self.paths: list[Path] = []
        self.names = itertools.count()

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    def pick(self, choice: int) -> Path | None:
        return self.paths[choice % len(self.paths)] if self.paths else None

    def fresh_path(self, label: str) -> Path:
        path = self.root / label / f"photo {next(self.names)}.png"
        path.parent.mkdir(exist_ok=True)
        self.paths.append(path)
        return path

    @rule(label=st.sampled_from("abc"), number=st.integers(0, 9))
    def add(self, label: str, number: int) -> None:
        write(self.fresh_path(label), photo_bytes(number))

    @rule(choice=st.integers(0, 99), number=st.integers(0, 9))
    def replace(self, choice: int, number: int) -> None:
        if path := self.pick(choice):
            write(path, photo_bytes(number))

    @rule(choice=st.integers(0, 99), label=st.sampled_from("abc"))
    def move(self, choice: int, label: str) -> None:
        if path := self.pick(choice):
            self.paths.remove(path)
            path.rename(self.fresh_path(label))

    @rule(choice=st.integers(0, 99), label=st.sampled_from("abc"), keep_times=st.booleans())
    def copy(self, choice: int, label: str, keep_times: bool) -> None:
        if path := self.pick(choice):
            (shutil.copy2 if keep_times else shutil.copyfile)(path, self.fresh_path(label))

    @rule(one=st.integers(0, 99), other=st.integers(0, 99))
    def swap(self, one: int, other: int) -> None:
        first, second = self.pick(one), self.pick(other)
        if first and second and first != second:
            first.rename(self.folder / "spare")
            second.rename(first)
            (self.folder / "spare").rename(second)

    @rule(choice=st.integers(0, 99))
    def delete(self, choice: int) -> None:
        if path := self.pick(choice):
            self.paths.remove(path)
            path.unlink()

    @rule(choice=st.integers(0, 99))
    def touch(self, choice: int) -> None:
        if path := self.pick(choice):
            path.touch()

    @rule()
    def mount_elsewhere(self) -> None:
        elsewhere = self.folder / f"mount{next(self.names)}"
        self.root.rename(elsewhere)
        self.paths = [elsewhere / path.relative_to(self.root) for path in self.paths]
        self.root = elsewhere

    @invariant()
    def only_new_contents_are_computed(self) -> None:
        contents = {path.read_bytes() for path in self.root.rglob("*.*g")}
        extraction, counter = run(self.root, self.store)
        assert extraction.computed == len(contents - self.seen)
        assert counter.starts == bool(contents - self.seen)
        self.seen |= contents
        assert_true(extraction)
        assert len(extraction.photos) == 2 + len(self.paths)


FileOperations.TestCase.settings = settings(
    max_examples=12, stateful_step_count=15, deadline=None, suppress_health_check=list(HealthCheck)
)


TestFileOperations = FileOperations.TestCase
