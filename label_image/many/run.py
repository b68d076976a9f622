"""Labelling many photos: what is printed, kept in tables and sorted into folders, once or for ever."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from label_image.errors import PhotoError
from label_image.files import reason_of, sha256_of_bytes
from label_image.folders import Found, PassedOver
from label_image.from_file import FromFile
from label_image.in_order import work_in_order
from label_image.many.errors import JournalError, ManyError, no_photo_in
from label_image.many.screen import MOST_ERRORS, Screen, number_of_photos, say_passed_over, summary
from label_image.many.wanted import Wanted
from label_image.not_paths import STANDARD_INPUT, is_no_path
from label_image.pool import MOST
from label_image.rows import Asked, Row, State, state_of
from label_image.signals import say_stopped
from label_image.strangers import set_switches
from label_image.terminal import complain, shown

if TYPE_CHECKING:  # loaded where something is kept: for a photo that is only named they take a tenth of the time
    from label_image.many.journal import Header, Journal
    from label_image.many.sorted_folders import SortedFolders
    from label_image.many.tables import Table
    from label_image.many.watching import Watch

AHEAD = 8 * MOST  # photos that are labelled before one that takes long has been


def check_outputs(wanted: Wanted) -> None:
    """Refuse, before any work, tables that cannot be written. Raises TableError."""
    if not wanted.tables:
        return
    from label_image.many.tables import KINDS, check_table

    for option, path in wanted.tables.items():
        check_table(KINDS[option], path)


def label_many(wanted: Wanted, asked: Asked, answer: Callable[[Row], None], say: Callable[[str], None]) -> bool:
    """Label all photos, or with --watch all that come; whether each could be read.

    `answer` is told of each row, in order; `say` of the lines at the end. Raises ManyError.
    """
    set_switches()  # before there are threads
    work = _Work(wanted, asked, answer)
    try:
        with ExitStack() as stack:
            work.connect(stack)
            work.begin(stack)
            work.label(stack)
            lines = work.finish()
    except KeyboardInterrupt:
        say_stopped(work.advice())
        raise
    except OSError as error:
        where = error.filename or wanted.sorted_to or work.journal_path
        raise ManyError(f"{where}: {reason_of(error)}. {work.advice()}".rstrip()) from None
    for line in lines:
        say(line)
    say_passed_over(work.videos, work.no_photos)
    if work.is_empty:
        raise no_photo_in(wanted.images)
    for pattern in sorted(work.matchless):
        complain(f"Passed over: {shown(pattern)}, which matches no photo.")
    return not work.failed


class _Work:
    """One run, and what it has counted."""

    def __init__(self, wanted: Wanted, asked: Asked, answer: Callable[[Row], None]) -> None:
        self.wanted = wanted
        self.asked = asked
        self.counts: Counter[str | None] = Counter()
        self.failed = 0
        self.videos: set[str] = set()
        self.no_photos: set[str] = set()  # by their names
        self.matchless: set[str] = set()  # patterns
        self.journal: Journal | None = None
        self._answer = answer
        self._folders: SortedFolders | None = None
        self._tables: list[Table] = []
        self._began = time.monotonic()
        self._is_placing = False  # a photo is in the journal, and perhaps not where it is to go
        self._is_stale = False  # the tables lack rows that the journal has

    @property
    def journal_path(self) -> Path | None:
        """Beside the first table, else in the folder into which photos are sorted."""
        for path in self.wanted.tables.values():
            return path.with_name(f"{path.name}.partial")
        if self.wanted.sorted_to is None:
            return None
        from label_image.many.journal import WITHOUT_TABLE

        return self.wanted.sorted_to / WITHOUT_TABLE

    @property
    def _most_errors(self) -> int | None:
        """How many errors are shown: none where the answers tell of them, all where they are in no table."""
        return 0 if self.wanted.prints else MOST_ERRORS if self._tables else None

    @property
    def is_empty(self) -> bool:
        """Whether there was nothing to do."""
        return self.wanted.keeps and not self.wanted.watch and not self.counts.total() and not self.failed

    def advice(self) -> str:
        """What to do where the run was stopped."""
        if self.journal is None or not self.wanted.keeps:
            return ""
        return f"The same command goes on from {self.journal.path}."

    def connect(self, stack: ExitStack) -> None:
        """Join the cluster, if one was asked for. Raises ClusterError."""
        if self.wanted.executor == "ray":
            from label_image.on_ray import RayConfig, connected

            stack.enter_context(connected(RayConfig(self.wanted.ray_address)))

    def begin(self, stack: ExitStack) -> None:
        """Open what is written, and take over what an earlier run has left. Raises JournalError and OSError."""
        wanted, path = self.wanted, self.journal_path
        if path is None:
            return
        from label_image.many.journal import journal_of
        from label_image.many.sorted_folders import SortedFolders
        from label_image.many.tables import KINDS, Table

        path.parent.mkdir(parents=True, exist_ok=True)
        if wanted.sorted_to is not None:
            self._folders = SortedFolders(wanted.sorted_to, wanted.move_to is not None, self.asked.model.labels)
            stack.enter_context(self._folders.open())
        self._tables = [Table(KINDS[option], file, self.asked, wanted.placed) for option, file in wanted.tables.items()]
        self.journal, is_earlier = stack.enter_context(journal_of(path, self._header()))
        if is_earlier:
            self.journal.go_on(self._kept, self._has_left)
            self._is_stale = self.journal.rows_before > 0

    def label(self, stack: ExitStack) -> None:
        """All photos, or for ever. Raises OSError."""
        if self.wanted.watch:
            from label_image.many.watching import Watch

            watch = Watch(self.wanted.photos)
            screen = stack.enter_context(Screen(None, self._most_errors))
            screen.say(f"Watching {', '.join(self.wanted.images)}: Ctrl-C ends it.")
            try:
                for due in watch.rounds():
                    self._label(due, screen, watch)
                    self._write_if_stale()
            except KeyboardInterrupt:
                self._forget_what_moved()
                raise
            finally:
                self._write_if_stale()
        total = sum(1 for _ in self._lacking(self.wanted.photos())) if self.wanted.keeps else None
        doing = "Labelling" if self.asked.embed is None else "Embedding"
        with Screen(total or None, self._most_errors, doing) as screen:  # there is no bar of nothing
            if self.journal is not None and self.journal.rows_before:
                before = number_of_photos(self.journal.rows_before)
                was = "was" if self.journal.rows_before == 1 else "were"
                screen.say(f"{before} {was} {self.asked.done} before: going on from {self.journal.path}.")
            self._label(self.wanted.photos(), screen, None, total)

    def _forget_what_moved(self) -> None:
        """Remove the journal of photos that all have moved: without a table nothing goes on from it. Raises OSError."""
        if self.journal is not None and self.wanted.move_to is not None and not self._tables and not self._is_placing:
            self.journal.remove()
            self.journal = None

    def finish(self) -> Sequence[str]:
        """Write the tables; what is to be said. Raises TableError and OSError."""
        if self.journal is None or self.is_empty:
            if self.journal is not None:
                self.journal.remove()
            return ()
        seconds = time.monotonic() - self._began
        told = summary(self.counts, self.failed, self.journal.rows_before, seconds, self.asked.done)
        lines = [*told, *self._write()]
        if self._folders is not None:
            already = f" ({self._folders.already:,} were there already)" if self._folders.already else ""
            verb = "moved" if self._folders.move else "copied"
            lines.append(f"{verb} to {self._folders.root}: {number_of_photos(self.counts.total())}{already}")
        self.journal.remove()
        return lines

    def _rows(self, found: Iterable[Found], expected: int | None) -> Iterator[Row]:
        """A row for each of these photos, in their order."""
        if self.wanted.executor == "ray":
            from label_image.many.by_ray import label_by_ray

            return label_by_ray(self.asked.model, found, expected)
        return work_in_order(self.asked.rows(), found, MOST, AHEAD)

    def _label(
        self, found: Iterable[Found], screen: Screen, watch: "Watch | None", expected: int | None = None
    ) -> None:
        for row in self._rows(self._lacking(found), expected):
            if row.error and watch is not None and watch.may_be_on_its_way(row.path):
                continue
            row = self._sorted(row)
            if row.error:
                self.failed += 1
            else:
                self.counts[self._label_of(row)] += 1
            self._is_stale = True
            screen.done(row)
            self._answer(row)

    def _lacking(self, found: Iterable[Found]) -> Iterator[Found]:
        """What is not in the journal, each once, and nothing that is no photo by its name."""
        taken: set[int] = set()  # hashes
        for one in found:
            if isinstance(one, PassedOver):
                if one.kind == "video":
                    self.videos.add(one.path)
                elif one.kind == "no photo":
                    self.no_photos.add(one.path)
                elif one.kind == "no match":
                    self.matchless.add(one.path)
                else:
                    yield one
            elif self.journal is None:
                yield one
            elif hash(one) not in taken and not (self.journal.rows_before and self.journal.had(one, _state_of(one))):
                taken.add(hash(one))
                yield one

    def _sorted(self, row: Row) -> Row:
        """The row in the journal, and its photo in its folder."""
        if self.journal is None:
            return row
        if self._folders is None or row.error:
            self.journal.add(row)
            return row
        self._is_placing = True
        self.journal.add(row, at_once=True)
        try:
            to = self._folders.put(row, self._label_of(row))
        except PhotoError as error:
            self.journal.not_placed(str(error))
            self._is_placing = False
            return Row(row.path, row.state, error=str(error))
        self.journal.placed(to)
        self._is_placing = False
        return replace(row, to=to)

    def _kept(self, row: Row) -> Row | None:
        """A row of an earlier run, its photo in its place; None for one that is to be labelled again."""
        state = state_of(row.path)
        if state is not None and not self.wanted.means(row.path):
            from label_image.many.journal import of_another_call

            assert self.journal is not None
            raise JournalError(of_another_call(self.journal.path, f", on photos such as {row.path}"))
        moves = self._folders is not None and self._folders.move
        if not self.asked.is_whole(row) or row.path == STANDARD_INPUT:  # which may hold another photo now
            return None
        may_be_gone = moves or is_no_path(row.path)
        is_same = state == row.state or (state is None and may_be_gone)
        if not is_same and not (moves and row.to) and not self.wanted.watch:
            return None
        label = self._label_of(row)
        if self._folders is not None and not row.to:
            try:
                row = replace(row, to=self._folders.finish(row, label))
            except PhotoError:
                return None
        self.counts[label] += 1
        return row

    def _has_left(self, row: Row) -> bool:
        """Whether the photo of a row that was kept is not where it was found."""
        return self._folders is not None and self._folders.has_taken(row)

    def _label_of(self, row: Row) -> str | None:
        if row.embedding is not None:
            return ""
        label, _, is_unknown = self.asked.best(row)
        return None if is_unknown else label

    def _write_if_stale(self) -> None:
        if self._is_stale and self._tables:
            self._write()
        self._is_stale = False

    def _write(self) -> list[str]:
        """Write all tables from the journal; what is to be said of them."""
        from label_image.many.tables import write_table

        assert self.journal is not None
        said = []
        for table in self._tables:
            kept = write_table(table, self.journal.rows(), self.journal.written.get(str(table.path)))
            state = state_of(str(table.path))
            if state is not None:
                self.journal.wrote(table.path, state)
            said.append(f"written: {table.path}" + (f" (what was there is {kept})" if kept else ""))
        return said

    def _header(self) -> "Header":
        """What has to be the same for the work of an earlier run to be of use."""
        from label_image.many.journal import LABELS, MODEL

        model, wanted = self.asked.model, self.wanted
        assert isinstance(model.run, FromFile)
        return {
            MODEL: model.run.sha256(),
            LABELS: sha256_of_bytes("\0".join(model.labels).encode(errors="surrogatepass")),
            "--always_answer": wanted.always_answer,
            "--embed": True if wanted.embed else None,  # as in the journal of a version without it
            "--copy_to": None if wanted.copy_to is None else str(wanted.copy_to.absolute()),
            "--move_to": None if wanted.move_to is None else str(wanted.move_to.absolute()),
            "photos": wanted.standing,
            "how the photos are named": wanted.spelled or None,
        }


def _state_of(image: str) -> State | None:
    return None if is_no_path(image) else state_of(image)
