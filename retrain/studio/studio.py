"""The studio behind its pages: a folder, what is known of it, and the two threads that find it out.

One looks: at the folder, once a second and whenever a page has changed it, and at photos that are new, so that their
bottlenecks are there when somebody trains. The other works: it trains, examines and writes exports, one at a time.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from label_image.errors import RetrainError
from retrain.bottlenecks.executors.base import StartEngine
from retrain.core.errors import StudioError
from retrain.core.progress import TrainingPoint
from retrain.studio.changes import Changes
from retrain.studio.config import StudioConfig
from retrain.studio.guesses import guesses
from retrain.studio.kept import Kept
from retrain.studio.known import Known, Training, Work
from retrain.studio.listing import Listing, list_folder
from retrain.studio.news import News
from retrain.studio.opening import open_folder
from retrain.studio.seeing import Eye, Seen
from retrain.studio.taking import check_output
from retrain.studio.telling import Telling
from retrain.studio.thumbnails import Thumbnails
from retrain.studio.watching import Watched

LOOK_SECONDS = 1.0  # between two looks at the folder
WAIT_SECONDS = 0.5
END_SECONDS = 3.0  # that the end waits for a thread: an export may take longer, and leaves what was there
ENDS = "The studio ends."
MISTAKE = "Something went wrong in the studio; its log says what."

Task = Callable[[Telling], None]
log = logging.getLogger(__name__)


class Unseen(StudioError):
    """What comes to nothing as photos cannot be seen; `Known.blind` says so, for as long as it is so."""


class Studio:
    """`known` may be read by any thread; what changes it is in here."""

    def __init__(self, config: StudioConfig, start: StartEngine | None = None) -> None:
        """Raises StudioError for a folder that is none of class folders, or that another studio has open.

        Raises OptionError or ExportError for a place where the model cannot be written.
        """
        self.config = config
        self.news = News()
        open_folder(config.folder)
        check_output(config)
        self.changes = Changes(config.folder)
        self.kept = Kept(config.folder)
        self.thumbnails = Thumbnails(config.folder)
        self.eye = Eye(config.backbone, config.extraction, start)
        self._known = Known(list_folder(config.folder))
        self._seen_listed = float("-inf")  # when the photos that were seen last were listed
        self._watched = Watched(self._known.listing)
        self._lock = threading.Condition()
        self._listing = threading.Lock()
        self._look_now = threading.Event()
        self._has_ended = threading.Event()
        self._tasks: queue.SimpleQueue[tuple[Work, Task] | None] = queue.SimpleQueue()
        self._asked: set[tuple[str, str]] = set()
        self._threads = [
            threading.Thread(target=self._look_on, name="look", daemon=True),
            threading.Thread(target=self._work_on, name="work", daemon=True),
        ]

    @property
    def known(self) -> Known:
        """What is known at this moment."""
        return self._known

    def begin(self) -> None:
        """Start to look and to work."""
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        """Look and work no more; what is being worked on is left as it is, and its output with it."""
        self._has_ended.set()
        self._look_now.set()
        self._tasks.put(None)
        with self._lock:
            self._lock.notify_all()
        for thread in self._threads:
            thread.join(END_SECONDS)
        self.changes.close()
        self.kept.close()

    def learn(self, **values: Any) -> None:
        """Exchange some of what is known, and tell the pages."""
        with self._lock:
            self._known = replace(self._known, **values)
            self._lock.notify_all()
        self.news.tell()

    def look(self) -> None:
        """The folder was changed: it is listed again at once, and looked at soon."""
        self._list(lambda: list_folder(self.config.folder))
        self._look_now.set()

    def ask(self, work: Work, task: Task) -> None:
        """Do this when what was asked for before is done; what is asked for already is not asked for twice."""
        name = (work.kind, work.what)
        with self._lock:
            if name in self._asked:
                return
            self._asked.add(name)
            if self._known.work is None:
                self._known = replace(self._known, work=work, failure=None)
        self._tasks.put((work, task))
        self.news.tell()

    def all_seen(self, telling: Telling) -> Seen:
        """The bottlenecks of the photos that are there now. Raises StudioError if they cannot be had.

        Photos that keep arriving meanwhile are not waited for.
        """
        asked = time.monotonic()
        try:
            self._list(lambda: list_folder(self.config.folder))
        except StudioError as error:
            self.learn(blind=str(error))
            raise Unseen(str(error)) from None
        self._look_now.set()
        with self._lock:
            while not self._has_ended.is_set():
                known = self._known
                if known.seen is not None and (known.is_all_seen or self._seen_listed > asked):
                    return known.seen
                if known.blind is not None:
                    raise Unseen(known.blind)
                if known.is_empty:  # nothing will be looked at
                    raise StudioError("There is no photo yet: put photos into two classes, and train again.")
                telling.at(known.seeing, len(known.listing.photos))
                self._lock.wait(WAIT_SECONDS)
        raise StudioError(ENDS)

    def point(self, point: TrainingPoint) -> None:
        """One of the curve of a training: what heads say of photos that they have not seen."""
        self.news.tell({
            "step": point.step,
            "total": point.total,
            "accuracy": point.validation_accuracy,
            "crossEntropy": point.validation_cross_entropy,
        })  # fmt: skip

    def _look_on(self) -> None:
        while not self._has_ended.is_set():
            is_called = self._look_now.is_set()
            self._look_now.clear()
            try:
                if is_called or not self._known.is_settled or self._watched.is_due():
                    self._look_once()
            except RetrainError as error:
                self.learn(blind=str(error))
            except Exception:
                log.exception("The studio made a mistake while it looked at the photos.")
                self.learn(blind=MISTAKE)
            self._look_now.wait(LOOK_SECONDS)

    def _look_once(self) -> None:
        began = time.monotonic()
        listing = self._list(self._watched.look)
        if self._known.is_all_seen or self._known.is_empty:
            if self._known.blind is not None:  # the folder was away, and is back as it was
                self.learn(blind=None)
            return
        with _shown_at_most_often(lambda work: self.learn(seeing=work.done)) as show:
            seen = self.eye.see(listing, Telling(Work("see"), show))
        self._seen_listed = began
        self.learn(seen=seen, seeing=len(listing.photos), blind=None, guessed=self._guesses(seen, self._known.training))

    def _list(self, look: Callable[[], Listing]) -> Listing:
        """The folder as it is now. One after the other: an older listing never takes the place of a newer one."""
        with self._listing:
            listing = look()
            if listing.version != self._known.listing.version:
                self.learn(listing=listing)
        return listing

    def _guesses(self, seen: Seen, training: Training | None) -> Any:
        return None if training is None else guesses(seen, training.trained)

    def _work_on(self) -> None:
        while (asked := self._tasks.get()) is not None:
            work, task = asked
            self.learn(work=work, failure=None)
            failure = None
            try:
                with _shown_at_most_often(lambda shown: self.learn(work=shown)) as show:
                    task(Telling(work, show, self.point))
            except Unseen:
                pass  # `blind` says it
            except RetrainError as error:
                failure = str(error)
            except Exception:
                log.exception("The studio made a mistake: %s %s.", work.kind, work.what)
                failure = MISTAKE
            with self._lock:
                self._asked.discard((work.kind, work.what))
            if self._has_ended.is_set():
                return
            self.learn(work=None, failure=failure)

    def taught(self, training: Training) -> None:
        """A training has ended: what it guesses of the photos without a label is told with it."""
        seen = self._known.seen
        assert seen is not None
        self.learn(training=training, guessed=self._guesses(seen, training))


@contextmanager
def _shown_at_most_often(show: Callable[[Work], None]) -> Iterator[Callable[[Work], None]]:
    """Passes on what is shown, but not more often than anybody sees."""
    last = 0.0

    def shown(work: Work) -> None:
        nonlocal last
        if (now := time.monotonic()) - last > 0.1:
            last = now
            show(work)

    yield shown
