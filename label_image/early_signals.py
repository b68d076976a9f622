"""Imported first by a command: a signal ends it without a traceback, while `label_image.signals` and the rest are read.

Nothing is there yet that would have to be cleaned up. `label_image.signals.guard` puts its own handlers in their place.
"""

import _signal as signal  # type: ignore[import-not-found]  # `signal` imports `enum`: Ctrl-C meanwhile is a traceback
import os
from types import FrameType


def _end(number: int, frame: FrameType | None) -> None:
    os._exit(128 + number)


for _name in ("SIGINT", "SIGTERM", "SIGHUP"):
    _number = getattr(signal, _name, None)
    if _number is not None and signal.getsignal(_number) != signal.SIG_IGN:  # nohup's, and a shell's background jobs
        signal.signal(_number, _end)
