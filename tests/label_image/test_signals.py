"""Signals that end a run, sent to real processes."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from PIL import Image

from label_image.files import remove_leftovers
from label_image.signals import deferred

SENTENCES = {
    signal.SIGINT: "Interrupted.",
    signal.SIGTERM: "Terminated.",
    signal.SIGHUP: "Terminated, as the terminal was closed.",
}
SIGNALS = pytest.mark.parametrize("number", SENTENCES)
BEGINNING = """
import os, signal, sys, threading, time
from label_image.signals import deferred, guard
def ready():
    print("ready", flush=True)
"""


def start(code: str, *arguments: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", BEGINNING + code, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    process.stdout.readline()
    return process


def end_of(process: subprocess.Popen[str], within: float = 20) -> tuple[int, str]:
    """Exit code, and what was said on standard error."""
    began = time.monotonic()
    _, said = process.communicate(timeout=60)
    assert time.monotonic() - began < within
    return process.returncode, said


@SIGNALS
def test_the_first_signal_cleans_up_and_says_so(number: signal.Signals, tmp_path: Path) -> None:
    process = start(
        """
with guard():
    try:
        ready()
        time.sleep(60)
    finally:
        open(sys.argv[1], "w").close()
""",
        str(tmp_path / "cleaned up"),
    )
    process.send_signal(number)
    assert end_of(process) == (128 + number, SENTENCES[number] + "\n")
    assert (tmp_path / "cleaned up").exists()


@SIGNALS
def test_the_second_signal_ends_at_once(number: signal.Signals) -> None:
    process = start(
        """
with guard():
    try:
        ready()
        time.sleep(60)
    finally:
        ready()
        time.sleep(60)
"""
    )
    process.send_signal(number)
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(number)
    assert end_of(process) == (128 + number, SENTENCES[number] + "\n")


def test_a_second_signal_before_anything_was_said_is_not_silent() -> None:
    process = start(
        """
class Slow:
    def write(self, text):
        os.kill(os.getpid(), signal.SIGTERM)
    def flush(self):
        pass
with guard():
    sys.stderr = Slow()
    ready()
    os.kill(os.getpid(), signal.SIGTERM)
"""
    )
    assert end_of(process) == (143, "Terminated.\n")


@pytest.mark.parametrize("signals", [1, 2])
def test_what_is_said_is_heard_while_a_library_is_kept_quiet(signals: int) -> None:
    process = start(
        """
from label_image.quiet import quiet
silent = threading.Event()
def load():
    with quiet():
        silent.set()
        time.sleep(60)
with guard():
    threading.Thread(target=load, daemon=True).start()
    silent.wait()
    ready()
    try:
        os.kill(os.getpid(), signal.SIGTERM)
    finally:
        if sys.argv[1] == "2":
            os.kill(os.getpid(), signal.SIGTERM)
""",
        str(signals),
    )
    assert end_of(process) == (143, "Terminated.\n")


def test_threads_that_are_at_work_do_not_keep_it() -> None:
    process = start(
        """
with guard():
    threading.Thread(target=time.sleep, args=(60,)).start()
    ready()
    time.sleep(60)
"""
    )
    process.send_signal(signal.SIGTERM)
    assert end_of(process) == (143, "Terminated.\n")


@pytest.mark.parametrize(
    "code",
    [
        # Python goes on after an exception in these, and prints it.
        """
class Dying:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.2)
with guard():
    ready()
    Dying()
    time.sleep(60)
""",
        # TensorFlow's modules make an ImportError of it.
        """
with guard():
    ready()
    try:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(60)
    except KeyboardInterrupt:
        raise ImportError("Failed to load the native runtime.") from None
""",
        # While a run that is done waits for a thread.
        """
done = threading.Event()
def stop():
    done.wait()
    os.kill(os.getpid(), signal.SIGINT)  # Python misses it if it is just beginning to wait, until this thread ends
with guard():
    threading.Thread(target=stop).start()
    ready()
done.set()
""",
        # While Python ends.
        """
