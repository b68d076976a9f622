"""Signals that come while a command is still being imported."""

import signal
import subprocess
import sys

import pytest

SIGNALS = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
# What is sent while `label_image.signals` is read, which is what a command imports next.
CODE = """
import signal, sys
number = int(sys.argv[1])
if sys.argv[2] == "ignored":
    signal.signal(number, signal.SIG_IGN)

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "label_image.signals":
            signal.raise_signal(number)
            print("alive", flush=True)
            sys.exit(7)

sys.meta_path.insert(0, Finder())
import {package}.__main__
"""


def run(package: str, number: signal.Signals, kind: str) -> tuple[int, str]:
    code = CODE.replace("{package}", package)
    command = [sys.executable, "-c", code, str(int(number)), kind]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    return done.returncode, done.stdout + done.stderr


@SIGNALS
@pytest.mark.parametrize("package", ["retrain", "label_image"])
def test_a_signal_during_the_first_imports_ends_a_command_without_a_traceback(
    package: str, number: signal.Signals
) -> None:
    assert run(package, number, "heard") == (128 + number, "")


@SIGNALS
def test_what_nohup_ignores_stays_ignored(number: signal.Signals) -> None:
    assert run("retrain", number, "ignored") == (7, "alive\n")


def test_what_hears_signals_first_does_not_wait_for_enum() -> None:
    """Ctrl-C while `enum` was read, which `signal` imports, was a traceback."""
    code = "import sys; import label_image.early_signals; print(*sorted(sys.modules))"
    command = [sys.executable, "-S", "-c", code]  # what site-packages load at the start loads `enum`, too
    read = set(subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout.split())
    assert "label_image.early_signals" in read and not read & {"enum", "signal"}