import atexit
atexit.register(time.sleep, 60)
atexit.register(os.kill, os.getpid(), signal.SIGINT)
with guard():
    ready()
""",
    ],
    ids=["destructor", "import", "thread", "exit"],
)
def test_there_is_never_a_traceback(code: str) -> None:
    returned, said = end_of(start(code))
    assert returned == 130
    assert said in ("Interrupted.\n", "")


@SIGNALS
def test_what_belongs_together_is_done_first(number: signal.Signals, tmp_path: Path) -> None:
    process = start(
        """
with guard():
    ready()
    with deferred():
        with deferred():
            os.kill(os.getpid(), int(sys.argv[2]))
            os.kill(os.getpid(), int(sys.argv[2]))
            time.sleep(0.5)
        open(sys.argv[1], "w").close()
    time.sleep(60)
""",
        str(tmp_path / "done"),
        str(int(number)),
    )
    assert end_of(process) == (128 + number, SENTENCES[number] + "\n")
    assert (tmp_path / "done").exists()


def test_what_nohup_ignores_is_ignored() -> None:
    process = start(
        """
signal.signal(signal.SIGHUP, signal.SIG_IGN)
with guard():
    os.kill(os.getpid(), signal.SIGHUP)
    ready()
"""
    )
    assert end_of(process) == (0, "")


def test_a_closed_terminal_is_no_error_of_its_own() -> None:
    """Nobody reads what it says."""
    process = start("with guard():\n    ready()\n    time.sleep(60)\n")
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    process.stderr.close()
    process.send_signal(signal.SIGHUP)
    assert process.wait(20) == 129


def test_in_a_program_of_ones_own_ctrl_c_waits_too() -> None:
    steps = []
    with pytest.raises(KeyboardInterrupt), deferred():
        signal.raise_signal(signal.SIGINT)
        steps.append("done")
    assert steps == ["done"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_in_other_threads_nothing_is_deferred() -> None:
    def work() -> None:
        with deferred():
            steps.append(threading.current_thread().name)

    steps: list[str] = []
    thread = threading.Thread(target=work, name="worker")
    thread.start()
    thread.join()
    assert steps == ["worker"]


# The commands

# The second signal comes while the first is on its way out.
STOPPED_WHILE_IMPORTING = """
numbers, module, command = [int(number) for number in sys.argv[1].split(",")], sys.argv[2], sys.argv[3]
def stop(*numbers):
    try:
        os.kill(os.getpid(), numbers[0])
    finally:
        if numbers[1:]:
            stop(*numbers[1:])
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == module:
            sys.meta_path.remove(self)
            stop(*numbers)
sys.meta_path.insert(0, Finder())
ready()
sys.argv = sys.argv[3:]
__import__(command + ".__main__").__main__.main()
"""


def _two_classes(folder: Path) -> None:
    for name, colour in (("red", (200, 0, 0)), ("blue", (0, 0, 200))):
        (folder / name).mkdir(parents=True)
        for number in range(10):
            shade = tuple(min(255, part + number) for part in colour)
            Image.new("RGB", (8, 8), shade).save(folder / name / f"{number}.png")


@pytest.mark.parametrize("module", ["tensorflow", "tensorflow.python.pywrap_tensorflow"])
@pytest.mark.parametrize("signals", [[signal.SIGINT], [signal.SIGTERM, signal.SIGTERM]], ids=["one", "two"])
def test_retrain_while_it_loads_tensorflow(module: str, signals: list[signal.Signals], tmp_path: Path) -> None:
    _two_classes(tmp_path / "photos")
    process = start(
        f"os.chdir({str(tmp_path)!r})\n" + STOPPED_WHILE_IMPORTING,
        ",".join(str(int(number)) for number in signals), module, "retrain",
        "--architecture", "fake", "--image_dir", "photos",
    )  # fmt: skip
    code, said = end_of(process, 60)
    assert code == 128 + signals[0]
    assert said.strip().splitlines()[-1].startswith(SENTENCES[signals[0]])
    assert "Traceback" not in said
    assert not (tmp_path / "tf_files/model").exists()
    if len(signals) > 1:  # the second ends the process wherever it is, as a kill does: the next run clears up
        remove_leftovers(tmp_path / "tf_files")
    assert not [name for name in os.listdir(tmp_path / "tf_files") if name.endswith(".tmp")]


# While TensorFlow's C library runs what was written: the library itself hears no signal.
STOPPED_IN_C = """
from retrain.exports.proof.c_library import Session
real, once = Session.run, threading.Lock()
def run(*arguments):
    if once.acquire(blocking=False):
        os.kill(os.getpid(), signal.SIGINT)
    return real(*arguments)
Session.run = run
ready()
sys.argv = ["retrain", "--image_dir", "photos", "--architecture", "fake"]
import retrain.__main__
retrain.__main__.main()
"""


def test_retrain_while_its_export_is_proven(tmp_path: Path) -> None:
    _two_classes(tmp_path / "photos")
    assert (
        subprocess.run(
            [sys.executable, "-m", "retrain", "--image_dir", "photos", "--architecture", "fake"], cwd=tmp_path
        ).returncode
        == 0
    )
    before = (tmp_path / "tf_files/model/model.json").read_bytes()
    code, said = end_of(start(f"os.chdir({str(tmp_path)!r})\n" + STOPPED_IN_C), 60)
    assert code == 128 + signal.SIGINT
    assert said.strip().splitlines()[-1].startswith("Interrupted.") and "Traceback" not in said
    assert (tmp_path / "tf_files/model/model.json").read_bytes() == before
    assert sorted(os.listdir(tmp_path / "tf_files")) == ["bottlenecks", "model"]


def test_label_image_while_it_loads(tmp_path: Path) -> None:
    code, said = end_of(start(STOPPED_WHILE_IMPORTING, "15", "label_image.model", "label_image", str(tmp_path)), 30)
    if said.startswith("Error: "):  # it was faster, and at most at its very end when the signal came
        assert code in (1, 143)
    else:
        assert (code, said.strip()) == (143, "Terminated.")


def test_the_commands_listen_from_their_first_import_on() -> None:
    """Only `label_image.signals` is imported before the handlers are there."""
    for command in ("retrain", "label_image"):
        code = f"import sys, {command}.__main__; print(*sorted(sys.modules))"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert not {"click", "rich", "numpy", f"{command}.cli"} & set(done.stdout.split())


def test_a_process_that_leaves_has_written_all_and_done_what_was_left() -> None:
    code = "import atexit; from label_image.signals import leave; atexit.register(print, 'bye'); print('now', end=' ')"
    done = subprocess.run([sys.executable, "-c", code + "; leave(); print('never')"], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "now bye\n", "")


def test_a_process_whose_words_cannot_be_written_does_not_leave_as_if_they_were() -> None:
    code = "import sys; from label_image.signals import leave; print('now'); leave(); sys.exit(3)"
    with open("/dev/full", "w") as full:
        assert subprocess.run([sys.executable, "-c", code], stdout=full, stderr=subprocess.DEVNULL).returncode != 0


@pytest.mark.parametrize("module", ["importlib._bootstrap", "logging"])
def test_no_lock_of_python_stays_locked(module: str) -> None:
    """Found by a storm of signals: the import lock was the main thread's, which waited for a thread that imports."""
    process = start(
        """
TAKE = [
    "def take():",
    "    lock.acquire()",
    "    os.kill(os.getpid(), signal.SIGINT)",
    "    try: pass",
    "    finally: lock.release()",
]
lock = threading.Lock()
names = {"__name__": sys.argv[1], "lock": lock, "os": os, "signal": signal}
exec("\\n".join(TAKE), names)
with guard():
    ready()
    try:
        names["take"]()
        time.sleep(60)
    finally:
        print("locked" if lock.locked() else "free", flush=True)
""",
        module,
    )
    out, said = process.communicate(timeout=60)
    assert (out, said, process.returncode) == ("free\n", "Interrupted.\n", 128 + signal.SIGINT)
